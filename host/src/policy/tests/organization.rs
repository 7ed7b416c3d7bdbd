//! What an organization adds: what is refused, and what it decides.

use super::*;
use crate::ids::PolicyId;
use crate::policy::{Addition, FieldUse, Label, Role, Words};

fn words(text: &str) -> Words {
    let mut parts = text.splitn(6, ", ").map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    let (subject, object, action, scope, effect) = (next(), next(), next(), next(), next());
    Words { subject, object, action, scope, effect, condition: next() }
}

pub(super) fn added(rows: &[&str]) -> Overlay {
    let row = |text: &&str| Addition {
        id: PolicyId::new(),
        words: words(text),
        reason: "because".to_owned(),
        created_at: 0,
        created_by: PrincipalId::new(),
    };
    Overlay { roles: Vec::new(), rows: rows.iter().map(row).collect() }
}

pub(super) fn role(name: &str, inherits: &[&str]) -> Role {
    Role {
        name: name.to_owned(),
        label: name.to_owned(),
        description: String::new(),
        inherits: inherits.iter().map(|name| (*name).to_owned()).collect(),
        version: 1,
        created_at: 0,
        created_by: PrincipalId::new(),
        updated_at: 0,
    }
}

pub(super) fn grants() -> Vec<Grant> {
    vec![
        grant("rep", "garden.tree", "read", Scope::Own, Effect::Allow),
        grant("rep", "garden.tree", "prune", Scope::Own, Effect::Allow),
    ]
}

#[tokio::test]
async fn a_row_of_strange_words_is_refused_whole() {
    let long = format!("role:rep, garden.tree, read, org, allow, {}", "x".repeat(600));
    for bad in [
        ", , , , , ",
        "rep, garden.tree, read, org, allow",
        "user:x, garden.tree, read, org, allow",
        "role:rep, *, read, org, allow",
        "role:rep, garden.tree, *, org, allow",
        "role:rep, garden.tree, read, all, allow",
        "role:rep, garden.tree, read, org, Deny",
        "role:rep, garden.tree, read, org, allow, height < 5",
        "role:rep, garden.tree, delete, shared, allow",
        "role:rep, host.user, read, shared, allow",
        r#"role:rep, host.user, read, org, allow, {"field":"name","value":"x"}"#,
        "role:rep, garden.tree#name, read, own, deny",
        "role:rep, garden.tree#name, delete, org, deny",
        "role:rep, garden.tree#@hidden, read, org, deny",
        "role:owner, garden.tree, read, org, deny",
        &long,
    ] {
        let refused = compile_with(SHIPPED, &grants(), &added(&[bad])).await;
        assert!(matches!(refused, Err(PolicyError::Invalid(_))), "{bad}");
    }
}

#[tokio::test]
async fn a_row_on_what_is_gone_decides_nothing_until_it_is_back_and_keeps_nobody_out() {
    let mut overlay = added(&[
        "role:readonly, garden.tree, read, org, allow",
        "role:rep, garden.bush, read, org, deny",
        "role:readonly, garden.bush, read, org, allow",
        "role:rep, garden.tree, burn, org, allow",
        "role:clerk, garden.tree, read, org, deny",
        "role:rep, garden.tree, read, own, allow",
    ]);
    overlay.roles = vec![role("helper", &["rep", "clerk"])];
    let index = compile_with(SHIPPED, &grants(), &overlay).await.unwrap();
    let told: Vec<&str> = index.stale().iter().map(|fault| fault.what.as_str()).collect();
    assert_eq!(
        told,
        [
            "`helper` inherits `clerk`, which is no role",
            "there is no object `garden.bush`",
            "there is no object `garden.bush`",
            "`garden.tree` has no action `burn`",
            "there is no role `clerk`",
            "says what an earlier row says",
        ]
    );
    assert!(index.decide(&with(&["readonly"]), "garden.tree", "read").always(), "the rest counts");
    for nobody in ["owner", "rep", "readonly"] {
        assert!(index.decide(&with(&[nobody]), "garden.bush", "read").never(), "{nobody}");
        assert!(index.decide(&with(&[nobody]), "garden.tree", "burn").never(), "{nobody}");
    }
    assert!(index.decide(&with(&["rep"]), "garden.tree", "read").rows().allow != 0);
    assert!(index.decide(&with(&["helper"]), "garden.tree", "read").never(), "no heir loses a deny");

    let mut back = grants();
    back.push(grant("rep", "garden.bush", "read", Scope::Own, Effect::Allow));
    back.push(grant("clerk", "garden.bush", "read", Scope::Own, Effect::Allow));
    let index = compile_with(SHIPPED, &back, &overlay).await.unwrap();
    assert_eq!(index.stale().len(), 2, "{:?}", index.stale());
    assert!(index.decide(&with(&["rep"]), "garden.bush", "read").never(), "the deny counts again");
    assert!(index.decide(&with(&["readonly"]), "garden.bush", "read").always(), "and the allow");
}

#[tokio::test]
async fn roles_of_an_organization_inherit_but_not_in_circles_nor_under_shipped_names() {
    let mut overlay = added(&["role:helper, garden.tree, update, team, allow"]);
    overlay.roles = vec![role("helper", &["rep"]), role("idle", &[])];
    let index = compile_with(SHIPPED, &grants(), &overlay).await.unwrap();
    assert_eq!(index.decide(&with(&["helper"]), "garden.tree", "prune"), scope(&[Scope::Own], &[]));
    assert_eq!(index.decide(&with(&["helper"]), "garden.tree", "update"), scope(&[Scope::Team], &[]));
    assert!(index.decide(&with(&["rep"]), "garden.tree", "update").never(), "heirs give nothing back");
    assert!(index.knows_role("idle"));
    for bad in [
        vec![role("a", &["b"]), role("b", &["a"])],
        vec![role("a", &["a"])],
        vec![role("owner", &[])],
        vec![role("a", &[]), role("a", &[])],
        vec![role("Bad", &[])],
        vec![role("a", &["rep", "rep"])],
    ] {
        let overlay = Overlay { roles: bad, rows: Vec::new() };
        assert!(compile_with(SHIPPED, &grants(), &overlay).await.is_err(), "{:?}", overlay.roles);
    }
    let chain: Vec<Role> = (0..7)
        .map(|at| match at {
            6 => role("r6", &[]),
            at => role(&format!("r{at}"), &[&format!("r{}", at + 1)]),
        })
        .collect();
    assert!(compile_with(SHIPPED, &grants(), &Overlay { roles: chain, rows: Vec::new() }).await.is_err());
}

#[tokio::test]
async fn fields_are_masked_by_name_and_by_label() {
    let overlay = added(&[
        "role:rep, garden.tree#name, read, org, deny",
        "role:rep, garden.tree#@personal, update, org, deny",
        "role:rep, garden.tree#salary, read, org, allow",
    ]);
    let index = compile_with(SHIPPED, &grants(), &overlay).await.unwrap();
    let may = |role: &str, field: &str, label: Label, by: FieldUse| {
        index.allows_field(&with(&[role]), "garden.tree", field, label, by)
    };
    use FieldUse::{Read, Write};
    assert!(!may("rep", "name", Label::Internal, Read) && may("rep", "name", Label::Internal, Write));
    assert!(may("rep", "phone", Label::Personal, Read) && !may("rep", "phone", Label::Personal, Write));
    assert!(may("rep", "salary", Label::Restricted, Read) && !may("rep", "salary", Label::Restricted, Write));
    assert!(!may("rep", "bank", Label::Restricted, Read), "restricted takes a row");
    assert!(may("owner", "bank", Label::Restricted, Read) && may("owner", "bank", Label::Restricted, Write));
    assert!(!may("owner", "key", Label::Secret, Read) && may("owner", "key", Label::Secret, Write));
    assert!(may("manager", "name", Label::Internal, Read), "the row is the rep's");
}

#[tokio::test]
async fn a_credential_takes_away_and_never_gives() {
    let index = compile_with(SHIPPED, &grants(), &Overlay::default()).await.unwrap();
    let limited = |limits: &[&str]| {
        let limits: Vec<Arc<str>> = limits.iter().copied().map(Arc::from).collect();
        Principal { limits: Some(limits.into()), ..with(&["rep"]) }
    };
    assert!(!index.decide(&limited(&["garden.tree:prune"]), "garden.tree", "prune").never());
    assert!(index.decide(&limited(&["garden.tree:prune"]), "garden.tree", "read").never());
    assert!(index.decide(&limited(&["garden:*"]), "garden.tree", "delete").never(), "a scope gives nothing");
    assert!(index.decide(&limited(&[]), "garden.tree", "read").never());
}

#[tokio::test]
async fn people_teams_and_programs_have_rows_of_their_own() {
    let (ann, team, robot) = (PrincipalId::new(), TeamId::new(), PrincipalId::new());
    let overlay = added(&[
        &format!("user:{ann}, garden.tree, update, org, allow"),
        &format!("team:{team}, garden.tree, delete, team, allow"),
        &format!("svc:{robot}, garden.tree, export, org, allow"),
    ]);
    let index = compile_with(SHIPPED, &grants(), &overlay).await.unwrap();
    let ann = principal(ann, &[], &[team]);
    assert!(index.decide(&ann, "garden.tree", "update").always());
    assert_eq!(index.decide(&ann, "garden.tree", "delete"), scope(&[Scope::Team], &[]));
    assert!(index.decide(&with(&[]), "garden.tree", "update").never());
    let as_program = |kind| Principal::new(robot, kind, "robot");
    assert!(index.decide(&as_program(PrincipalKind::Service), "garden.tree", "export").always());
    assert!(
        index.decide(&as_program(PrincipalKind::User), "garden.tree", "export").never(),
        "a user is no svc"
    );
}

#[tokio::test]
async fn a_decision_does_not_look_at_every_row() {
    // A walk over all rows would take minutes: casbin needs a millisecond for one decision.
    let rows: Vec<String> = (0..500)
        .map(|at| {
            format!(
                "user:{}, garden.tree, read, own, allow",
                PrincipalId::from_bytes([(at % 256) as u8 + (at / 256) as u8; 16])
            )
        })
        .collect();
    let mut seen = std::collections::HashSet::new();
    let rows: Vec<&str> = rows.iter().map(String::as_str).filter(|row| seen.insert(*row)).collect();
    let index = compile_with(SHIPPED, &grants(), &added(&rows)).await.unwrap();
    let who = with(&["rep", "manager", "readonly", "x", "y"]);
    let start = std::time::Instant::now();
    for _ in 0..10_000 {
        assert!(!std::hint::black_box(index.decide(&who, "garden.tree", "read")).never());
    }
    assert!(start.elapsed() < std::time::Duration::from_secs(2), "{:?}", start.elapsed());
}
