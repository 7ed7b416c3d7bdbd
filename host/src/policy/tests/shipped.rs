//! The decisions that `policies/roles.csv` must produce.

use super::*;
use crate::caller::{Caller, Source};
use crate::ids::RequestId;
use crate::policy::{ACTIONS, Candidate, FieldUse, Label, Policy};

const HOST: [(&str, &[&str]); 17] = [
    ("host.user", &["read", "create", "update", "delete"]),
    ("host.team", &["read", "create", "update", "delete"]),
    ("host.api-key", &["read", "create", "update", "delete"]),
    ("host.client", &["read", "create", "update", "delete"]),
    ("host.signing-key", &["read", "update"]),
    ("host.service-account", &["read", "create", "update"]),
    ("host.identity-provider", &["read", "create", "update", "delete"]),
    ("host.session", &["read", "delete"]),
    ("host.import", &["read", "create", "update", "delete"]),
    ("host.export", &["read"]),
    ("host.job", &["read", "create", "update", "delete"]),
    ("host.organization", &["read", "update"]),
    ("host.module", &["read", "update"]),
    ("host.view", &["manage"]),
    ("host.policy", &["read", "update"]),
    ("host.authz", &["read"]),
    ("host.configuration", &["read", "update", "publish"]),
];

fn proposed() -> Vec<Grant> {
    vec![
        grant("rep", "garden.tree", "read", Scope::Own, Effect::Allow),
        grant("rep", "garden.tree", "prune", Scope::Own, Effect::Allow),
        grant("manager", "garden.tree", "read", Scope::Team, Effect::Allow),
    ]
}

/// What every role may do with every object and action, as one comparable value.
fn table(index: &PolicyIndex) -> Vec<(String, String, String, Decision)> {
    let mut table = Vec::new();
    for role in ["owner", "manager", "rep", "readonly"] {
        for object in HOST.iter().map(|(object, _)| *object).chain(["garden.tree"]) {
            for action in ACTIONS.into_iter().chain(["prune"]) {
                let decision = index.decide(&with(&[role]), object, action);
                table.push((role.to_owned(), object.to_owned(), action.to_owned(), decision));
            }
        }
    }
    // What the rows on fields decide, in the same words.
    for by in [FieldUse::Read, FieldUse::Write] {
        let open = index.allows_field(&with(&["owner"]), "garden.tree", "salary", Label::Restricted, by);
        let decision = if open { scope(&[Scope::Org], &[]) } else { Decision::NEVER };
        table.push((
            "owner".to_owned(),
            "garden.tree#@restricted".to_owned(),
            by.action().to_owned(),
            decision,
        ));
    }
    table
}

#[tokio::test]
async fn the_owner_may_do_everything_that_the_host_offers_and_plugins_name() {
    let index = compile(SHIPPED, &proposed()).await.unwrap();
    for (object, actions) in HOST {
        for action in ACTIONS {
            let decision = index.decide(&with(&["owner"]), object, action);
            assert_eq!(decision.always(), actions.contains(&action), "{object} {action}");
        }
    }
    for action in ACTIONS.into_iter().chain(["prune"]) {
        assert!(index.decide(&with(&["owner"]), "garden.tree", action).always(), "{action}");
    }
    assert!(index.decide(&with(&["owner"]), "garden.tree", "burn").never(), "no row speaks of this verb");
}

#[tokio::test]
async fn the_other_roles_may_do_what_is_written_and_nothing_else() {
    let index = compile(SHIPPED, &proposed()).await.unwrap();
    let org = scope(&[Scope::Org], &[]);
    let own = scope(&[Scope::Own], &[]);
    let expected = [
        ("manager", "host.user", "read", org.clone()),
        ("manager", "host.team", "read", org.clone()),
        ("manager", "host.import", "read", own.clone()),
        ("manager", "host.import", "create", org.clone()),
        ("manager", "host.export", "read", own.clone()),
        ("manager", "host.job", "read", own.clone()),
        ("manager", "host.view", "manage", org.clone()),
        ("manager", "host.configuration", "read", org.clone()),
        ("manager", "garden.tree", "read", scope(&[Scope::Team], &[])),
        ("rep", "host.user", "read", org.clone()),
        ("rep", "host.team", "read", org.clone()),
        ("rep", "host.job", "read", own.clone()),
        ("rep", "host.configuration", "read", org.clone()),
        ("rep", "garden.tree", "read", own.clone()),
        ("rep", "garden.tree", "prune", own.clone()),
        ("readonly", "host.user", "read", org.clone()),
        ("readonly", "host.team", "read", org.clone()),
        ("readonly", "host.configuration", "read", org.clone()),
    ];
    for (role, object, action, decision) in table(&index) {
        if role != "owner" {
            let row = expected.iter().find(|row| (row.0, row.1, row.2) == (&*role, &*object, &*action));
            assert_eq!(
                decision,
                row.map_or(Decision::NEVER, |row| row.3.clone()),
                "{role} {object} {action}"
            );
        }
    }
}

#[tokio::test]
async fn deleting_any_shipped_row_changes_a_decision() {
    let whole = table(&compile(SHIPPED, &proposed()).await.unwrap());
    let lines: Vec<&str> = SHIPPED.lines().collect();
    for (position, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("p,")) {
        let mut fewer = lines.clone();
        fewer.remove(position);
        let table = table(&compile(&fewer.join("\n"), &proposed()).await.unwrap());
        assert_ne!(table, whole, "nobody would notice the loss of line {}: {line}", position + 1);
    }
}

#[tokio::test]
async fn a_plugin_can_propose_but_not_take() {
    let taking = [
        grant("rep", "host.user", "delete", Scope::Org, Effect::Allow),
        grant("owner", "garden.tree", "read", Scope::Own, Effect::Deny),
        grant("rep", "*", "read", Scope::Org, Effect::Allow),
        grant("rep", "garden.tree", "*", Scope::Org, Effect::Allow),
    ];
    for one in taking {
        let refused = Policy::new().load(OrganizationId::new(), std::slice::from_ref(&one)).await;
        assert!(matches!(refused, Err(PolicyError::Invalid(_))), "{one:?}");
    }
}

#[tokio::test]
async fn before_a_policy_is_loaded_everything_is_denied() {
    let policy = Policy::new();
    let caller = Caller {
        organization: OrganizationId::new(),
        principal: Arc::new(principal(PrincipalId::new(), &["owner"], &[])),
        request: RequestId::new(),
        source: Source::Api,
    };
    assert!(policy.decide(&caller, "host.user", "read").never());
    assert!(policy.index(caller.organization).is_none());

    policy.load(caller.organization, &[]).await.unwrap();
    assert!(policy.decide(&caller, "host.user", "read").always());
    let elsewhere = Caller { organization: OrganizationId::new(), ..caller };
    assert!(policy.decide(&elsewhere, "host.user", "read").never(), "a policy is one organization's");
}

#[tokio::test]
async fn a_decision_can_be_traced_to_its_lines() {
    let policy = Policy::new();
    let organization = OrganizationId::new();
    policy.load(organization, &proposed()).await.unwrap();
    let index = policy.index(organization).unwrap();
    let rules = index.explain(&with(&["rep", "manager", "nobody"]), "garden.tree", "read");
    let origins: Vec<String> = rules.iter().map(|rule| rule.origin.to_string()).collect();
    assert_eq!(origins, ["grant 1", "grant 3"]);
    let rules = index.explain(&with(&["owner"]), "garden.tree", "prune");
    assert!(matches!(rules.as_slice(), [rule] if rule.origin.to_string() == "roles.csv line 9"), "{rules:?}");
}

#[tokio::test]
async fn the_load_that_was_asked_for_later_stays() {
    let policy = Policy::new();
    let organization = OrganizationId::new();
    let older = Arc::new(compile(SHIPPED, &[]).await.unwrap());
    let newer = Arc::new(compile(SHIPPED, &proposed()).await.unwrap());
    policy.install(organization, Candidate { load: 2, index: Arc::clone(&newer) });
    let answer = policy.install(organization, Candidate { load: 1, index: older });
    assert!(Arc::ptr_eq(&answer, &newer) && Arc::ptr_eq(&policy.index(organization).unwrap(), &newer));
}
