//! A forgotten password: the link in the mail, what it ends, and what it is never good for.

use serde_json::json;
use stoa_testkit::Host;

use crate::door::{Door, PASSWORD, mails, person, token};

const NEW: &str = "a boat beneath two moons";

#[test]
fn a_link_in_a_mail_becomes_a_new_password_and_ends_every_session() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let open = acme.anonymous();
    let email = person(&acme.owner(), &open, "ann");
    let mut door = Door::new(acme.anonymous());
    door.say(&email, PASSWORD).ok();
    let ann = acme.with_token(&door.complete().1);
    ann.get("/api/v1/me").ok();

    // Whatever a request says about hosts, the link leads to the configured one.
    let ask = |email: &str| {
        let call = open.call("POST", "/api/v1/auth/reset").header("X-Forwarded-Host", "evil.example");
        call.header("Forwarded", "host=evil.example").json(&json!({"email": email})).send().accepted()
    };
    assert_eq!(ask(&email), ask("nobody@acme.example"));
    let sent = mails(&host, "A new password");
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert!(sent[0].contains("To: ann@acme.example") && !sent[0].contains("evil"), "{}", sent[0]);
    assert!(sent[0].contains("/t/acme/auth/reset#token="), "{}", sent[0]);

    let token = token(&sent[0]);
    let confirm = |token: &str, password: &str| {
        open.post("/api/v1/auth/reset/confirm", &json!({"token": token, "password": password}))
    };
    confirm(&token, "too short").problem(422, "validation_failed");
    for cut in [&token[..token.len() - 1], "stoa_m1_"] {
        confirm(cut, NEW).problem(401, "invalid_mail_link");
    }
    open.post("/api/v1/auth/email/confirm", &json!({"token": token})).problem(401, "invalid_mail_link");
    let done = confirm(&token, NEW);
    assert_eq!((done.status(), done.header("set-cookie")), (204, None), "nobody is signed in by it");
    confirm(&token, NEW).problem(401, "invalid_mail_link");

    ann.get("/api/v1/me").problem(401, "invalid_token");
    assert_eq!(mails(&host, "Your password was changed").len(), 1);
    let mut door = Door::new(acme.anonymous());
    door.say(&email, PASSWORD).problem(401, "invalid_credentials");
    assert_eq!(door.say(&email, NEW).ok()["next"], json!(["complete"]));
}

#[test]
fn whoever_knows_the_password_changes_it_and_goes_on() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let email = person(&acme.owner(), &acme.anonymous(), "ann");
    let mut door = Door::new(acme.anonymous());
    door.say(&email, PASSWORD).ok();
    let (here, elsewhere) = (acme.with_token(&door.complete().1), {
        door.say(&email, PASSWORD).ok();
        acme.with_token(&door.complete().1)
    });
    let change = |old: &str| here.post("/api/v1/me/password", &json!({"password": old, "new_password": NEW}));
    change("a walk under another roof").problem(403, "invalid_credentials");
    let changed = change(PASSWORD).ok();
    elsewhere.get("/api/v1/me").problem(401, "invalid_token");
    let here = acme.with_token(changed["access_token"].as_str().unwrap());
    let sessions = here.get("/api/v1/me/sessions").ok();
    assert_eq!(sessions["data"].as_array().map(Vec::len), Some(1), "this one goes on");
}
