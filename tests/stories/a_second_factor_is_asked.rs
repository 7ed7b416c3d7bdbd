//! An authenticator app: added with two codes, asked at every login, replaced by a recovery code, removed with both.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use stoa_testkit::{Client, Host, Organization};
use stoa_tests::text;
use totp_rs::Builder;

use crate::door::{Door, PASSWORD, mails, person};

/// The present step of every app.
#[expect(clippy::disallowed_methods, reason = "an app that shows codes has the time of its own device")]
fn present() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 30
}

/// The code of an app with this secret in a step.
pub(super) fn code(secret: &str, step: u64) -> String {
    let app = Builder::new().with_secret(bytes(secret)).build().unwrap();
    app.generate(step * 30).to_string()
}

/// What base32 stands for.
fn bytes(text: &str) -> [u8; 20] {
    let (mut held, mut bits, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text.bytes() {
        let value = if letter.is_ascii_uppercase() { letter - b'A' } else { letter - b'2' + 26 };
        (held, bits) = ((held << 5) | u32::from(value), bits + 5);
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits).unwrap());
            held &= (1 << bits) - 1;
        }
    }
    bytes.try_into().unwrap()
}

/// Adds an app: its secret, the recovery codes, and the step that was used.
pub(super) fn enrol(ann: &Client) -> (String, Vec<Value>, u64) {
    let begun = ann.post("/api/v1/me/totp", &json!({"password": PASSWORD})).ok();
    let secret = text(&begun, "secret").to_owned();
    assert!(text(&begun, "otpauth_url").starts_with("otpauth://totp/"));
    let confirm = |first: &str, second: &str| {
        ann.post("/api/v1/me/totp/confirm", &json!({"first": first, "second": second}))
    };
    let step = present();
    confirm(&code(&secret, step), &code(&secret, step)).expect(422);
    let codes = confirm(&code(&secret, step - 1), &code(&secret, step)).ok();
    (secret, codes["codes"].as_array().unwrap().clone(), step)
}

#[test]
fn who_has_a_second_factor_is_asked_for_it() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let email = person(&acme.owner(), &acme.anonymous(), "ann");
    let login = json!({"email": email, "password": PASSWORD});
    let first = acme.anonymous().post("/api/v1/auth/login", &login).ok();
    let ann = acme.with_token(text(&first, "access_token"));
    let (secret, codes, step) = enrol(&ann);
    assert_eq!(codes.len(), 10);
    let letters = |code: &Value| code.as_str().unwrap().chars().filter(char::is_ascii_alphanumeric).count();
    assert!(codes.iter().all(|code| letters(code) == 24), "120 bits each: {codes:?}");
    assert_eq!(mails(&host, "A second factor was added").len(), 1);
    let profile = ann.get("/api/v1/me/profile").ok();
    assert_eq!((&profile["totp"], &profile["recovery_codes"]), (&json!(true), &json!(10)));

    acme.anonymous().post("/api/v1/auth/login", &login).problem(401, "second_factor_required");
    let mut door = Door::new(acme.anonymous());
    assert_eq!(door.say(&email, PASSWORD).ok()["next"], json!(["totp", "recovery"]));
    door.step("/complete", &json!({})).problem(401, "login_incomplete");
    let used = code(&secret, step);
    door.step("/totp", &json!({"code": used})).problem(401, "invalid_credentials");
    let next = code(&secret, step + 1);
    assert_eq!(door.step("/totp", &json!({"code": next})).ok()["next"], json!(["complete"]));
    let (_, token) = door.complete();
    let sessions = acme.with_token(&token).get("/api/v1/me/sessions").ok();
    assert_eq!(sessions["data"][0]["acr"], "aal2");

    assert_eq!(door.say(&email, PASSWORD).ok()["next"], json!(["totp", "recovery"]));
    assert_eq!(door.step("/recovery", &json!({"code": codes[0]})).ok()["next"], json!(["enrol"]));
    door.step("/complete", &json!({})).problem(401, "login_incomplete");
    assert_eq!(mails(&host, "A recovery code was used").len(), 1);
    door.say(&email, PASSWORD).ok();
    door.step("/recovery", &json!({"code": codes[0]})).problem(401, "invalid_credentials");

    let remove = |body: &Value| ann.post("/api/v1/me/totp/remove", body);
    remove(&json!({"password": PASSWORD})).problem(403, "second_factor_required");
    remove(&json!({"password": PASSWORD, "code": codes[1]})).expect(204);
    acme.anonymous().post("/api/v1/auth/login", &login).ok();
}

/// Adds the app that a login asks for; its secret and the recovery codes.
fn enrol_in_login(door: &Door) -> (String, Value) {
    let begun = door.step("/enrol", &json!({})).ok();
    assert_eq!(begun["next"], json!(["confirm", "enrol"]));
    let secret = text(&begun, "secret").to_owned();
    let confirm =
        |first: &str, second: &str| door.step("/enrol/confirm", &json!({"first": first, "second": second}));
    let step = present();
    confirm(&code(&secret, step), &code(&secret, step)).expect(422);
    door.step("/complete", &json!({})).problem(401, "login_incomplete");
    let done = confirm(&code(&secret, step - 1), &code(&secret, step)).ok();
    assert_eq!(done["next"], json!(["complete"]));
    (secret, done["recovery_codes"].clone())
}

#[test]
fn an_organization_that_demands_a_second_factor_leads_everybody_to_add_one() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let (owner, rules) = (acme.owner_in_person(), "/api/v1/organization/sign-in");
    let email = person(&acme.owner(), &acme.anonymous(), "ann");
    let login = json!({"email": email, "password": PASSWORD});
    let signed_in = acme.anonymous().post("/api/v1/auth/login", &login).ok();
    let ann = acme.with_token(text(&signed_in, "access_token"));
    assert_eq!(owner.get(rules).ok(), json!({"second_factor": "nobody"}));
    ann.get(rules).problem(403, "forbidden");
    ann.patch(rules, &json!({"second_factor": "nobody"})).problem(403, "forbidden");
    owner.patch(rules, &json!({"second_factor": "some"})).expect(422);
    owner.patch(rules, &json!({"second_factor": "administrators"})).ok();
    owner.get("/api/v1/me").problem(401, "invalid_token");
    ann.get("/api/v1/me").ok();
    acme.owner().patch(rules, &json!({"second_factor": "everybody"})).ok();
    ann.get("/api/v1/me").problem(401, "invalid_token");

    acme.anonymous().post("/api/v1/auth/login", &login).problem(401, "second_factor_required");
    let mut door = Door::new(acme.anonymous());
    assert_eq!(door.say(&email, PASSWORD).ok()["next"], json!(["enrol"]));
    for (path, body) in [
        ("/complete", json!({})),
        ("/totp", json!({"code": "000000"})),
        ("/recovery", json!({"code": "000000"})),
        ("/enrol/confirm", json!({"first": "000000", "second": "000000"})),
    ] {
        door.step(path, &body).problem(401, "login_incomplete");
    }
    let (secret, codes) = enrol_in_login(&door);
    assert_eq!(codes.as_array().map(Vec::len), Some(10));
    let (_, token) = door.complete();
    let sessions = acme.with_token(&token).get("/api/v1/me/sessions").ok();
    assert_eq!(sessions["data"][0]["acr"], "aal2");
    assert_eq!(mails(&host, "A second factor was added").len(), 1);

    // A recovery code leads to a new app, in the same login.
    assert_eq!(door.say(&email, PASSWORD).ok()["next"], json!(["totp", "recovery"]));
    assert_eq!(door.step("/recovery", &json!({"code": codes[0]})).ok()["next"], json!(["enrol"]));
    let (fresh, _) = enrol_in_login(&door);
    assert_ne!(fresh, secret);
    acme.with_token(&door.complete().1).get("/api/v1/me").ok();
}

/// A person of [`person`], logged in without steps.
fn log_in(acme: &Organization<'_>, email: &str) -> Client {
    let login = json!({"email": email, "password": PASSWORD});
    let token = acme.anonymous().post("/api/v1/auth/login", &login).ok();
    acme.with_token(text(&token, "access_token"))
}

/// Where the second factor of whoever this is gets reset.
fn reset_of(somebody: &Client) -> String {
    format!("/api/v1/users/{}/second-factor/reset", text(&somebody.get("/api/v1/me").ok(), "id"))
}

#[test]
fn an_administrator_resets_the_factor_of_somebody_who_has_lost_everything() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let (owner, open, boss) = (acme.owner(), acme.anonymous(), acme.owner_in_person());
    let emails = ["ann", "max"].map(|name| person(&owner, &open, name));
    let [ann, max] = emails.each_ref().map(|email| log_in(&acme, email));
    let (hers, his) = (reset_of(&ann), reset_of(&max));
    enrol(&ann);
    let proof = json!({"password": acme.owner_credentials().1});

    max.post(&hers, &json!({"password": PASSWORD})).problem(403, "forbidden");
    owner.post(&hers, &proof).problem(403, "forbidden");
    open.post(&hers, &proof).problem(401, "invalid_token");
    boss.post(&hers, &json!({})).problem(401, "insufficient_user_authentication");
    boss.post(&hers, &json!({"password": PASSWORD})).problem(403, "invalid_credentials");
    boss.post(&reset_of(&boss), &proof).problem(403, "forbidden");
    boss.post("/api/v1/users/none/second-factor/reset", &proof).problem(404, "user_not_found");
    assert_eq!(ann.get("/api/v1/me/profile").ok()["totp"], json!(true), "nothing has happened yet");

    boss.post(&hers, &proof).expect(204);
    ann.get("/api/v1/me").problem(401, "invalid_token");
    let told = mails(&host, "Your second factor was removed");
    assert!(told.len() == 1 && told[0].contains("ann@acme.example"), "{told:?}");
    let events = boss.get("/api/v1/sign-ins?kind=factor_removed").ok();
    assert_eq!(events["data"][0]["by"], boss.get("/api/v1/me").ok()["id"]);
    let again = log_in(&acme, &emails[0]);
    assert_eq!(again.get("/api/v1/me/profile").ok()["totp"], json!(false), "nobody has to have one");
    boss.post(&his, &proof).expect(204);
    max.get("/api/v1/me").ok();
    assert_eq!(mails(&host, "Your second factor was removed").len(), 1, "max had none");
}

#[test]
fn whose_factor_was_reset_adds_another_where_one_is_demanded() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let (email, password) = acme.owner_credentials();
    let address = person(&acme.owner(), &acme.anonymous(), "ann");
    let ann = log_in(&acme, &address);
    let hers = reset_of(&ann);
    enrol(&ann);
    acme.owner().patch("/api/v1/organization/sign-in", &json!({"second_factor": "everybody"})).ok();
    let mut door = Door::new(acme.anonymous());
    assert_eq!(door.say(&email, password).ok()["next"], json!(["enrol"]));
    let (secret, _) = enrol_in_login(&door);
    let boss = acme.with_token(&door.complete().1);
    boss.post(&hers, &json!({"password": password})).problem(403, "second_factor_required");
    boss.post(&hers, &json!({"password": password, "code": code(&secret, present() + 1)})).expect(204);
    assert_eq!(door.say(&address, PASSWORD).ok()["next"], json!(["enrol"]));
    door.step("/complete", &json!({})).problem(401, "login_incomplete");
    enrol_in_login(&door);
    acme.with_token(&door.complete().1).get("/api/v1/me").ok();
}

#[test]
fn what_happens_at_the_door_is_told_to_administrators_and_to_each_their_own() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let email = person(&owner, &acme.anonymous(), "ann");
    let mut door = Door::new(acme.anonymous());
    door.say(&email, "a walk under another roof").problem(401, "invalid_credentials");
    door.say("nobody@acme.example", PASSWORD).problem(401, "invalid_credentials");
    door.say(&email, PASSWORD).ok();
    let ann = acme.with_token(&door.complete().1);
    let kinds = |list: &Value| -> Vec<String> {
        list["data"].as_array().unwrap().iter().map(|event| text(event, "kind").to_owned()).collect()
    };
    let mine = ann.get("/api/v1/me/sign-ins").ok();
    assert_eq!(kinds(&mine), ["sign_in", "sign_in", "password_set"]);
    assert_eq!(
        (&mine["data"][0]["about"], &mine["data"][1]["cause"]),
        (&json!("pwd"), &json!("wrong_password"))
    );
    ann.get("/api/v1/sign-ins").problem(403, "forbidden");

    let all = owner.get("/api/v1/sign-ins");
    assert!(!all.text().contains("nobody@") && !all.text().contains("roof"), "{}", all.text());
    let tried = owner.get("/api/v1/sign-ins?kind=sign_in").ok();
    let causes: Vec<&Value> = tried["data"].as_array().unwrap().iter().map(|event| &event["cause"]).collect();
    assert_eq!(causes, [&Value::Null, &json!("unknown_person"), &json!("wrong_password")]);
    let her = text(&mine["data"][0], "user").to_owned();
    let hers = owner.get(&format!("/api/v1/sign-ins?user={her}&since=2020-01-01T00:00:00Z")).ok();
    assert_eq!(kinds(&hers).len(), 3);
    let first = owner.get("/api/v1/sign-ins?limit=1").ok();
    let second = format!("/api/v1/sign-ins?limit=1&cursor={}", text(&first, "next_cursor"));
    assert_ne!(first["data"][0]["id"], owner.get(&second).ok()["data"][0]["id"]);
    for bad in ["cursor=x", "kind=x", "user=x", "since=x", "limit=0", "x=1"] {
        owner.get(&format!("/api/v1/sign-ins?{bad}")).expect(400);
    }
}
