//! Service accounts and API keys over HTTP: made, shown once, limited, rotated, revoked, reported as leaked; and that no
//! program gets further than whoever made it.

use std::time::Duration;

use serde_json::{Value, json};
use stoa_testkit::{Client, Host, Organization, wait_for};
use stoa_tests::{id, text};

const ACCOUNTS: &str = "/api/v1/crm/accounts";
const CONTACTS: &str = "/api/v1/crm/contacts";
const KEYS: &str = "/api/v1/api-keys";
const PROGRAMS: &str = "/api/v1/service-accounts";

/// A key, and a client that uses it.
struct Key<'a> {
    id: String,
    secret: String,
    client: Client,
    by: &'a Client,
}

impl<'a> Key<'a> {
    fn new(acme: &Organization<'_>, by: &'a Client, body: &Value) -> Self {
        let made = by.post(KEYS, body).created();
        let secret = text(&made, "secret").to_owned();
        let client = acme.with_token(&secret);
        Self { id: id(&made["api_key"]).to_owned(), secret, client, by }
    }

    fn path(&self) -> String {
        format!("{KEYS}/{}", self.id)
    }

    fn revoke(&self) {
        self.by.delete(&self.path()).expect(204);
    }
}

fn program(by: &Client, name: &str, role: &str) -> String {
    id(&by.post(PROGRAMS, &json!({"name": name, "roles": [role]})).created()).to_owned()
}

/// An instant two seconds after this one, which the host said: written with an offset, so that no day ends within it.
fn soon_after(at: &str) -> String {
    let number = |from: usize| at[from..from + 2].parse::<u32>().unwrap();
    let (half, offset) = if number(11) >= 12 { (12, "-12:00") } else { (0, "+00:00") };
    let seconds = (number(11) - half) * 3_600 + number(14) * 60 + number(17) + 2;
    format!("{}T{:02}:{:02}:{:02}{offset}", &at[..10], seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

#[test]
fn a_program_acts_through_keys_that_are_shown_once_and_revoked_at_once() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let boss = acme.owner_in_person();
    let sync = program(&boss, "Sync", "rep");
    let of = |name: &str| json!({"name": name, "service_account": sync});
    let first = Key::new(&acme, &boss, &of("first"));
    let me = first.client.get("/api/v1/me").ok();
    assert_eq!((id(&me), text(&me, "kind"), text(&me, "name")), (sync.as_str(), "service", "Sync"));
    first.client.post(ACCOUNTS, &json!({"name": "One"})).created();
    for shown in [boss.get(KEYS), boss.get(&first.path()), boss.get(&format!("{PROGRAMS}/{sync}"))] {
        assert!(shown.success().text().find("stoa_k1_").is_none(), "{}", shown.text());
    }

    // Rotated: the next one is made, then the first one ends. The program goes on, its records stay its own.
    let second = Key::new(&acme, &boss, &of("second"));
    assert_eq!(second.client.get("/api/v1/me").ok(), me);
    first.revoke();
    first.client.get("/api/v1/me").problem(401, "invalid_token");
    second.client.get("/api/v1/me").ok();
    assert!(boss.get(&first.path()).ok()["revoked_at"].is_string());
    let used = wait_for("the use is noted", Duration::from_secs(10), || {
        boss.get(&second.path()).ok()["last_used_at"].as_str().map(str::to_owned)
    });
    assert!(used.ends_with('Z'), "{used}");

    // Disabled: every key at once, and no new one.
    boss.post(&format!("{PROGRAMS}/{sync}/disable"), &json!({})).ok();
    second.client.get("/api/v1/me").problem(401, "invalid_token");
    boss.post(KEYS, &of("third")).problem(409, "service_account_disabled");
    boss.post(&format!("{PROGRAMS}/{sync}/enable"), &json!({})).ok();
    second.client.get("/api/v1/me").ok();
    first.client.get("/api/v1/me").problem(401, "invalid_token");
    boss.patch(&format!("{PROGRAMS}/{sync}"), &json!({"roles": ["readonly"]})).ok();
    second.client.post(ACCOUNTS, &json!({"name": "Two"})).expect(403);
}

#[test]
fn a_key_is_good_for_its_scopes_from_its_networks_and_until_its_end() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let boss = acme.owner_in_person();
    let account = boss.post(ACCOUNTS, &json!({"name": "One"})).created();
    let path = format!("{ACCOUNTS}/{}", id(&account));

    let narrow =
        Key::new(&acme, &boss, &json!({"name": "n", "role": "owner", "scopes": ["crm.account:read"]}));
    narrow.client.get(&path).ok();
    narrow.client.patch(&path, &json!({"name": "Two"})).expect(403);
    narrow.client.get(CONTACTS).expect(403);
    narrow.client.get("/api/v1/users").expect(403);
    let reader = Key::new(&acme, &boss, &json!({"name": "r", "role": "owner", "scopes": ["read"]}));
    reader.client.get(CONTACTS).ok();
    reader.client.post(ACCOUNTS, &json!({"name": "Two"})).expect(403);
    reader.client.get(&format!("{ACCOUNTS}/export?format=csv")).expect(403);
    for bad in [json!(["*"]), json!(["crm"]), json!([]), json!(["crm.account:read "])] {
        boss.post(KEYS, &json!({"name": "x", "role": "rep", "scopes": bad})).expect(422);
    }

    let far =
        Key::new(&acme, &boss, &json!({"name": "f", "role": "rep", "allowed_networks": ["192.0.2.0/24"]}));
    far.client.get(&path).problem(401, "invalid_token");
    for header in ["X-Forwarded-For", "X-Real-IP"] {
        let lying = far.client.call("GET", &path).header(header, "192.0.2.7").send();
        assert_eq!(lying.status(), 401, "nobody's word counts but that of a trusted proxy");
    }
    let near = json!({"name": "l", "role": "rep", "allowed_networks": ["127.0.0.0/8", "::1"]});
    Key::new(&acme, &boss, &near).client.get(&path).ok();
    boss.post(KEYS, &json!({"name": "x", "role": "rep", "allowed_networks": ["everywhere"]})).expect(422);

    let made = boss.post(KEYS, &json!({"name": "m", "role": "rep"})).created();
    let made_at = text(&made["api_key"], "created_at").to_owned();
    let brief = json!({"name": "b", "role": "rep", "expires_at": soon_after(&made_at)});
    let brief = Key::new(&acme, &boss, &brief);
    brief.client.get(&path).ok();
    wait_for("the key ends", Duration::from_secs(20), || {
        (brief.client.get(&path).status() == 401).then_some(())
    });
    for end in ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "soon"] {
        boss.post(KEYS, &json!({"name": "x", "role": "rep", "expires_at": end})).expect(422);
    }
}

#[test]
fn no_program_gets_further_than_its_maker_and_none_makes_keys() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let boss = acme.owner_in_person();
    boss.post(PROGRAMS, &json!({"name": "Boss", "roles": ["owner"]})).expect(422);
    for (object, action) in
        [("host.api-key", "create"), ("host.service-account", "create"), ("host.service-account", "update")]
    {
        let row = json!({
            "subject": "role:manager", "object": object, "action": action, "scope": "org",
            "effect": "allow", "reason": "they integrate",
        });
        boss.post("/api/v1/policies", &row).created();
    }
    let strong = program(&boss, "Strong", "manager");
    let email = crate::door::person(&acme.owner(), &acme.anonymous(), "rita");
    let login = json!({"email": email, "password": crate::door::PASSWORD});
    let signed_in = || {
        let token = acme.anonymous().post("/api/v1/auth/login", &login).ok();
        acme.with_token(text(&token, "access_token"))
    };
    let rita = signed_in();
    let user = format!("/api/v1/users/{}", id(&rita.get("/api/v1/me").ok()));
    rita.post(KEYS, &json!({"name": "x", "role": "readonly"})).expect(403);
    boss.patch(&user, &json!({"roles": ["manager"]})).ok();
    rita.post(KEYS, &json!({"name": "x", "role": "owner"})).expect(403);
    rita.post(PROGRAMS, &json!({"name": "X", "roles": ["owner"]})).expect(422);
    rita.post(KEYS, &json!({"name": "x", "role": "manager"})).created();

    // E19: a key makes no keys, and changes people, programs and roles only when it was made for that.
    let plain = Key::new(&acme, &boss, &json!({"name": "plain", "role": "owner"}));
    let people = Key::new(&acme, &boss, &json!({"name": "people", "role": "owner", "administers": true}));
    let account = Key::new(&acme, &boss, &json!({"name": "service", "service_account": strong}));
    let eve = json!({"name": "Eve", "email": "eve@acme.example", "roles": ["rep"]});
    for key in [&plain, &account] {
        key.client.post("/api/v1/users", &eve).problem(403, "forbidden");
        key.client.patch(&user, &json!({"roles": ["rep"]})).problem(403, "forbidden");
        key.client.post(&format!("{user}/invitation"), &json!({})).problem(403, "forbidden");
        key.client.post(PROGRAMS, &json!({"name": "X", "roles": ["rep"]})).problem(403, "forbidden");
        key.client.post("/api/v1/roles", &json!({"name": "x", "label": "X"})).expect(403);
    }
    for key in [&plain, &people, &account] {
        key.client.post(KEYS, &json!({"name": "x", "role": "readonly"})).problem(403, "forbidden");
        key.client.post("/api/v1/me/password", &json!({"password": "x", "new_password": "y"})).expect(403);
        key.client.post("/api/v1/me/totp", &json!({"password": "x"})).expect(403);
    }
    people.client.post("/api/v1/users", &eve).created();
    let owner = json!({"name": "Eva", "email": "eva@acme.example", "roles": ["owner"]});
    people.client.post("/api/v1/users", &owner).problem(403, "forbidden");
}

#[test]
fn a_client_that_acts_as_a_program_administers_nobody() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let boss = acme.owner_in_person();
    let strong = program(&boss, "Strong", "manager");
    let row = json!({
        "subject": "role:manager", "object": "host.user", "action": "create", "scope": "org",
        "effect": "allow", "reason": "they hire",
    });
    boss.post("/api/v1/policies", &row).created();
    let client = json!({
        "name": "Robot", "kind": "service", "auth_method": "client_secret_post",
        "grants": ["client_credentials"], "scopes": ["host.user:create"], "service_account": strong,
    });
    let made = boss.post("/api/v1/clients", &client);
    assert_eq!(made.status(), 201, "{}", made.text());
    let made = made.json();
    let form = format!(
        "grant_type=client_credentials&scope=host.user:create&client_id={}&client_secret={}",
        id(&made["client"]),
        text(&made, "client_secret")
    );
    let asked = acme.anonymous();
    let asked =
        asked.call("POST", "/oauth/token").header("Content-Type", "application/x-www-form-urlencoded");
    let token = asked.body(form.as_bytes()).send();
    assert_eq!(token.status(), 200, "{}", token.text());
    let robot = acme.with_token(text(&token.json(), "access_token"));
    let eve = json!({"name": "Eve", "email": "eve@acme.example", "roles": ["rep"]});
    robot.post("/api/v1/users", &eve).problem(403, "forbidden");

    // Whoever gets its secret is the program, so it is not for those who are less.
    let row = json!({
        "subject": "role:rep", "object": "host.client", "action": "update", "scope": "org",
        "effect": "allow", "reason": "they look after clients",
    });
    boss.post("/api/v1/policies", &row).created();
    let rita = super::a_provider_is_swapped::person(&acme, "rita", &["rep"]);
    let path = format!("/api/v1/clients/{}", id(&made["client"]));
    rita.post(&format!("{path}/rotate-secret"), &json!({})).problem(403, "forbidden");
    rita.patch(&path, &json!({"name": "Mine"})).problem(403, "forbidden");
    boss.post(&format!("{path}/rotate-secret"), &json!({})).success();
}

#[test]
fn whoever_finds_a_key_has_it_revoked_by_showing_it() {
    let host = Host::start();
    let (acme, other) = (host.organization("acme", &[]), host.organization("other", &[]));
    let boss = acme.owner_in_person();
    let key = Key::new(&acme, &boss, &json!({"name": "leaked", "role": "rep"}));
    let report = |place: &Organization<'_>, secret: &str| {
        let answer = place.anonymous().post("/api/v1/security/leaked-secret", &json!({"secret": secret}));
        (answer.status(), answer.text())
    };
    let nothing = (204, String::new());
    let cut = &key.secret[..key.secret.len() - 1];
    for (place, secret) in [(&acme, cut), (&acme, "stoa_k1_"), (&acme, &key.id), (&other, &key.secret)] {
        assert_eq!(report(place, secret), nothing);
        key.client.get("/api/v1/me").ok();
    }
    assert_eq!(report(&acme, &key.secret), nothing);
    key.client.get("/api/v1/me").problem(401, "invalid_token");
    assert!(boss.get(&key.path()).ok()["revoked_at"].is_string());
    assert_eq!(report(&acme, &key.secret), nothing, "and once more");
}
