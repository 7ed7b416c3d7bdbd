//! An authenticator app: added with two codes, asked at every login, replaced by a recovery code, removed with both.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use stoa_testkit::{Client, Host};
use stoa_tests::text;
use totp_rs::Builder;

use crate::door::{Door, PASSWORD, mails, person};

/// The present step of every app.
#[expect(clippy::disallowed_methods, reason = "an app that shows codes has the time of its own device")]
fn present() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 30
}

/// The code of an app with this secret in a step.
fn code(secret: &str, step: u64) -> String {
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
    assert_eq!(door.step("/recovery", &json!({"code": codes[0]})).ok()["next"], json!(["complete"]));
    door.complete();
    assert_eq!(mails(&host, "A recovery code was used").len(), 1);
    door.say(&email, PASSWORD).ok();
    door.step("/recovery", &json!({"code": codes[0]})).problem(401, "invalid_credentials");

    let remove = |body: &Value| ann.post("/api/v1/me/totp/remove", body);
    remove(&json!({"password": PASSWORD})).problem(403, "second_factor_required");
    remove(&json!({"password": PASSWORD, "code": codes[1]})).expect(204);
    acme.anonymous().post("/api/v1/auth/login", &login).ok();
}
