//! Signing in without a browser: steps, cookies, sessions that are listed and ended, and what is refused on the way.

use serde_json::{Value, json};
use stoa_testkit::{Client, Host};
use stoa_tests::{id, text};

use crate::door::{Door, PASSWORD, cookie, person};

/// Logs out with this cookie.
fn log_out(client: &Client, session: &str) {
    let cookie = format!("stoa_sid={session}");
    let call = client.call("POST", "/api/v1/auth/logout").header("Cookie", &cookie);
    let out = call.header("X-Stoa-Request", "1").send();
    assert_eq!((out.status(), out.header("clear-site-data").is_some()), (204, true));
}

#[test]
fn a_person_signs_in_step_by_step_and_out_again() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let email = person(&acme.owner(), &acme.anonymous(), "ann");
    let mut door = Door::new(acme.anonymous());
    assert_eq!(door.say(&email, PASSWORD).ok()["next"], json!(["complete"]));
    let (session, token) = door.complete();
    let ann = acme.with_token(&token);
    assert_eq!(ann.get("/api/v1/me").ok()["name"], "ann");

    let sessions = ann.get("/api/v1/me/sessions").ok();
    let sessions = sessions["data"].as_array().unwrap();
    assert_eq!(
        (sessions.len(), &sessions[0]["current"], &sessions[0]["acr"]),
        (1, &json!(true), &json!("aal1"))
    );
    log_out(&acme.anonymous(), &session);
    ann.get("/api/v1/me").problem(401, "invalid_token");
}

#[test]
fn sessions_are_listed_and_ended_one_by_one_by_their_own_person() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let (owner, open) = (acme.owner(), acme.anonymous());
    let signed_in = |email: &str| {
        let mut door = Door::new(acme.anonymous());
        door.say(email, PASSWORD).ok();
        acme.with_token(&door.complete().1)
    };
    let (ann, bob) = (person(&owner, &open, "ann"), person(&owner, &open, "bob"));
    let (desk, phone, bob) = (signed_in(&ann), signed_in(&ann), signed_in(&bob));
    let sessions = desk.get("/api/v1/me/sessions").ok();
    let other =
        sessions["data"].as_array().unwrap().iter().find(|one| one["current"] == json!(false)).unwrap();
    let end = |who: &Client, body: &Value| who.post("/api/v1/me/sessions/end", body);
    let meant = json!({"session": id(other), "password": PASSWORD});
    end(&bob, &meant).problem(404, "session_not_found");
    end(&desk, &json!({"session": id(other)})).problem(401, "insufficient_user_authentication");
    let wrong = json!({"session": id(other), "password": "a walk under another roof"});
    end(&desk, &wrong).problem(403, "invalid_credentials");
    acme.owner().post("/api/v1/me/sessions/end", &meant).expect(404);
    phone.get("/api/v1/me").ok();
    end(&desk, &meant).expect(204);
    phone.get("/api/v1/me").problem(401, "invalid_token");
    desk.get("/api/v1/me").ok();

    let (tablet, watch) = (signed_in(&ann), signed_in(&ann));
    end(&desk, &json!({})).problem(401, "insufficient_user_authentication");
    end(&desk, &json!({"password": PASSWORD})).expect(204);
    for ended in [&tablet, &watch] {
        ended.get("/api/v1/me").problem(401, "invalid_token");
    }
    desk.get("/api/v1/me").ok();
    bob.get("/api/v1/me").ok();
}

#[test]
fn signing_in_ends_the_session_that_the_browser_had_and_no_other() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let (owner, open) = (acme.owner(), acme.anonymous());
    let (ann, bob) = (person(&owner, &open, "ann"), person(&owner, &open, "bob"));
    let begun = |email: &str| {
        let mut door = Door::new(acme.anonymous());
        door.say(email, PASSWORD).ok();
        door
    };
    let (session, token) = begun(&ann).complete();
    let (here, elsewhere) = (acme.with_token(&token), acme.with_token(&begun(&ann).complete().1));
    let complete = |door: &Door| {
        let cookies = format!("stoa_tx={}; stoa_sid={session}", door.cookie());
        let call = open.call("POST", "/api/v1/auth/transactions/complete").header("Cookie", &cookies);
        call.header("X-Stoa-Request", "1").json(&json!({"access_token": true})).send()
    };
    let mut half = Door::new(acme.anonymous());
    half.begin();
    half.step("/identify", &json!({"email": ann})).ok();
    complete(&half).problem(401, "login_incomplete");
    here.get("/api/v1/me").ok();

    let done = complete(&begun(&bob));
    let next = acme.with_token(text(&done.ok(), "access_token"));
    assert_eq!(next.get("/api/v1/me").ok()["name"], "bob");
    here.get("/api/v1/me").problem(401, "invalid_token");
    elsewhere.get("/api/v1/me").ok();
    let old = open.call("GET", "/oauth/end_session").header("Cookie", &format!("stoa_sid={session}")).send();
    assert!(old.text().contains("You are signed out"), "its cookie opens nothing: {}", old.text());
}

#[test]
fn cookies_are_out_of_reach_of_scripts_and_a_preset_one_becomes_no_session() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let globex = host.organization("globex", &[]);
    let email = person(&acme.owner(), &acme.anonymous(), "ann");
    let mut door = Door::new(acme.anonymous());
    door.say(&email, PASSWORD).ok();
    let preset = format!("stoa_tx={}; stoa_sid=chosen-by-somebody-else", door.cookie());
    let call = acme.anonymous();
    let call = call.call("POST", "/api/v1/auth/transactions/complete").header("Cookie", &preset);
    let done = call.header("X-Stoa-Request", "1").json(&json!({})).send();
    let line = done.header("set-cookie").unwrap().to_owned();
    for part in ["stoa_sid=", "; Path=/t/acme", "; HttpOnly", "; SameSite=Lax"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    let session = cookie(&done, "stoa_sid").unwrap();
    assert!(session.len() >= 43 && session != "chosen-by-somebody-else");
    assert!(done.ok()["access_token"].is_null(), "only when asked for");
    assert!(!done.text().contains(&session));

    // A session's cookie opens no records and nothing of another organization.
    let with_cookie = |client: &Client, path: &str| {
        client.call("GET", path).header("Cookie", &format!("stoa_sid={session}")).send().status()
    };
    assert_eq!(with_cookie(&acme.anonymous(), "/api/v1/users"), 401);
    assert_eq!(with_cookie(&acme.anonymous(), &format!("/api/v1/me?stoa_sid={session}")), 401);
    let foreign = globex.anonymous();
    let foreign = foreign.call("POST", "/api/v1/auth/transactions/complete").header("Cookie", &preset);
    foreign.header("X-Stoa-Request", "1").json(&json!({})).send().problem(401, "invalid_login");
}

#[test]
fn what_another_site_makes_a_browser_send_changes_nothing() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let open = acme.anonymous();
    let begin = "/api/v1/auth/transactions";
    open.call("POST", begin).json(&json!({})).send().problem(403, "cross_site_request");
    let foreign =
        open.call("POST", begin).header("X-Stoa-Request", "1").header("Sec-Fetch-Site", "cross-site");
    foreign.json(&json!({})).send().problem(403, "cross_site_request");
    let mut door = Door::new(acme.anonymous());
    door.begin();
    for kind in ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data"] {
        let path = format!("{begin}/identify");
        let call = open.call("POST", &path).header("X-Stoa-Request", "1");
        let call = call.header("Cookie", &format!("stoa_tx={}", door.cookie())).header("Content-Type", kind);
        assert_eq!(call.body(b"{\"email\":\"ann@acme.example\"}").send().status(), 415, "{kind}");
    }
    open.call("GET", "/api/v1/auth/logout").send().expect(405);
}

#[test]
fn a_stranger_and_a_wrong_password_get_the_same_bytes() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let ann = person(&acme.owner(), &acme.anonymous(), "ann");
    let refused = |email: &str, password: &str| {
        let mut door = Door::new(acme.anonymous());
        let answer = door.say(email, password);
        let mut problem = answer.problem(401, "invalid_credentials");
        problem["request_id"] = Value::Null;
        assert!(answer.header("set-cookie").is_none());
        problem
    };
    let wrong = refused(&ann, "a walk under another roof");
    assert_eq!(refused("nobody@acme.example", PASSWORD), wrong);
    assert_eq!(refused(&ann, &format!("{PASSWORD} ")), wrong, "as it was typed");
    let mut door = Door::new(acme.anonymous());
    door.begin();
    for (password, status) in
        [("x".repeat(129), 422), ("a\u{0}b".to_owned(), 422), ("x".repeat(2_000_000), 413)]
    {
        let answer = door.step("/password", &json!({"password": password}));
        assert_eq!(answer.status(), status, "{}", answer.text());
    }
}

#[test]
fn the_pages_come_with_a_strict_policy_and_lead_nowhere_else() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    for page in ["sign-in", "second-factor", "reset", "email", "consent", "setup"] {
        let path = format!("/auth/{page}?next=//evil.example/&next=data:x");
        let shown = acme.anonymous().get(&path);
        assert_eq!(shown.status(), 200, "{page}: {}", shown.text());
        let policy = shown.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{page}: {policy}");
        assert_eq!(shown.header("referrer-policy"), Some("no-referrer"), "{page}");
        assert!(!shown.text().contains("evil.example"), "{page}");
    }
    acme.anonymous().get("/auth/me/x.css").expect(404);
    acme.owner().get("/api/v1/me/x.css").expect(404);
    let me = acme.owner().get("/api/v1/me");
    assert_eq!((me.header("cache-control"), text(&me.ok(), "id").is_empty()), (Some("no-store"), false));
}
