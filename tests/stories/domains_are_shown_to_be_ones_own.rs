//! An organization shows that a domain is its own: it writes a challenge into the DNS, and who runs the installation says what they
//! saw there. Only then an address of it links somebody from elsewhere, and only as the other rules allow.

use serde_json::{Value, json};
use stoa_testkit::{Host, encode};
use stoa_tests::{id, text};

use crate::door::person;
use crate::elsewhere::{Elsewhere, PROVIDERS, host, refused, signed_in, visit};
use crate::staff::{Staff, claim};

const DOMAINS: &str = "/api/v1/domains";

/// The address of an organization's domains on the platform's listener.
fn domains_of(staff: &Staff, slug: &str) -> String {
    let all = staff.client.all("/admin/v1/organizations");
    let found = all.iter().find(|one| one["slug"] == slug).unwrap();
    format!("/admin/v1/organizations/{}/domains", id(found))
}

/// Says what was seen in the DNS.
fn saw(staff: &Staff, domains: &str, domain: &str, record: &str) -> stoa_testkit::Answer {
    staff.client.post(&format!("{domains}/{domain}/verify"), &json!({ "record": record }))
}

fn started() -> (Host, Elsewhere) {
    (host(), Elsewhere::lying())
}

/// What the provider says of the boss of acme, under this subject there.
fn boss(subject: &str, verified: &Value) -> Value {
    json!({ "claims": { "sub": subject, "email": "Boss@ACME.example", "email_verified": verified, "name": "Boss" } })
}

#[test]
fn a_domain_is_verified_by_who_wrote_the_record_and_who_saw_it() {
    let host = Host::start();
    let staff = claim(&host);
    let (acme, globex) = (host.organization("acme", &[]), host.organization("globex", &[]));
    let (owner, other) = (acme.owner_in_person(), globex.owner_in_person());
    let answer = owner.post(DOMAINS, &json!({ "domain": "Acme.EXAMPLE" }));
    let added = answer.created();
    assert!(answer.header("location").unwrap().ends_with("/api/v1/domains/acme.example"));
    assert_eq!((&added["domain"], &added["status"]), (&json!("acme.example"), &json!("pending")));
    assert_eq!(added["record_name"], "_stoa-challenge.acme.example");
    let record = text(&added, "record_value");
    assert!(record.starts_with("stoa-domain-verification=") && record.len() > 60, "{record}");
    owner.post(DOMAINS, &json!({ "domain": "acme.example" })).problem(409, "taken");
    for bad in ["localhost", "*.acme.example", "ann@acme.example", "b\u{fc}cher.example", "acme.example/x"] {
        owner.post(DOMAINS, &json!({ "domain": bad })).problem(422, "validation_failed");
    }
    owner.get(&format!("{DOMAINS}/other.example")).problem(404, "domain_not_found");
    other.get(&format!("{DOMAINS}/acme.example")).problem(404, "domain_not_found");
    // A key that was not made for it does not arrange who comes in.
    let key = json!({ "name": "k", "role": "owner" });
    let key = owner.post("/api/v1/api-keys", &key).created();
    let program = acme.with_token(text(&key, "secret"));
    program.post(DOMAINS, &json!({ "domain": "b.example" })).problem(403, "forbidden");

    // Those who run the installation are not told what they must find.
    let domains = domains_of(&staff, "acme");
    let listed = staff.client.get(&domains);
    assert_eq!(listed.ok()["data"][0]["record_name"], "_stoa-challenge.acme.example");
    assert!(!listed.text().contains(record));
    for wrong in ["x", "stoa-domain-verification=", &record[..record.len() - 1], &record.to_lowercase()] {
        saw(&staff, &domains, "acme.example", wrong).problem(422, "validation_failed");
    }
    saw(&staff, &domains, "other.example", record).problem(404, "domain_not_found");
    assert_eq!(owner.get(&format!("{DOMAINS}/acme.example")).ok()["status"], "pending");
    for _ in 0..2 {
        let seen = saw(&staff, &domains, "acme.example", &format!("\"{record}\"")).ok();
        assert_eq!((&seen["status"], seen["verified_at"].is_string()), (&json!("verified"), true));
    }
    assert_eq!(owner.get(DOMAINS).ok()["data"][0]["status"], "verified");
    let events = staff.client.get("/admin/v1/security/events?action=verify_organization_domain").ok();
    assert_eq!(events["data"][0]["admin_id"], staff.id.as_str());

    // One organization's at most: another one may only ask.
    let asked = other.post(DOMAINS, &json!({ "domain": "acme.example" })).created();
    let theirs = domains_of(&staff, "globex");
    saw(&staff, &theirs, "acme.example", record).problem(422, "validation_failed");
    let record = text(&asked, "record_value");
    saw(&staff, &theirs, "acme.example", record).problem(409, "domain_taken");
    owner.delete(&format!("{DOMAINS}/acme.example")).expect(204);
    owner.delete(&format!("{DOMAINS}/acme.example")).problem(404, "domain_not_found");
    assert_eq!(saw(&staff, &theirs, "acme.example", record).ok()["status"], "verified");
    // Added anew it is to be shown anew, with another record, and is the other's now.
    let again = owner.post(DOMAINS, &json!({ "domain": "acme.example" })).created();
    assert_eq!(again["status"], "pending");
    saw(&staff, &domains, "acme.example", text(&again, "record_value")).problem(409, "domain_taken");
}

#[test]
fn b28_an_address_links_only_in_a_verified_domain_by_an_authoritative_provider_that_verified_it() {
    let (host, elsewhere) = started();
    let staff = claim(&host);
    let acme = host.organization("acme", &[]);
    let owner = acme.owner_in_person();
    person(&owner, &acme.anonymous(), "boss");
    let trusted = json!({ "authoritative": true, "provisions": false });
    let provider = elsewhere.arranged(&owner, &trusted);
    let other = elsewhere.arranged(&owner, &json!({ "name": "Other", "provisions": false }));
    let added = owner.post(DOMAINS, &json!({ "domain": "acme.example" })).created();
    // Not verified yet.
    elsewhere.lie(&boss("boss-1", &json!(true)));
    refused(&visit(&acme, &elsewhere, &provider).0);
    saw(&staff, &domains_of(&staff, "acme"), "acme.example", text(&added, "record_value")).ok();
    // Of a provider that is not authoritative; not verified by the provider; of a domain below.
    refused(&visit(&acme, &elsewhere, &other).0);
    for unverified in [json!(false), json!("true"), Value::Null] {
        elsewhere.lie(&boss("boss-1", &unverified));
        refused(&visit(&acme, &elsewhere, &provider).0);
    }
    let below = json!({ "name": "Below", "email": "boss@mail.acme.example", "roles": ["rep"] });
    owner.post("/api/v1/users", &below).created();
    elsewhere.lie(&json!({ "claims": { "sub": "below", "email": "boss@mail.acme.example" } }));
    refused(&visit(&acme, &elsewhere, &provider).0);

    elsewhere.lie(&boss("boss-1", &json!(true)));
    let (linked, _) = signed_in(&acme, &elsewhere, &provider);
    assert_eq!(linked.get("/api/v1/me/profile").ok()["email"], "boss@acme.example");
    // The subject is who it is from now on, whatever becomes of the domain; nobody new is linked without it.
    owner.delete(&format!("{DOMAINS}/acme.example")).expect(204);
    elsewhere.lie(&json!({ "claims": { "sub": "boss-1", "email": "somebody@else.example" } }));
    let (again, _) = signed_in(&acme, &elsewhere, &provider);
    assert_eq!(again.get("/api/v1/me/profile").ok()["email"], "boss@acme.example");
    elsewhere.lie(&boss("boss-2", &json!(true)));
    refused(&visit(&acme, &elsewhere, &provider).0);
}

#[test]
fn the_owner_of_a_verified_domain_comes_from_the_certified_provider() {
    let (host, elsewhere) = (host(), Elsewhere::real());
    let staff = claim(&host);
    let acme = host.organization("acme", &[]);
    let owner = acme.owner_in_person();
    let email = person(&owner, &acme.anonymous(), "boss");
    let provider = elsewhere.arranged(&owner, &json!({ "authoritative": true }));
    elsewhere.tell(&format!("/redirects?to={}", encode(text(&provider, "callback_url"))));
    elsewhere.tell("/become/boss");
    let added = owner.post(DOMAINS, &json!({ "domain": "acme.example" })).created();
    refused(&visit(&acme, &elsewhere, &provider).0);
    saw(&staff, &domains_of(&staff, "acme"), "acme.example", text(&added, "record_value")).ok();
    let (boss, _) = signed_in(&acme, &elsewhere, &provider);
    assert_eq!(boss.get("/api/v1/me/profile").ok()["email"], email);
    owner.patch(&format!("{PROVIDERS}/{}", id(&provider)), &json!({ "status": "disabled" })).ok();
    let door = acme.anonymous().post("/api/v1/auth/federation", &json!({ "provider": id(&provider) }));
    door.problem(401, "federation_refused");
}
