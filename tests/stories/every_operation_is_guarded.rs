//! Every operation of the OpenAPI document, asked by those who must not have it: nobody, somebody of another organization,
//! a person whom no role grants anything, an organization without the module. An operation that this file does not know to
//! be for everybody must refuse all of them: a new one that forgets to ask fails here.

use std::collections::BTreeSet;

use serde_json::json;
use stoa_testkit::{Answer, Client, Host, Organization};
use stoa_tests::{id, text};

use crate::walk::Faults;
use crate::walk::call::{Request, requests};
use crate::walk::document::{Document, Operation};
use crate::walk::world::World;

/// Operations that need no token, each for its reason.
const OPEN: [&str; 22] = [
    // The ways in by another issuer.
    "get /api/v1/auth/federation",
    "post /api/v1/auth/federation",
    "post /api/v1/auth/federation/token",
    // Whoever holds a secret may end it.
    "post /api/v1/security/leaked-secret",
    // Getting in.
    "post /api/v1/auth/login",
    "post /api/v1/auth/setup",
    "post /api/v1/auth/logout",
    "post /api/v1/auth/transactions",
    "get /api/v1/auth/transactions",
    "post /api/v1/auth/transactions/identify",
    "post /api/v1/auth/transactions/password",
    "post /api/v1/auth/transactions/federated",
    "post /api/v1/auth/transactions/totp",
    "post /api/v1/auth/transactions/recovery",
    "post /api/v1/auth/transactions/enrol",
    "post /api/v1/auth/transactions/enrol/confirm",
    "post /api/v1/auth/transactions/complete",
    "post /api/v1/auth/reset",
    "post /api/v1/auth/reset/confirm",
    "post /api/v1/auth/email/confirm",
    "post /api/v1/auth/email/undo",
    // Its link is signed.
    "get /api/v1/files/{id}/content",
];

/// Operations on what is the caller's own, or of no account without further rights: a person whom nothing is granted has
/// them, and sees nothing of others with them.
const OWN: [&str; 28] = [
    "get /api/v1/modules",
    "post /api/v1/identity-providers/{id}/link",
    "get /api/v1/authz/me",
    "post /api/v1/authz/check",
    "get /api/v1/me/consents",
    "get /api/v1/me",
    "get /api/v1/me/profile",
    "get /api/v1/me/sessions",
    "get /api/v1/me/sign-ins",
    "post /api/v1/me/sessions/end",
    "post /api/v1/me/password",
    "post /api/v1/me/password/strength",
    "post /api/v1/me/email",
    "post /api/v1/me/totp",
    "post /api/v1/me/totp/confirm",
    "post /api/v1/me/totp/remove",
    "post /api/v1/me/recovery-codes",
    "get /api/v1/organization",
    "get /api/v1/organization/limits",
    "get /api/v1/search",
    "get /api/v1/jobs",
    "get /api/v1/exports",
    "get /api/v1/merges",
    "get /api/v1/duplicates/sets",
    "get /api/v1/imports/mappings",
    "post /api/v1/imports/mappings",
    "get /api/v1/views",
    "post /api/v1/views",
];

/// Operations for which the walk knows no request of the right shape: they are refused for that before anybody's rights are
/// looked at, and their own stories show who may not.
const UNMADE: [&str; 16] = [
    "patch /api/v1/configuration/draft/entities/{object}",
    "patch /api/v1/configuration/draft/entities/{object}/fields/{key}",
    "patch /api/v1/configuration/draft/entities/{object}/rules/{key}",
    "patch /api/v1/configuration/draft/objects/{key}",
    "patch /api/v1/configuration/draft/option-sets/{key}",
    "post /api/v1/configuration/draft/entities/{object}/fields",
    "post /api/v1/configuration/draft/entities/{object}/rules",
    "post /api/v1/configuration/draft/objects",
    "post /api/v1/configuration/draft/option-sets",
    "put /api/v1/configuration/draft",
    "post /api/v1/duplicates/jobs",
    "post /api/v1/identity-providers",
    "post /api/v1/imports",
    "post /api/v1/roles",
    "post /api/v1/service-accounts",
    "put /api/v1/imports/mappings/{id}",
];

/// A person of the organization with these roles, logged in.
fn person(host: &Host, owner: &Client, slug: &str, name: &str, roles: &[&str]) -> Client {
    let email = format!("{name}@{slug}.example");
    let user = owner.post("/api/v1/users", &json!({"name": name, "email": email, "roles": roles})).created();
    let invitation = owner.post(&format!("/api/v1/users/{}/invitation", id(&user)), &json!({})).created();
    let (_, token) = text(&invitation, "setup_url").split_once("#token=").unwrap();
    let (door, password) =
        (Client::new(host.address(), &format!("/t/{slug}"), None), "a walk under one roof");
    door.post("/api/v1/auth/setup", &json!({"token": token, "password": password})).success();
    let session = door.post("/api/v1/auth/login", &json!({"email": email, "password": password})).ok();
    door.with_token(text(&session, "access_token"))
}

fn is_open(operation: &Operation<'_>) -> bool {
    operation.spec["security"].as_array().is_some_and(Vec::is_empty)
}

fn told(answer: &Answer) -> String {
    answer.text().chars().take(160).collect()
}

/// Walks every guarded operation of `acme` with a request that its owner could make.
fn walk(acme: &Organization<'_>, mut look: impl FnMut(&Operation<'_>, &Request)) {
    let document = Document::new(acme.owner().get("/openapi.json").ok());
    let world = World::new(&document, acme.owner());
    for operation in document.operations().into_iter().filter(|operation| !is_open(operation)) {
        // An operation whose examples need more than the document tells is asked with nothing: it must refuse the same.
        for request in requests(&world, &operation).into_iter().take(1) {
            look(&operation, &request);
        }
    }
}

#[test]
fn what_is_open_is_known() {
    let host = Host::start();
    let document = Document::new(host.organization("acme", &["sales"]).owner().get("/openapi.json").ok());
    let open: BTreeSet<String> =
        document.operations().iter().filter(|operation| is_open(operation)).map(Operation::name).collect();
    assert_eq!(open, OPEN.into_iter().map(str::to_owned).collect());
}

#[test]
fn nobody_and_strangers_have_none_of_them() {
    let host = Host::start();
    let (acme, other) = (host.organization("acme", &["sales"]), host.organization("other", &["sales"]));
    let stranger = acme.with_token(other.owner_in_person().token().unwrap_or_default());
    let (faults, mut walked) = (Faults::default(), 0);
    walk(&acme, |operation, request| {
        let callers = [
            ("nobody", acme.anonymous()),
            ("a stranger", stranger.clone()),
            ("a stranger's key", acme.with_token(other.api_key())),
        ];
        for (who, client) in callers {
            let answer = request.send_as(&client);
            if answer.status() != 401 {
                faults.add(format!("{}: {who} got {} {}", operation.name(), answer.status(), told(&answer)));
            }
        }
        walked += 1;
    });
    faults.none();
    assert!(walked > 200, "{walked}");
}

#[test]
fn a_person_without_a_grant_has_only_what_is_their_own() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner_in_person();
    owner.post("/api/v1/roles", &json!({"name": "bystander", "label": "Bystander"})).success();
    let nobody = person(&host, &owner, "acme", "nemo", &["bystander"]);
    let (faults, mut seen) = (Faults::default(), BTreeSet::new());
    walk(&acme, |operation, request| {
        let (name, answer) = (operation.name(), request.send_as(&nobody));
        let shown = answer.json();
        let refused = match answer.status() {
            403 | 404 => true,
            400 | 415 | 422 => UNMADE.contains(&name.as_str()),
            // Each of many is judged by itself.
            200 if name.ends_with("/bulk") => {
                ["created", "updated", "deleted"].iter().all(|done| shown[*done] == 0)
            }
            _ => false,
        };
        if OWN.contains(&name.as_str()) {
            seen.insert(name.clone());
        } else if !refused {
            faults.add(format!("{name}: {} {}", answer.status(), told(&answer)));
        }
        if answer.status() >= 500 || shown["code"] == "invalid_token" {
            faults.add(format!("{name}: {} {}", answer.status(), told(&answer)));
        }
        // What is installed is no secret of the organization's, and how they got in themselves none of others.
        let harmless = ["get /api/v1/modules", "get /api/v1/me/sign-ins"].contains(&name.as_str());
        let lists = answer.status() == 200 && !harmless;
        if lists && shown["data"].as_array().is_some_and(|rows| !rows.is_empty()) {
            faults.add(format!("{name} shows something: {}", told(&answer)));
        }
    });
    for known in OWN.iter().filter(|known| !seen.contains(**known)) {
        faults.add(format!("{known} is no operation any more"));
    }
    faults.none();
}

#[test]
fn an_organization_without_the_module_has_none_of_its_operations() {
    let host = Host::start();
    let (acme, small) = (host.organization("acme", &["sales"]), host.organization("small", &[]));
    let (owner, faults, mut walked) = (small.owner(), Faults::default(), 0);
    walk(&acme, |operation, request| {
        if !operation.path.starts_with("/api/v1/sales/") {
            return;
        }
        let answer = request.send_as(&owner);
        if answer.status() != 403 || answer.json()["code"] != "license_required" {
            faults.add(format!("{}: {} {}", operation.name(), answer.status(), told(&answer)));
        }
        walked += 1;
    });
    faults.none();
    assert!(walked > 100, "{walked}");
}
