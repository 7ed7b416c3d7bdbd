//! What is refused at load, and what casbin must deny whatever it holds.

use casbin::{CoreApi, Enforcer};

use super::*;
use crate::policy::Origin;

const ROW: &str = "p, role:rep, *, host.job, read, own, , allow";

#[tokio::test]
async fn an_empty_policy_is_refused_and_denies_the_empty_request() {
    for text in ["", "\n\n", "# only a comment\n", "g, role:rep, role:readonly, *"] {
        assert!(matches!(compile(text, &[]).await, Err(PolicyError::Empty)), "{text:?}");
    }
    let nothing = Rows { rules: Vec::new(), links: Vec::new(), made: Vec::new(), stale: Vec::new() };
    let enforcer = model::enforcer(model::MODEL, "here", &nothing).await.unwrap();
    assert!(!enforcer.enforce(vec![String::new(); 7]).unwrap());
    assert!(
        !enforcer
            .enforce(["a", "here", "host.job", "read", "a||", "a||", "{}"].map(String::from).to_vec())
            .unwrap()
    );
}

#[tokio::test]
async fn a_model_without_the_guards_is_refused() {
    let (head, _) = model::MODEL.split_once("m = ").unwrap();
    let careless = format!("{head}m = r.act == p.act && r.obj == p.obj && g(r.sub, p.sub, r.dom)");
    let nothing = Rows { rules: Vec::new(), links: Vec::new(), made: Vec::new(), stale: Vec::new() };
    let empty: Enforcer = model::enforcer(&careless, "", &nothing).await.unwrap();
    let refused = model::prove_harmless(&empty, "", &nothing);
    assert!(matches!(refused, Err(PolicyError::Unsafe("a request of empty strings"))), "{refused:?}");

    let open: &'static str =
        Box::leak(model::MODEL.replace(" && g(r.sub, p.sub, r.dom)", "").into_boxed_str());
    let rows = Rows::collect(ROW, &[], &Overlay::default()).unwrap();
    let refused = super::super::build(open, OrganizationId::new(), rows, Clock::fixed(0)).await;
    assert!(matches!(refused, Err(PolicyError::Unsafe("somebody without any role"))), "{refused:?}");
}

#[tokio::test]
async fn unknown_roles_objects_and_actions_are_denied() {
    let index = compile(ROW, &[]).await.unwrap();
    assert!(!index.decide(&with(&["rep"]), "host.job", "read").never());
    for (role, object, action) in [
        ("role:rep", "host.job", "read"),
        ("Rep", "host.job", "read"),
        ("", "host.job", "read"),
        ("rep", "host.jo", "read"),
        ("rep", "", "read"),
        ("rep", "host.job", "rea"),
        ("rep", "host.job", ""),
    ] {
        assert!(index.decide(&with(&[role]), object, action).never(), "{role} {object} {action}");
    }
    assert!(index.decide(&with(&[]), "host.job", "read").never());
    assert!(index.knows_role("rep") && !index.knows_role("owner"));
    assert_eq!(index.roles().collect::<Vec<_>>(), ["rep"]);
}

#[tokio::test]
async fn a_deny_wins_over_every_allow_of_every_role() {
    let text = "p, role:a, *, t.tree, read, org, , allow\np, role:b, *, t.tree, read, org, , deny\n\
                p, role:c, *, t.tree, read, own, , deny";
    let index = compile(text, &[]).await.unwrap();
    assert!(index.decide(&with(&["a"]), "t.tree", "read").always());
    assert!(index.decide(&with(&["a", "b"]), "t.tree", "read").never());
    let mine = principal(PrincipalId::new(), &["a", "c"], &[]);
    let decision = index.decide(&mine, "t.tree", "read");
    assert!(!decision.rows().permits(&mine, mine.id, None));
    assert!(decision.rows().permits(&mine, PrincipalId::new(), None));
    assert!(
        !decision.rows().permits(&mine, None, None),
        "whose it is cannot be known, so the deny covers it"
    );
}

#[tokio::test]
async fn every_bad_row_is_reported_at_once_with_its_line() {
    let text = "\
# one fault a line, from line 2 on
p, role:rep, *, host.job, read, own, allow
p, rep, *, host.job, read, own, , allow
p, role:rep, acme, host.job, read, own, , allow
p, role:rep, *, job, read, own, , allow
p, role:rep, *, host.job, raed, own, , allow
p, role:rep, *, host.job, read, all, , allow
p, role:rep, *, host.job, read, own, amount < 5, allow
p, role:rep, *, host.job, read, own, , Deny
p, role:rep, *, , read, own, , allow
p, role:rep, *, host.job, *, own, , allow
p, role:rep, *, host.team, read, own, , allow
p, role:rep, *, host.team, read, own, , allow
x, role:rep, role:rep, *
g, role:rep, role:readonly
g, role:a, role:b, *
g, role:b, role:a, *
";
    let bad = grant("Rep", "garden.tree", "read it", Scope::Own, Effect::Allow);
    let Err(PolicyError::Invalid(faults)) = compile(text, &[bad]).await else { panic!("this must not load") };
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    for line in (2..=11).chain(13..=17) {
        assert!(
            faults.iter().any(|fault| fault.origin == Origin::Line(line)),
            "line {line} is not in {told:#?}"
        );
    }
    assert!(!faults.iter().any(|fault| fault.origin == Origin::Line(12)), "{told:#?}");
    assert_eq!(faults.iter().filter(|fault| fault.origin == Origin::Grant(1)).count(), 2, "{told:#?}");
    assert!(
        told.contains(&"roles.csv line 7: scope `all` is not own, team, subteams, shared or org".to_owned()),
        "{told:#?}"
    );
}

#[tokio::test]
async fn roles_inherit_but_not_without_end() {
    let text = "p, role:a, *, t.tree, read, own, , allow\ng, role:b, role:a, *\ng, role:c, role:b, *";
    let index = compile(text, &[]).await.unwrap();
    assert_eq!(index.decide(&with(&["c"]), "t.tree", "read"), scope(&[Scope::Own], &[]));
    let chain: Vec<String> = (0..6).map(|step| format!("g, role:r{step}, role:r{}, *", step + 1)).collect();
    let text = format!("p, role:r6, *, t.tree, read, own, , allow\n{}", chain.join("\n"));
    assert!(matches!(compile(&text, &[]).await, Err(PolicyError::Invalid(_))));
}
