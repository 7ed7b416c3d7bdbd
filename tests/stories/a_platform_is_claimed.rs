//! Nobody runs an installation until somebody claims it, once; then its administrators invite each other, and there is
//! always an owner.

use std::sync::Barrier;

use serde_json::json;
use stoa_testkit::{Host, Setup};
use stoa_tests::{id, text};

use crate::staff::{self, OWNER, PASSWORD, claim, claim_code, invited, sign_in};

#[test]
fn a_first_start_tells_a_claim_code_once_and_it_works_once() {
    let mut host = Setup::default().fresh().start();
    let log = host.log();
    let code: String = log.split("stoa_c1_").nth(1).unwrap().chars().take_while(|c| *c != '"').collect();
    let code = format!("stoa_c1_{code}");
    host.restart();
    assert_eq!(host.log().matches("stoa_c1_").count(), 1, "told at the first start only");
    let body = |code: &str, password: &str| json!({ "code": code, "email": OWNER, "name": "Olga", "password": password });
    let claim = |body| host.platform().post("/admin/v1/claim", &body);
    claim(body("stoa_c1_guess", PASSWORD)).problem(401, "invalid_claim_code");
    claim(body(&code, "password1234")).problem(422, "validation_failed");
    let admin = claim(body(&code, PASSWORD)).created();
    assert_eq!(admin["roles"], json!(["owner"]));
    claim(body(&code, PASSWORD)).problem(401, "invalid_claim_code");
    let refused = host.cli(&["admin", "claim-code"]);
    assert!(!refused.succeeded && refused.stderr.contains("administrators"), "{}", refused.stderr);
    let stored = std::fs::read(host.data().join("control.sqlite")).unwrap();
    assert!(!String::from_utf8_lossy(&stored).contains("stoa_c1_"), "the code is in the file");
}

#[test]
fn of_sixteen_who_claim_at_once_one_becomes_the_owner() {
    let host = Host::start();
    let (code, barrier) = (claim_code(&host), Barrier::new(16));
    let attempt = |number: usize| {
        let email = format!("racer{number}@platform.example");
        let body = json!({ "code": code, "email": email, "name": "Racer", "password": PASSWORD });
        barrier.wait();
        host.platform().post("/admin/v1/claim", &body).status()
    };
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..16).map(|number| scope.spawn(move || attempt(number))).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 201 | 401 | 503)), "{statuses:?}");
}

#[test]
fn without_a_second_factor_one_may_enrol_one_and_nothing_else() {
    let host = Host::start();
    let body = json!({ "code": claim_code(&host), "email": OWNER, "name": "Olga", "password": PASSWORD });
    host.platform().post("/admin/v1/claim", &body).created();
    let token = sign_in(&host, OWNER, None).ok();
    let weak = host.platform().with_token(text(&token, "access_token"));
    for path in ["/admin/v1/me", "/admin/v1/admins", "/admin/v1/organizations", "/admin/v1/security/events"] {
        weak.get(path).problem(403, "enrolment_required");
    }
    weak.post("/admin/v1/me/totp/confirm", &json!({ "code": "000000" })).problem(409, "nothing_pending");
    weak.post("/admin/v1/me/totp", &json!({ "password": "not the password" }))
        .problem(401, "invalid_credentials");
    let begun = weak.post("/admin/v1/me/totp", &json!({ "password": PASSWORD })).ok();
    assert!(text(&begun, "otpauth_uri").starts_with("otpauth://totp/"));
    let confirm = |code: &str| weak.post("/admin/v1/me/totp/confirm", &json!({ "code": code }));
    confirm("000000").problem(422, "validation_failed");
    let code = staff::code(text(&begun, "secret"), 0);
    let confirmed = confirm(&code).ok();
    assert_eq!(confirmed["recovery_codes"].as_array().unwrap().len(), 10);
    weak.get("/admin/v1/me").problem(401, "invalid_token");

    // C6, C7: from here on the password alone is not enough, and no code works twice.
    sign_in(&host, OWNER, None).problem(401, "second_factor_required");
    sign_in(&host, OWNER, Some(&code)).problem(401, "invalid_credentials");
    let next = staff::code(text(&begun, "secret"), 1);
    assert_eq!(sign_in(&host, OWNER, Some(&next)).ok()["enrolment_required"], false);
    sign_in(&host, OWNER, Some(&next)).problem(401, "invalid_credentials");
    let recovery = confirmed["recovery_codes"][0].as_str().unwrap();
    assert_eq!(sign_in(&host, OWNER, Some(recovery)).ok()["enrolment_required"], false);
    sign_in(&host, OWNER, Some(recovery)).expect(401);
}

#[test]
fn a_session_gives_tokens_until_it_ends() {
    let host = Host::start();
    let owner = claim(&host);
    let renew = |meant: bool, site: Option<&str>| {
        let client = host.platform();
        let mut call = client.call("POST", "/admin/v1/auth/token").header("Cookie", &owner.cookie);
        if meant {
            call = call.header("X-Stoa-Request", "1");
        }
        if let Some(site) = site {
            call = call.header("Sec-Fetch-Site", site);
        }
        call.send()
    };
    let token = renew(true, Some("same-origin")).ok();
    let client = host.platform().with_token(text(&token, "access_token"));
    renew(false, None).problem(403, "cross_site_request");
    renew(true, Some("cross-site")).problem(403, "cross_site_request");
    let sessions = client.get("/admin/v1/sessions").ok();
    let current = sessions["data"].as_array().unwrap().iter().find(|one| one["current"] == true).unwrap();
    client.delete(&format!("/admin/v1/sessions/{}", id(current))).expect(204);
    client.get("/admin/v1/me").problem(401, "invalid_token");
    renew(true, None).problem(401, "invalid_session");
    // The cookie is no way into anything else.
    let answer = host.platform().call("GET", "/admin/v1/me").header("Cookie", &owner.cookie).send();
    answer.problem(401, "invalid_token");
}

#[test]
fn e20_there_is_always_an_owner_who_can_act() {
    let host = Host::start();
    let owner = claim(&host);
    let path = format!("/admin/v1/admins/{}", owner.id);
    owner.client.patch(&path, &json!({ "roles": ["support"] })).problem(409, "last_owner");
    owner.client.patch(&path, &json!({ "status": "disabled" })).problem(403, "forbidden");
    // An owner who has only been invited does not count.
    let body = json!({ "email": "second@platform.example", "name": "Second", "roles": ["owner"] });
    let second = owner.client.post("/admin/v1/admins", &body).created();
    owner.client.patch(&path, &json!({ "roles": ["support"] })).problem(409, "last_owner");
    staff::accept(&host, text(&second["invitation"], "token")).expect(204);
    let second = staff::enrolled(&host, "second@platform.example");

    // Both step down at once: one of them stays.
    let barrier = Barrier::new(2);
    let step_down = |staff: &staff::Staff| {
        let path = format!("/admin/v1/admins/{}", staff.id);
        barrier.wait();
        staff.client.patch(&path, &json!({ "roles": ["support"] })).status()
    };
    let (one, other) = std::thread::scope(|scope| {
        let one = scope.spawn(|| step_down(&owner));
        let other = scope.spawn(|| step_down(&second));
        (one.join().unwrap(), other.join().unwrap())
    });
    assert!(matches!((one, other), (200, 409) | (409, 200)), "{one} {other}");
}

#[test]
fn nobody_raises_rights_or_handles_those_who_have_more() {
    let host = Host::start();
    let owner = claim(&host);
    let security = invited(&host, &owner, "security");
    let of = |staff: &staff::Staff| format!("/admin/v1/admins/{}", staff.id);
    security
        .client
        .patch(&of(&security), &json!({ "roles": ["security", "owner"] }))
        .problem(403, "forbidden");
    security.client.patch(&of(&security), &json!({ "roles": ["operator"] })).problem(403, "forbidden");
    security.client.patch(&of(&owner), &json!({ "status": "disabled" })).problem(403, "forbidden");
    security.client.delete(&format!("{}/second-factor", of(&owner))).problem(403, "forbidden");
    security.client.call("POST", &format!("{}/invitation", of(&owner))).send().problem(403, "forbidden");
    let body = json!({ "email": "x@platform.example", "name": "X", "roles": ["billing"] });
    security.client.post("/admin/v1/admins", &body).problem(403, "forbidden");
    let theirs = owner.client.get("/admin/v1/sessions").ok();
    let theirs = theirs["data"].as_array().unwrap();
    let of_owner = theirs.iter().find(|one| one["admin_id"] == owner.id.as_str()).unwrap();
    security.client.delete(&format!("/admin/v1/sessions/{}", id(of_owner))).problem(403, "forbidden");

    // C16: what an inviter may no longer give, their invitation does not give either.
    let body = json!({ "email": "y@platform.example", "name": "Y", "roles": ["security"] });
    let made = security.client.post("/admin/v1/admins", &body).created();
    owner.client.patch(&of(&security), &json!({ "roles": ["support"] })).ok();
    security.client.get("/admin/v1/me").problem(401, "invalid_token");
    staff::accept(&host, text(&made["invitation"], "token")).problem(401, "invalid_invitation");
}

#[test]
fn changes_are_made_to_the_version_that_was_seen() {
    let host = Host::start();
    let owner = claim(&host);
    let billing = invited(&host, &owner, "billing");
    let path = format!("/admin/v1/admins/{}", billing.id);
    let etag = owner.client.get(&path).etag();
    owner.client.patch_if(&path, &etag, &json!({ "name": "Bill" })).ok();
    owner.client.patch_if(&path, &etag, &json!({ "name": "Will" })).problem(412, "version_conflict");
    // Disabling ends everything at once, and the address stays taken.
    owner.client.patch(&path, &json!({ "status": "disabled" })).ok();
    billing.client.get("/admin/v1/me").problem(401, "invalid_token");
    sign_in(&host, "billing@platform.example", Some(&billing.recovery[0]))
        .problem(401, "invalid_credentials");
    let page = owner.client.get("/admin/v1/admins?limit=1").ok();
    assert_eq!(page["data"].as_array().unwrap().len(), 1);
    assert_eq!(owner.client.all("/admin/v1/admins?limit=1").len(), 2);
}

#[test]
fn an_owner_resets_the_factor_of_another_who_enrols_anew() {
    let host = Host::start();
    let owner = claim(&host);
    let auditor = invited(&host, &owner, "auditor");
    owner.client.delete(&format!("/admin/v1/admins/{}/second-factor", owner.id)).problem(403, "forbidden");
    owner.client.delete(&format!("/admin/v1/admins/{}/second-factor", auditor.id)).expect(204);
    auditor.client.get("/admin/v1/me").problem(401, "invalid_token");
    let again = staff::enrolled(&host, "auditor@platform.example");
    assert_ne!(again.secret, auditor.secret);
}
