//! Invitations by mail: used once, taken back, worth what the inviter may give when they are used. And that a change of
//! somebody's roles, teams or status holds at their next request.

use serde_json::{Value, json};
use stoa_testkit::{Client, Host, Organization};
use stoa_tests::{id, text};

use crate::door::{Door, PASSWORD, mails, person, token};

const SETUP: &str = "/api/v1/auth/setup";
const USERS: &str = "/api/v1/users";

/// The subject of an invitation to the organization `acme`.
const INVITED: &str = "Your invitation to The acme company";

fn somebody(name: &str, role: &str) -> Value {
    json!({"name": name, "email": format!("{name}@acme.example"), "roles": [role], "invite": true})
}

/// The token in the newest invitation to this person; the spool names its files by time.
fn invited(host: &Host, name: &str) -> String {
    let folder = host.data().join("spool/mail");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let to = format!("To: {name}@acme.example\r\n");
    let read = |path: &std::path::PathBuf| {
        std::fs::read_to_string(path).unwrap().replace("=\r\n", "").replace("=3D", "=")
    };
    let mail = files.iter().rev().map(read).find(|mail| mail.contains(&to) && mail.contains(INVITED));
    token(&mail.unwrap_or_else(|| panic!("nobody invited {name}")))
}

fn accept(acme: &Organization<'_>, token: &str) -> stoa_testkit::Answer {
    acme.anonymous().post(SETUP, &json!({"token": token, "password": PASSWORD}))
}

fn logged_in(acme: &Organization<'_>, name: &str) -> Client {
    let login = json!({"email": format!("{name}@acme.example"), "password": PASSWORD});
    acme.with_token(text(&acme.anonymous().post("/api/v1/auth/login", &login).ok(), "access_token"))
}

/// Somebody with this role who has accepted, and is logged in.
fn colleague(host: &Host, acme: &Organization<'_>, by: &Client, name: &str, role: &str) -> (String, Client) {
    let made = by.post(USERS, &somebody(name, role)).created();
    accept(acme, &invited(host, name)).expect(204);
    (id(&made).to_owned(), logged_in(acme, name))
}

/// Lets managers do this with people, as an organization may decide.
fn let_managers(owner: &Client, action: &str) {
    let row = json!({
        "subject": "role:manager", "object": "host.user", "action": action, "scope": "org", "effect": "allow",
        "reason": "they hire",
    });
    owner.post("/api/v1/policies", &row).created();
}

#[test]
fn an_invitation_comes_by_mail_and_makes_one_password() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let made = owner.post(USERS, &somebody("ann", "rep"));
    let ann = made.created();
    assert!(!made.text().contains("stoa_s1_"), "whoever invites does not see the link");
    assert_eq!(mails(&host, INVITED).len(), 1);
    let sent = mails(&host, INVITED).remove(0);
    assert!(sent.contains("/t/acme/auth/setup#token="), "{sent}");
    let link = invited(&host, "ann");
    let open = owner.get(&format!("{USERS}/{}/invitation", id(&ann)));
    assert!(!open.text().contains(&link) && open.ok()["expires_at"].is_string());

    // C15: what the invitation is for stands in its row, not in a request.
    for more in ["email", "roles", "organization", "user_id"] {
        let mut body = json!({"token": link, "password": PASSWORD});
        body[more] = json!("owner");
        acme.anonymous().post(SETUP, &body).expect(422);
    }
    let globex = host.organization("globex", &[]);
    accept(&globex, &link).problem(401, "invalid_setup_token");
    for bad in [&link[..link.len() - 1], "stoa_s1_", &link.to_uppercase()] {
        accept(&acme, bad).problem(401, "invalid_setup_token");
    }
    acme.anonymous()
        .post(SETUP, &json!({"token": link, "password": "short"}))
        .problem(422, "validation_failed");

    accept(&acme, &link).expect(204);
    accept(&acme, &link).problem(401, "invalid_setup_token");
    let me = logged_in(&acme, "ann").get("/api/v1/me").ok();
    assert_eq!((id(&me), &me["roles"]), (id(&ann), &json!(["rep"])));
    owner.get(&format!("{USERS}/{}/invitation", id(&ann))).problem(404, "invitation_not_found");
}

#[test]
fn an_invitation_that_went_to_an_earlier_address_is_dead() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let ann = owner.post(USERS, &somebody("ann", "rep")).created();
    let (path, first) = (format!("{USERS}/{}", id(&ann)), invited(&host, "ann"));
    let same = text(&ann, "email").to_owned();
    owner.patch(&path, &json!({"email": same, "name": "Anna"})).ok();
    owner.get(&format!("{path}/invitation")).ok();
    owner.patch(&path, &json!({"email": "anna@acme.example"})).ok();
    accept(&acme, &first).problem(401, "invalid_setup_token");
    owner.get(&format!("{path}/invitation")).problem(404, "invitation_not_found");
}

#[test]
fn an_invitation_that_was_sent_again_or_taken_back_is_dead() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let ann = owner.post(USERS, &somebody("ann", "rep")).created();
    let (path, first) = (format!("{USERS}/{}/invitation", id(&ann)), invited(&host, "ann"));
    owner.post(&format!("{path}/mail"), &json!({})).created();
    let second = invited(&host, "ann");
    assert_ne!(first, second);
    accept(&acme, &first).problem(401, "invalid_setup_token");
    owner.delete(&path).expect(204);
    accept(&acme, &second).problem(401, "invalid_setup_token");
    owner.delete(&path).problem(404, "invitation_not_found");
    owner.post(&format!("{path}/mail"), &json!({})).created();
    accept(&acme, &invited(&host, "ann")).expect(204);
}

#[test]
fn an_address_that_somebody_has_is_invited_only_once_however_it_is_spelled() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    owner.post(USERS, &somebody("ann", "rep")).created();
    for same in ["ann@acme.example", "ANN@Acme.Example", "\u{ff41}nn@acme.example"] {
        let body = json!({"name": "Eve", "email": same, "roles": ["owner"], "invite": true});
        let refused = owner.post(USERS, &body);
        assert!(matches!(refused.status(), 403 | 409 | 422), "{same}: {}", refused.text());
        let body = json!({"name": "Eve", "email": same, "roles": ["rep"], "invite": true});
        let refused = owner.post(USERS, &body);
        assert!(matches!(refused.status(), 409 | 422), "{same}: {}", refused.text());
    }
    // Cyrillic letters that read like Latin ones.
    let lookalike = json!({"name": "Eve", "email": "\u{430}nn@acme.example", "roles": ["rep"]});
    owner.post(USERS, &lookalike).expect(422);
    assert_eq!(mails(&host, INVITED).len(), 1);
}

#[test]
fn nobody_invites_above_their_own_rights_or_touches_who_stands_above() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let boss = acme.owner_in_person();
    let (_, rep) = colleague(&host, &acme, &boss, "rita", "rep");
    rep.post(USERS, &somebody("eve", "readonly")).problem(403, "forbidden");
    let (_, manager) = colleague(&host, &acme, &boss, "max", "manager");
    manager.post(USERS, &somebody("eve", "readonly")).problem(403, "forbidden");
    let_managers(&boss, "create");
    let_managers(&boss, "update");
    let manager = logged_in(&acme, "max");
    manager.post(USERS, &somebody("eve", "owner")).problem(403, "forbidden");
    boss.post("/api/v1/roles", &json!({"name": "admin", "label": "Admin", "inherits": ["owner"]})).created();
    manager.post(USERS, &somebody("eve", "admin")).problem(403, "forbidden");
    let eve = manager.post(USERS, &somebody("eve", "rep")).created();
    manager.patch(&format!("{USERS}/{}", id(&eve)), &json!({"roles": ["owner"]})).problem(403, "forbidden");

    // C18: a right to change people is no right to the credentials of whoever stands above.
    let owner = format!("{USERS}/{}", id(&boss.get("/api/v1/me").ok()));
    for body in
        [json!({"email": "max2@acme.example"}), json!({"roles": ["rep"]}), json!({"status": "disabled"})]
    {
        manager.patch(&owner, &body).problem(403, "forbidden");
    }
    manager.post(&format!("{owner}/invitation"), &json!({})).problem(403, "forbidden");
    manager.post(&format!("{owner}/invitation/mail"), &json!({})).problem(403, "forbidden");
    manager.post(&format!("{owner}/disable"), &json!({})).problem(403, "forbidden");
    assert_eq!(boss.get("/api/v1/me").ok()["roles"], json!(["owner"]));
}

#[test]
fn an_invitation_is_worth_what_its_maker_may_give_when_it_is_used() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let boss = acme.owner_in_person();
    let (max, manager) = colleague(&host, &acme, &boss, "max", "manager");
    let_managers(&boss, "create");
    manager.post(USERS, &somebody("ann", "manager")).created();
    manager.post(USERS, &somebody("bob", "readonly")).created();
    boss.patch(&format!("{USERS}/{max}"), &json!({"roles": ["rep"]})).ok();
    accept(&acme, &invited(&host, "ann")).problem(403, "inviter_lost_rights");
    accept(&acme, &invited(&host, "bob")).expect(204);

    boss.patch(&format!("{USERS}/{max}"), &json!({"roles": ["manager"]})).ok();
    boss.post(&format!("{USERS}/{max}/disable"), &json!({})).ok();
    accept(&acme, &invited(&host, "ann")).problem(403, "inviter_lost_rights");
    boss.post(&format!("{USERS}/{max}/enable"), &json!({})).ok();
    accept(&acme, &invited(&host, "ann")).expect(204);
}

#[test]
fn changed_roles_and_teams_hold_at_the_next_request() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let boss = acme.owner_in_person();
    let (ann, client) = colleague(&host, &acme, &boss, "ann", "rep");
    let accounts = "/api/v1/crm/accounts";
    client.post(accounts, &json!({"name": "One"})).created();
    let user = format!("{USERS}/{ann}");
    boss.patch(&user, &json!({"roles": ["readonly"]})).ok();
    client.post(accounts, &json!({"name": "Two"})).expect(403);
    assert_eq!(client.get("/api/v1/me").ok()["roles"], json!(["readonly"]));
    boss.patch(&user, &json!({"roles": ["rep"]})).ok();
    client.post(accounts, &json!({"name": "Three"})).created();

    let team = boss.post("/api/v1/teams", &json!({"name": "North"})).created();
    let member = format!("/api/v1/teams/{}/members/{ann}", id(&team));
    boss.call("PUT", &member).json(&json!({})).send().expect(204);
    assert_eq!(client.get("/api/v1/me").ok()["teams"][0]["name"], "North");
    boss.delete(&member).expect(204);
    assert_eq!(client.get("/api/v1/me").ok()["teams"], json!([]));
    client.call("PUT", &member).json(&json!({})).send().expect(403);
}

#[test]
fn disabling_a_person_ends_everything_at_once_and_enabling_revives_nothing() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let (owner, open) = (acme.owner(), acme.anonymous());
    let email = person(&owner, &open, "ann");
    let mut door = Door::new(acme.anonymous());
    door.say(&email, PASSWORD).ok();
    let (session, token) = door.complete();
    let (ann, direct) = (acme.with_token(&token), logged_in(&acme, "ann"));
    let path = format!("{USERS}/{}", id(&ann.get("/api/v1/me").ok()));
    open.post("/api/v1/auth/reset", &json!({"email": email})).accepted();
    let reset = crate::door::token(&mails(&host, "A new password")[0]);
    owner.post(&format!("{path}/invitation/mail"), &json!({})).created();
    let invitation = invited(&host, "ann");
    let mut half = Door::new(acme.anonymous());
    half.say(&email, PASSWORD).ok();

    owner.post(&format!("{path}/disable"), &json!({})).ok();
    let shut = || {
        for client in [&ann, &direct] {
            client.get("/api/v1/me").problem(401, "invalid_token");
        }
        accept(&acme, &invitation).problem(401, "invalid_setup_token");
        let with_cookie =
            open.call("GET", "/oauth/userinfo").header("Cookie", &format!("stoa_sid={session}"));
        assert_eq!(with_cookie.send().status(), 401);
    };
    shut();
    let new = json!({"token": reset, "password": "a boat beneath two moons"});
    open.post("/api/v1/auth/reset/confirm", &new).problem(401, "invalid_mail_link");
    assert!(half.step("/complete", &json!({})).status() == 401, "not even a login that was almost done");
    Door::new(acme.anonymous()).say(&email, PASSWORD).problem(401, "invalid_credentials");
    owner.post(&format!("{path}/enable"), &json!({})).ok();
    shut();
    logged_in(&acme, "ann").get("/api/v1/me").ok();
}

#[test]
fn an_organization_keeps_an_owner() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let boss = acme.owner_in_person();
    let own = format!("{USERS}/{}", id(&boss.get("/api/v1/me").ok()));
    boss.patch(&own, &json!({"roles": ["manager"]})).problem(409, "last_owner");
    boss.patch(&own, &json!({"status": "disabled"})).problem(409, "last_owner");
    boss.post(&format!("{own}/disable"), &json!({})).problem(409, "last_owner");
    let (second, _) = colleague(&host, &acme, &boss, "olga", "owner");
    boss.patch(&own, &json!({"roles": ["rep"]})).ok();
    let second = format!("{USERS}/{second}");
    boss.patch(&second, &json!({"roles": ["rep"]})).problem(403, "forbidden");
    acme.owner().patch(&second, &json!({"roles": ["rep"]})).problem(403, "forbidden");
    logged_in(&acme, "olga").post(&format!("{second}/disable"), &json!({})).problem(409, "last_owner");
}
