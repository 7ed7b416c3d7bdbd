//! Who may change the policy, and what no change may take away.

use super::organization::{added, grants, role};
use super::*;
use crate::caller::{Caller, Source};
use crate::ids::{PolicyId, RequestId};
use crate::policy::change::{OBJECT, PolicyChange, judged, owners_remain, owners_stay, permitted, unknown};
use crate::policy::{Addition, Overlay};

/// Somebody who was let into the policy, and owns nothing.
const DELEGATE: [&str; 2] =
    ["role:delegate, host.policy, read, org, allow", "role:delegate, host.policy, update, org, allow"];

/// What an organization has, and who changes it.
struct Desk {
    overlay: Overlay,
    by: Caller,
}

impl Desk {
    /// Somebody with this role where these rows were added.
    fn of(role_name: &str, rows: &[&str]) -> Self {
        let mut overlay = added(&[&DELEGATE, rows].concat());
        overlay.roles = vec![role("delegate", &[])];
        Self { overlay, by: caller(with(&[role_name])) }
    }

    async fn index(&self, overlay: &Overlay) -> PolicyIndex {
        compile_with(SHIPPED, &grants(), overlay).await.unwrap()
    }

    /// Whether the row may be added, where these are the owners.
    async fn adds_among(&self, owners: &[Principal], row: &str) -> Result<(), PolicyError> {
        let addition = added(&[row]).rows.remove(0);
        let mut after = self.overlay.clone();
        after.rows.push(addition.clone());
        let (before, after) = (self.index(&self.overlay).await, self.index(&after).await);
        let change = PolicyChange::Add(addition);
        permitted(&self.by, &before, &after, &change)?;
        owners_stay(&self.by, owners, &after, &change)
    }

    async fn adds(&self, row: &str) -> Result<(), PolicyError> {
        self.adds_among(&[with(&["owner"])], row).await
    }

    /// Whether the last row may be taken away.
    async fn removes_last(&self) -> Result<(), PolicyError> {
        let mut after = self.overlay.clone();
        let gone: Addition = after.rows.pop().unwrap();
        let (before, after) = (self.index(&self.overlay).await, self.index(&after).await);
        let change = PolicyChange::Remove(gone.id);
        permitted(&self.by, &before, &after, &change)?;
        judged(&self.by, &self.overlay, &before, &change)
    }

    /// Whether a role that inherits these may be made.
    async fn makes(&self, inherits: &[&str]) -> Result<(), PolicyError> {
        let made = role("made", inherits);
        let mut after = self.overlay.clone();
        after.roles.push(made.clone());
        let (before, after) = (self.index(&self.overlay).await, self.index(&after).await);
        let change = PolicyChange::Make(made);
        permitted(&self.by, &before, &after, &change)?;
        judged(&self.by, &self.overlay, &before, &change)
    }
}

fn caller(principal: Principal) -> Caller {
    let (organization, request) = (OrganizationId::new(), RequestId::new());
    Caller { organization, principal: Arc::new(principal), request, source: Source::Api }
}

fn lacking(answer: &Result<(), PolicyError>) -> bool {
    matches!(answer, Err(PolicyError::Lacking { .. }))
}

#[tokio::test]
async fn nobody_allows_what_he_may_not_do_himself() {
    let own = "role:delegate, garden.tree, read, own, allow";
    let desk = Desk::of("delegate", &[own]);
    assert!(lacking(&desk.adds("role:rep, garden.tree, read, org, allow").await), "farther than his own");
    assert!(lacking(&desk.adds("role:rep, garden.tree, update, own, allow").await), "another action");
    assert!(lacking(&desk.adds("role:rep, host.user, delete, org, allow").await), "another object");
    assert!(desk.adds("role:readonly, garden.tree, read, own, allow").await.is_ok());
    assert!(desk.adds("role:rep, garden.tree, read, org, deny").await.is_ok(), "a deny grants nothing");
    let small = r#"role:delegate, garden.tree, read, own, deny, {"field":"name","value":"x"}"#;
    let desk = Desk::of("delegate", &[own, small]);
    assert!(lacking(&desk.adds("role:readonly, garden.tree, read, own, allow").await), "he is denied some");
    assert!(Desk::of("owner", &[]).adds("role:rep, garden.tree, read, org, allow").await.is_ok());
    let platform = Caller {
        principal: Arc::new(Principal::new(PrincipalId::new(), PrincipalKind::Platform, "operator")),
        ..desk.by.clone()
    };
    let desk = Desk { by: platform, ..desk };
    assert!(desk.adds("role:readonly, garden.tree, read, org, allow").await.is_ok());
}

#[tokio::test]
async fn a_field_is_opened_by_whoever_a_row_opens_it_to_or_by_an_owner() {
    let open = "role:readonly, garden.tree#salary, read, org, allow";
    let whole = "role:delegate, garden.tree, read, org, allow";
    let own = "role:delegate, garden.tree#salary, read, org, allow";
    assert!(lacking(&Desk::of("delegate", &[whole]).adds(open).await), "the object is not the field");
    assert!(Desk::of("delegate", &[own]).adds(open).await.is_ok());
    let denied = "role:delegate, garden.tree#salary, read, org, deny";
    assert!(lacking(&Desk::of("delegate", &[own, denied]).adds(open).await));
    assert!(Desk::of("owner", &[]).adds(open).await.is_ok());
}

#[tokio::test]
async fn a_deny_is_taken_away_and_a_role_inherited_by_whoever_may_do_it_himself() {
    let deny = "role:rep, garden.tree, read, org, deny";
    assert!(lacking(&Desk::of("delegate", &[deny]).removes_last().await));
    let own = "role:delegate, garden.tree, read, org, allow";
    assert!(Desk::of("delegate", &[own, deny]).removes_last().await.is_ok());
    assert!(Desk::of("owner", &[deny]).removes_last().await.is_ok());
    assert!(Desk::of("delegate", &["role:rep, garden.tree, read, org, allow"]).removes_last().await.is_ok());

    assert!(lacking(&Desk::of("delegate", &[]).makes(&["rep"]).await));
    assert!(Desk::of("delegate", &[]).makes(&["delegate"]).await.is_ok());
    assert!(Desk::of("owner", &[]).makes(&["rep"]).await.is_ok());
}

#[tokio::test]
async fn what_decides_nothing_now_is_let_loose_by_an_owner_only() {
    let (deny, allow) =
        ("role:rep, garden.bush, read, org, deny", "role:delegate, garden.bush, read, org, allow");
    assert!(lacking(&Desk::of("delegate", &[deny]).removes_last().await));
    assert!(Desk::of("owner", &[deny]).removes_last().await.is_ok());
    assert!(Desk::of("delegate", &[allow]).removes_last().await.is_ok(), "less is no matter");
    assert!(lacking(&Desk::of("delegate", &[allow]).makes(&["delegate"]).await));
    assert!(Desk::of("owner", &[allow]).makes(&["delegate"]).await.is_ok());
}

#[tokio::test]
async fn a_credential_that_is_not_for_administering_changes_nothing() {
    let mut desk = Desk::of("owner", &[]);
    desk.by = caller(Principal { administers: false, ..with(&["owner"]) });
    assert!(lacking(&desk.adds("role:rep, garden.tree, read, org, deny").await));
}

#[tokio::test]
async fn nobody_locks_himself_out() {
    let desk = Desk::of("delegate", &[]);
    for action in ["read", "update"] {
        let row = format!("role:delegate, host.policy, {action}, own, deny");
        let refused = desk.adds(&row).await;
        assert!(matches!(refused, Err(PolicyError::LockedOut)), "{refused:?}");
    }
    let other = Desk::of("delegate", &["role:rep, host.policy, read, org, allow"]);
    assert!(other.adds("role:rep, host.policy, update, org, deny").await.is_ok(), "somebody else");
}

#[tokio::test]
async fn some_owner_may_always_read_and_change_the_policy() {
    let (ann, bob) = (with(&["owner"]), with(&["owner", "delegate"]));
    let mut desk = Desk::of("owner", &[]);
    let row = |who: &Principal| format!("user:{}, {OBJECT}, update, own, deny", who.id);
    let refused = desk.adds_among(std::slice::from_ref(&ann), &row(&ann)).await;
    assert!(matches!(refused, Err(PolicyError::LockedOut)), "{refused:?}");
    assert!(desk.adds_among(&[ann.clone(), bob.clone()], &row(&ann)).await.is_ok(), "the other one is left");
    desk.overlay.rows.push(added(&[&row(&ann)]).rows.remove(0));
    let role = format!("role:delegate, {OBJECT}, read, org, deny");
    let refused = desk.adds_among(&[ann.clone(), bob], &role).await;
    assert!(matches!(refused, Err(PolicyError::LockedOut)), "by a role that he has, too: {refused:?}");
    let refused = desk.adds_among(&[], "role:rep, garden.tree, read, org, deny").await;
    assert!(matches!(refused, Err(PolicyError::LockedOut)), "{refused:?}");
}

#[tokio::test]
async fn a_change_of_people_leaves_an_owner_who_may_change_the_policy() {
    let (ann, bob, team) = (with(&["owner"]), with(&["owner"]), TeamId::new());
    let rows = [
        format!("user:{}, {OBJECT}, update, org, deny", ann.id),
        format!("team:{team}, {OBJECT}, read, org, deny"),
    ];
    let desk = Desk::of("owner", &[&rows[0], &rows[1]]);
    let index = desk.index(&desk.overlay).await;
    let both = || vec![ann.clone(), bob.clone()];
    let ends = |owners, id| owners_remain(&index, owners, id, |_| None);
    assert!(matches!(ends(both(), bob.id), Err(PolicyError::LockedOut)), "ann could not change it");
    assert!(ends(both(), ann.id).is_ok() && ends(both(), PrincipalId::new()).is_ok());
    assert!(ends(vec![bob.clone()], bob.id).is_ok(), "the last owner is another question");
    assert!(ends(vec![ann.clone(), ann.clone()], ann.id).is_ok(), "nothing is taken away");
    let joins = owners_remain(&index, both(), bob.id, |owner| Some(owner.with_teams([team])));
    assert!(matches!(joins, Err(PolicyError::LockedOut)), "{joins:?}");
    assert!(owners_remain(&index, both(), bob.id, Some).is_ok());
}

#[tokio::test]
async fn only_an_owner_denies_something_to_an_owner_or_to_his_team() {
    let team = TeamId::new();
    let ann = principal(PrincipalId::new(), &["owner"], &[team]);
    let owners = [ann.clone(), with(&["owner"])];
    for subject in [format!("user:{}", ann.id), format!("team:{team}")] {
        for object in [OBJECT, "garden.tree", "garden.tree#name"] {
            let row = format!("{subject}, {object}, update, org, deny");
            let refused = Desk::of("delegate", &[]).adds_among(&owners, &row).await;
            assert!(matches!(refused, Err(PolicyError::OwnersOnly)), "{row}: {refused:?}");
            assert!(Desk::of("owner", &[]).adds_among(&owners, &row).await.is_ok(), "{row}");
        }
    }
    let desk = Desk::of("delegate", &[]);
    let rest = [format!("user:{}", PrincipalId::new()), format!("team:{}", TeamId::new())];
    for subject in rest {
        let row = format!("{subject}, garden.tree, update, org, deny");
        assert!(desk.adds_among(&owners, &row).await.is_ok(), "{row}");
    }
}

#[tokio::test]
async fn what_is_added_speaks_of_what_there_is_whatever_was_added_before() {
    let mut before = added(&["role:rep, garden.bush, read, org, allow"]);
    before.roles = vec![role("helper", &["clerk"])];
    let compiled =
        |overlay: Overlay| async move { compile_with(SHIPPED, &grants(), &overlay).await.unwrap() };
    let known = compiled(before.clone()).await;
    for (row, refused) in [
        ("role:rep, garden.bush, update, org, allow", true),
        ("role:rep, garden.tree, burn, org, allow", true),
        ("role:clerk, garden.tree, read, org, allow", true),
        ("role:rep, garden.tree, read, own, allow", true),
        ("role:rep, garden.tree, update, own, allow", false),
    ] {
        let addition = added(&[row]).rows.remove(0);
        let mut after = before.clone();
        after.rows.push(addition.clone());
        let faults = unknown(&known, &compiled(after).await, &PolicyChange::Add(addition));
        assert_eq!(faults.len(), usize::from(refused), "{row}: {faults:?}");
    }
    for (inherits, refused) in [(vec!["clerk"], false), (vec!["clerk", "nobody"], true), (vec![], false)] {
        let mut after = before.clone();
        after.roles[0].inherits = inherits.iter().copied().map(str::to_owned).collect();
        let change = PolicyChange::Change(after.roles[0].clone(), None);
        let faults = unknown(&known, &compiled(after).await, &change);
        assert_eq!(!faults.is_empty(), refused, "{inherits:?}: {faults:?}");
    }
    let mut after = before.clone();
    after.roles.insert(0, role("another", &["clerk"]));
    let change = PolicyChange::Remove(PolicyId::new());
    assert!(unknown(&known, &compiled(after).await, &change).is_empty(), "what goes adds nothing");
}
