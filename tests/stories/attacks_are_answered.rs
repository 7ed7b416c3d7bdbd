//! Rows of the catalogue of attacks that no other story tells, against a served host; `docs/SECURITY.md` has the tables.

use std::time::Duration;

use serde_json::{Value, json};
use stoa_testkit::{Client, Host, Setup};
use stoa_tests::{count, id, text};

use super::a_program_signs_people_in::{code, exchange, form, member, phone, sign_in};
use super::a_request_is_hardened::raw;
use crate::door::{self, Door, PASSWORD, mails};
use crate::walk::Faults;
use crate::walk::call::{NOBODY, requests};
use crate::walk::document::Document;
use crate::walk::world::World;

const ACCOUNTS: &str = "/api/v1/crm/accounts";

#[test]
fn a13_no_header_names_another_organization() {
    let host = Host::start();
    let (acme, globex) = (host.organization("acme", &[]), host.organization("globex", &[]));
    globex.owner().post(ACCOUNTS, &json!({"name": "Theirs"})).created();
    for name in ["X-Tenant", "X-Tenant-Id", "X-Organization", "X-Organization-Id", "X-Forwarded-Prefix"] {
        for value in ["globex", "/t/globex"] {
            let own = acme.owner();
            let own = own.call("GET", ACCOUNTS).header(name, value).send().ok();
            assert_eq!(own["data"], json!([]), "{name}");
            let stranger = acme.with_token(globex.api_key());
            let stranger = stranger.call("GET", ACCOUNTS).header(name, value).send();
            stranger.problem(401, "invalid_token");
        }
    }
}

#[test]
fn a20_a_good_key_from_elsewhere_a_forged_and_a_foreign_one_get_the_same_bytes() {
    let host = Host::start();
    let (acme, globex) = (host.organization("acme", &[]), host.organization("globex", &[]));
    let made = |networks: &Value| {
        let key = json!({"name": "Sync", "role": "rep", "allowed_networks": networks});
        text(&acme.owner_in_person().post("/api/v1/api-keys", &key).created(), "secret").to_owned()
    };
    let (here, elsewhere) = (made(&json!(["127.0.0.0/8"])), made(&json!(["203.0.113.0/24"])));
    acme.with_token(&here).get("/api/v1/me").ok();
    let told = |bearer: &str| {
        let mut problem = acme.with_token(bearer).get("/api/v1/me").problem(401, "invalid_token");
        problem["request_id"] = Value::Null;
        problem
    };
    let forged = told("stoa_k1_0000_0000_0000");
    assert_eq!((told(&elsewhere), told(globex.api_key())), (forged.clone(), forged));
    // What is written into a header moves nobody.
    let client = acme.with_token(&elsewhere);
    let said = client.call("GET", "/api/v1/me").header("X-Forwarded-For", "203.0.113.9").send();
    said.problem(401, "invalid_token");
}

#[test]
fn b15_after_a_kill_an_old_refresh_token_still_ends_its_family() {
    let mut host = Host::start();
    let refresh = |door: &Client, client: &str, token: &str| {
        let said = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
        form(door, "/oauth/token", &said)
    };
    let (client, first, last, access) = {
        let acme = host.organization("acme", &[]);
        let (person, door) = (member(&acme), acme.anonymous());
        let client = phone(&acme, &person);
        let once = code(&door, &sign_in(&acme, &person), &client);
        let token = |answer: &Value| text(answer, "refresh_token").to_owned();
        let first = token(&exchange(&door, &client, &once).ok());
        let second = token(&refresh(&door, &client.id, &first).ok());
        let third = refresh(&door, &client.id, &second).ok();
        (client.id, first, token(&third), text(&third, "access_token").to_owned())
    };
    host.kill9();
    host.restart();
    let door = Client::new(host.address(), "/t/acme", None);
    for used in [&first, &last] {
        let answer = refresh(&door, &client, used);
        assert_eq!((answer.status(), &answer.json()["error"]), (400, &json!("invalid_grant")));
    }
    door.with_token(&access).get("/api/v1/me").problem(401, "invalid_token");
}

#[test]
fn c4_a_password_is_what_was_typed_letter_by_letter() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let (owner, open) = (acme.owner(), acme.anonymous());
    let user = json!({"name": "Ann", "email": "ann@acme.example", "roles": ["rep"]});
    let user = owner.post("/api/v1/users", &user).created();
    let made = owner.post(&format!("/api/v1/users/{}/invitation", id(&user)), &json!({})).created();
    let (_, token) = text(&made, "setup_url").split_once("#token=").unwrap();
    let set = |password: &str| {
        open.post("/api/v1/auth/setup", &json!({"token": token, "password": password})).status()
    };
    for (password, status) in [("x".repeat(129), 422), ("a\u{0} walk under a roof".to_owned(), 422)] {
        assert_eq!(set(&password), status, "{password:?}");
    }
    assert_eq!(set(&"x".repeat(1_100_000)), 413);
    let typed = "a caf\u{e9} under one roof ";
    assert!(matches!(set(typed), 200 | 204));
    // Two failures have no consequence, and a success forgets them.
    for others in [
        ["a cafe\u{301} under one roof ", "a caf\u{e9} under one roof"],
        ["a cafe under one roof ", "A caf\u{e9} under one roof "],
    ] {
        for other in others {
            Door::new(acme.anonymous()).say("ann@acme.example", other).problem(401, "invalid_credentials");
        }
        let mut entered = Door::new(acme.anonymous());
        entered.say("ann@acme.example", typed).ok();
    }
}

#[test]
fn c5_two_hundred_logins_at_once_are_bounded_and_others_are_served() {
    let host = Setup::default().environment("STOA_RATE_STRANGER", "100000:100000").start();
    let acme = host.organization("acme", &[]);
    let (owner, open) = (acme.owner(), acme.anonymous());
    let answers: Vec<(u16, bool)> = std::thread::scope(|threads| {
        let guess = |at: u32| {
            let body = json!({"email": format!("nobody{at}@acme.example"), "password": PASSWORD});
            let answer = open.post("/api/v1/auth/login", &body);
            (answer.status(), answer.header("retry-after").is_some())
        };
        let all: Vec<_> = (0..200).map(|at| threads.spawn(move || guess(at))).collect();
        for _ in 0..20 {
            owner.get("/api/v1/me").ok();
        }
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    for (status, waits) in &answers {
        assert!(matches!((status, waits), (401, _) | (429 | 503, true)), "{answers:?}");
    }
    assert!(answers.iter().any(|(status, _)| *status == 503), "{answers:?}");
    owner.get("/api/v1/me").ok();
}

#[test]
fn c11_a_link_in_a_mail_leads_where_the_operator_said_whatever_the_host_header_says() {
    let host = Setup::default().environment("STOA_PUBLIC_URL", "https://crm.test").start();
    let acme = host.organization("acme", &[]);
    let email = door::person(&acme.owner(), &acme.anonymous(), "ann");
    let body = json!({"email": email}).to_string();
    for poison in ["", "X-Forwarded-Host: evil.example\r\n", "Forwarded: host=evil.example;proto=http\r\n"] {
        let head = format!(
            "POST /t/acme/api/v1/auth/reset HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n{poison}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = raw(&host, head.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 202 ") || answer.starts_with("HTTP/1.1 421 "), "{answer}");
    }
    acme.anonymous().post("/api/v1/auth/reset", &json!({"email": email})).accepted();
    let sent = mails(&host, "A new password");
    assert!(!sent.is_empty());
    for mail in sent {
        let link = "https://crm.test/t/acme/auth/reset#token=";
        assert!(mail.contains(link) && !mail.contains("evil"), "{mail}");
    }
}

#[test]
fn c15_an_invitation_says_itself_whom_it_is_for() {
    let host = Host::start();
    let (acme, globex) = (host.organization("acme", &[]), host.organization("globex", &[]));
    let owner = acme.owner();
    let user = json!({"name": "Ann", "email": "ann@acme.example", "roles": ["rep"]});
    let user = owner.post("/api/v1/users", &user).created();
    let made = owner.post(&format!("/api/v1/users/{}/invitation", id(&user)), &json!({})).created();
    let (_, token) = text(&made, "setup_url").split_once("#token=").unwrap();
    let good = json!({"token": token, "password": PASSWORD});
    for (member, value) in [
        ("email", json!("mallory@acme.example")),
        ("roles", json!(["owner"])),
        ("organization", json!("globex")),
        ("user", json!(NOBODY)),
    ] {
        let mut edited = good.clone();
        edited[member] = value;
        acme.anonymous().post("/api/v1/auth/setup", &edited).problem(422, "validation_failed");
    }
    globex.anonymous().post("/api/v1/auth/setup", &good).problem(401, "invalid_setup_token");
    let other = format!("{}{}", if token.starts_with('A') { 'B' } else { 'A' }, &token[1..]);
    let edited = json!({"token": other, "password": PASSWORD});
    acme.anonymous().post("/api/v1/auth/setup", &edited).problem(401, "invalid_setup_token");
    acme.anonymous().post("/api/v1/auth/setup", &good).success();
    let ann = owner.get(&format!("/api/v1/users/{}", id(&user))).ok();
    assert_eq!((&ann["email"], &ann["roles"]), (&json!("ann@acme.example"), &json!(["rep"])));
}

/// The address with nobody's id in the place of every id.
fn of_nobody(path: &str) -> Option<String> {
    let is_id = |part: &str| part.len() == 36 && part.matches('-').count() == 4;
    let parts = path.split('/').map(|part| if is_id(part) { NOBODY } else { part });
    let other = parts.collect::<Vec<_>>().join("/");
    (other != path).then_some(other)
}

/// What is another organization's is answered like what does not exist, by every operation that takes an id.
#[test]
fn e1_no_operation_tells_a_foreign_id_from_one_of_nothing() {
    let host = Host::start();
    let (acme, other) = (host.organization("acme", &["sales"]), host.organization("other", &["sales"]));
    let document = Document::new(acme.owner().get("/openapi.json").ok());
    let world = World::new(&document, acme.owner());
    let (intruder, faults, mut walked) = (other.owner(), Faults::default(), 0);
    for operation in document.operations() {
        if operation.spec["security"].as_array().is_some_and(Vec::is_empty) {
            continue;
        }
        let Some(request) = requests(&world, &operation).into_iter().next() else { continue };
        let Some(path) = of_nobody(&request.path) else { continue };
        let foreign = request.send_as(&intruder);
        let mut nothing = request.clone();
        nothing.path = path;
        let nothing = nothing.send_as(&intruder);
        let told = |answer: &stoa_testkit::Answer| (answer.status(), answer.json()["code"].clone());
        if told(&foreign) != told(&nothing) || !(400..500).contains(&foreign.status()) {
            let (name, foreign, nothing) = (operation.name(), foreign.text(), nothing.text());
            faults.add(format!("{name}: {foreign} and {nothing}"));
        }
        walked += 1;
    }
    faults.none();
    assert!(walked > 100, "{walked}");
}

#[test]
fn e2_a_request_is_about_one_record_however_often_it_names_others() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let made = |name: &str| id(&owner.post(ACCOUNTS, &json!({"name": name})).created()).to_owned();
    let (one, other) = (made("One"), made("Other"));
    let path = format!("{ACCOUNTS}/{one}");
    for query in [format!("id={other}"), format!("id={one}&id={other}"), "record=x".to_owned()] {
        let refused = owner.patch(&format!("{path}?{query}"), &json!({"name": "Stolen"}));
        assert_eq!(refused.status(), 400, "{query}: {}", refused.text());
    }
    owner.patch(&path, &json!({"id": other, "name": "Stolen"})).problem(422, "validation_failed");
    owner.patch(&format!("{path}/../{other}"), &json!({"name": "Stolen"})).expect(404);
    let names = owner.all(ACCOUNTS).iter().map(|one| text(one, "name").to_owned()).collect::<Vec<_>>();
    assert_eq!(names.len(), 2);
    assert!(!names.contains(&"Stolen".to_owned()));
}

#[test]
fn e9_a_job_and_its_report_are_its_makers() {
    let host = Host::start();
    let (acme, globex) = (host.organization("acme", &[]), host.organization("globex", &[]));
    let (one, other) = (acme.key("manager"), acme.key("manager"));
    let spec = json!({"entity": "crm.account", "mode": "create", "mapping": {"name": {"column": "name"}}});
    let path = one.import(&spec, b"name\nInitech\n\"\"\n");
    one.finished(&path, Duration::from_secs(60));
    one.get(&format!("{path}/errors")).expect(200);
    for stranger in [&other, &globex.owner(), &acme.key("rep")] {
        stranger.get(&path).problem(404, "job_not_found");
        stranger.get(&format!("{path}/errors")).problem(404, "job_not_found");
        let cancelled = stranger.post(&format!("{path}/cancel"), &json!({}));
        assert!(matches!(cancelled.status(), 403 | 404), "{}", cancelled.text());
        assert_eq!(stranger.get("/api/v1/jobs").ok()["data"], json!([]));
    }
}

#[test]
fn e22_organizations_with_names_alike_share_neither_records_nor_policies() {
    let host = Host::start();
    let all = ["acme", "acme-b", "acmeb", "acm"].map(|slug| host.organization(slug, &[]));
    let row = json!({
        "subject": "role:rep", "object": "crm.account", "action": "read", "scope": "org", "effect": "deny",
        "reason": "here only",
    });
    all[0].owner().post("/api/v1/policies", &row).created();
    all[0].owner().post(ACCOUNTS, &json!({"name": "Initech"})).created();
    all[0].key("rep").get(ACCOUNTS).expect(403);
    for other in &all[1..] {
        assert_eq!(count(&other.key("rep"), ACCOUNTS), 0, "{}", other.slug());
        assert_eq!(other.owner().get("/api/v1/policies").ok()["data"], json!([]), "{}", other.slug());
        other.with_token(all[0].api_key()).get(ACCOUNTS).problem(401, "invalid_token");
    }
}

#[test]
fn f8_no_letter_reorders_others_and_every_spelling_finds_the_same() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    for sign in ['\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}', '\u{feff}'] {
        let name = format!("Initech{sign}gpj.exe");
        owner.post(ACCOUNTS, &json!({"name": name})).problem(422, "validation_failed");
    }
    for (name, found) in [("Cafe\u{301} One", "caf%C3%A9"), ("Caf\u{e9} Two", "cafe%CC%81")] {
        assert_eq!(owner.post(ACCOUNTS, &json!({"name": name})).created()["name"], name);
        assert_eq!(
            owner.all(&format!("{ACCOUNTS}?name[contains]={found}")).len(),
            count_of(&owner),
            "{name}"
        );
    }
}

/// How many records there are.
fn count_of(owner: &Client) -> usize {
    owner.all(ACCOUNTS).len()
}

/// Whether a file below the folder holds one of these.
fn holds(folder: &std::path::Path, canaries: &[(&str, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holds(&path, canaries));
        } else if let Ok(bytes) = std::fs::read(&path) {
            let has = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
            let names = canaries.iter().filter(|(_, text)| has(text)).map(|(name, _)| *name);
            found.extend(names.map(|name| format!("{name} in {}", path.display())));
        }
    }
    found
}

#[test]
fn k12_no_secret_stands_in_files_logs_metrics_or_what_commands_print() {
    let host = Setup::default().environment("STOA_LOG", "debug").start();
    let acme = host.organization("acme", &[]);
    let email = door::person(&acme.owner(), &acme.anonymous(), "ann");
    let mut entered = Door::new(acme.anonymous());
    entered.say(&email, PASSWORD).ok();
    let login = entered.cookie().to_owned();
    let (session, access) = entered.complete();
    let ann = acme.with_token(&access);
    let totp = ann.post("/api/v1/me/totp", &json!({"password": PASSWORD})).ok();
    let person = member(&acme);
    let (client, door) = (phone(&acme, &person), acme.anonymous());
    let once = code(&door, &sign_in(&acme, &person), &client);
    let tokens = exchange(&door, &client, &once).ok();
    let wrong = "a wrong walk under 7 roofs";
    Door::new(acme.anonymous()).say(&email, wrong).problem(401, "invalid_credentials");
    let canaries = [
        ("password", PASSWORD.to_owned()),
        ("wrong password", wrong.to_owned()),
        ("key", acme.api_key().to_owned()),
        ("login", login),
        ("session", session),
        ("access token", access),
        ("app", text(&totp, "secret").to_owned()),
        ("code", once),
        ("refresh token", text(&tokens, "refresh_token").to_owned()),
    ];
    let printed = host.cli(&["doctor"]);
    let said = [
        ("log", host.log()),
        ("metrics", host.operations().get("/metrics").text()),
        ("doctor", format!("{}{}", printed.stdout, printed.stderr)),
        ("account", ann.get("/api/v1/me/profile").text()),
        ("keys", acme.owner().get("/api/v1/api-keys").text()),
    ];
    for (name, canary) in &canaries {
        for (place, text) in &said {
            assert!(!text.contains(canary.as_str()), "{name} in {place}");
        }
    }
    assert!(!holds(&host.data(), &[("address", email)]).is_empty(), "the search finds what is there");
    let found = holds(&host.data(), &canaries);
    assert!(found.is_empty(), "{found:?}");
}
