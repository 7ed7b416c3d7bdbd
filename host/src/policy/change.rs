//! Changes to what an organization added: built aside, proved, stored, and only then in force.

use std::sync::Arc;

use super::error::{Fault, Origin, PolicyError};
use super::index::PolicyIndex;
use super::overlay::{Addition, Overlay, Role, Words};
use super::rows::{Grant, Row, SHIPPED_ROLES};
use super::scope::{Effect, Scope};
use super::subject::Subject;
use super::{Policy, store};
use crate::caller::{Caller, Principal, PrincipalKind};
use crate::identity::Identity;
use crate::ids::{OrganizationId, PolicyId, PrincipalId};

/// The object of roles and rows.
pub const OBJECT: &str = "host.policy";
/// Most rows that an organization adds.
pub const MOST_ROWS: usize = 2_000;
/// Most roles that an organization makes.
pub const MOST_ROLES: usize = 200;

/// One change.
#[derive(Clone, Debug)]
pub enum PolicyChange {
    /// A row is added.
    Add(Addition),
    /// A row is taken away.
    Remove(PolicyId),
    /// A role is made.
    Make(Role),
    /// A role gets another label, description, ancestors: at the version that is known.
    Change(Role, Option<i64>),
    /// A role ends.
    End(String),
}

/// Whether a condition fits the records of its object; asked of the record engine.
pub type Fits<'a> = dyn Fn(&Row) -> Result<(), String> + Send + Sync + 'a;

impl Policy {
    /// What the organization added, as its file has it.
    ///
    /// # Errors
    /// The file fails.
    pub fn overlay(&self, people: &Identity, organization: OrganizationId) -> Result<Overlay, PolicyError> {
        Ok(people.look(organization, |connection| Ok(store::overlay(connection)?))?)
    }

    /// Changes what an organization added. The whole policy is built anew beside the one in force and checked by the
    /// loader that reads the shipped rows; only when all of it holds the change is stored and decides, from the next
    /// request on.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] with every fault; [`PolicyError::Lacking`] for what its author may not do himself;
    /// [`PolicyError::OwnersOnly`]; [`PolicyError::LockedOut`]; [`PolicyError::Missing`], [`PolicyError::Stale`], [`PolicyError::Held`].
    pub async fn change(
        &self,
        people: &Identity,
        by: &Caller,
        grants: &[Grant],
        change: PolicyChange,
        fits: &Fits<'_>,
    ) -> Result<Arc<PolicyIndex>, PolicyError> {
        let turn = self.turn(by.organization);
        let _turn = turn.lock().await;
        let known = self.overlay(people, by.organization)?;
        let before = self.build(by.organization, grants, &known).await?;
        let mut overlay = known.clone();
        apply(&mut overlay, &change)?;
        let after = self.build(by.organization, grants, &overlay).await?;
        let mut faults = unknown(&before.index, &after.index, &change);
        faults.extend(misfits(&after.index, &change, fits));
        if !faults.is_empty() {
            return Err(PolicyError::Invalid(faults));
        }
        permitted(by, &before.index, &after.index, &change)?;
        judged(by, &known, &before.index, &change)?;
        owners_stay(by, &people.owners(by.organization)?, &after.index, &change)?;
        let author = by.principal.id;
        let store = move |connection: &crate::storage::Connection| match &change {
            PolicyChange::Add(added) => store::insert(connection, added).map(|()| true),
            PolicyChange::Remove(id) => store::delete(connection, *id).map(|()| true),
            PolicyChange::Make(role) => store::insert_role(connection, role).map(|()| true),
            PolicyChange::Change(role, _) => {
                let role = overlay.roles.iter().find(|one| one.name == role.name).unwrap_or(role);
                store::update_role(connection, role, author).map(|()| true)
            }
            PolicyChange::End(name) if store::is_held(connection, name)? => Ok(false),
            PolicyChange::End(name) => store::delete_role(connection, name).map(|()| true),
        };
        let done = people.put(by, move |connection| Ok(store(connection)?)).await?;
        if !done {
            return Err(PolicyError::Held);
        }
        Ok(self.install(by.organization, after))
    }
}

fn apply(overlay: &mut Overlay, change: &PolicyChange) -> Result<(), PolicyError> {
    match change {
        PolicyChange::Add(added) => overlay.rows.push(added.clone()),
        PolicyChange::Remove(id) => {
            let at = overlay.rows.iter().position(|row| row.id == *id).ok_or(PolicyError::Missing)?;
            overlay.rows.remove(at);
        }
        PolicyChange::Make(role) => {
            if SHIPPED_ROLES.contains(&role.name.as_str())
                || overlay.roles.iter().any(|one| one.name == role.name)
            {
                return Err(PolicyError::Taken(role.name.clone()));
            }
            overlay.roles.push(role.clone());
        }
        PolicyChange::Change(role, version) => {
            let known =
                overlay.roles.iter_mut().find(|one| one.name == role.name).ok_or(PolicyError::Missing)?;
            if version.is_some_and(|version| version != known.version) {
                return Err(PolicyError::Stale);
            }
            *known = Role {
                version: known.version + 1,
                created_at: known.created_at,
                created_by: known.created_by,
                ..role.clone()
            };
        }
        PolicyChange::End(name) => {
            let at = overlay.roles.iter().position(|role| role.name == *name).ok_or(PolicyError::Missing)?;
            let named = |row: &Addition| row.words.subject == format!("role:{name}");
            if overlay.rows.iter().any(named) || overlay.roles.iter().any(|role| role.inherits.contains(name))
            {
                return Err(PolicyError::Held);
            }
            overlay.roles.remove(at);
        }
    }
    if overlay.rows.len() > MOST_ROWS || overlay.roles.len() > MOST_ROLES {
        return Err(PolicyError::Full);
    }
    Ok(())
}

/// The row that a change adds, as the loader read it.
fn added<'i>(index: &'i PolicyIndex, change: &PolicyChange) -> Option<&'i Row> {
    let PolicyChange::Add(added) = change else { return None };
    let own = |rule: &&super::Rule| rule.origin == Origin::Added(added.id);
    index.rules().iter().find(own).map(|rule| &rule.row)
}

fn misfits(index: &PolicyIndex, change: &PolicyChange, fits: &Fits<'_>) -> Vec<Fault> {
    let (Some(row), PolicyChange::Add(addition)) = (added(index, change), change) else { return Vec::new() };
    let wrong = fits(row).err().into_iter();
    wrong.map(|what| Fault { origin: Origin::Added(addition.id), what }).collect()
}

/// What a change adds must speak of what there is. What was added before and is stale by now keeps nobody from changing
/// something else, or from taking it away.
pub(super) fn unknown(before: &PolicyIndex, after: &PolicyIndex, change: &PolicyChange) -> Vec<Fault> {
    match change {
        PolicyChange::Remove(_) | PolicyChange::End(_) => Vec::new(),
        PolicyChange::Add(_) | PolicyChange::Make(_) | PolicyChange::Change(..) => {
            after.stale().iter().filter(|fault| !before.stale().contains(fault)).cloned().collect()
        }
    }
}

/// Nobody grants what he lacks, and nobody locks himself out of the policy. Whoever allows, takes a deny away, or lets a
/// role inherit must himself be able to do all that somebody else can do then.
pub(super) fn permitted(
    by: &Caller,
    before: &PolicyIndex,
    after: &PolicyIndex,
    change: &PolicyChange,
) -> Result<(), PolicyError> {
    let principal = &by.principal;
    if principal.kind == PrincipalKind::Platform {
        return Ok(());
    }
    // A program's credential administers only when whoever made it said so.
    if !principal.administers {
        let (object, action) = (OBJECT.to_owned(), "update".to_owned());
        return Err(PolicyError::Lacking { object, action, scope: "org" });
    }
    let has = |row: &Row| match row.object.split_once('#') {
        None => before.decide(principal, &row.object, &row.action).includes(row.scope),
        // The field itself: whether its author could be shown it depends on its label, and a row for all of them is
        // the owner's.
        Some((object, _)) => {
            let said = before.explain(principal, &row.object, &row.action);
            let own = said.iter().any(|rule| rule.row.effect == Effect::Allow);
            own && !said.iter().any(|rule| rule.row.effect == Effect::Deny)
                || before.decide(principal, object, &row.action).always() && holds_owner(by)
        }
    };
    let wanted: Vec<Row> = match change {
        PolicyChange::Add(_) => added(after, change).into_iter().filter(allows).cloned().collect(),
        PolicyChange::Remove(id) => {
            let gone = before.rules().iter().filter(|rule| rule.origin == Origin::Added(*id));
            gone.map(|rule| &rule.row).filter(|row| !allows(row)).cloned().collect()
        }
        PolicyChange::Make(role) | PolicyChange::Change(role, _) => {
            role.inherits.iter().flat_map(|name| of_role(before, name)).filter(allows).cloned().collect()
        }
        PolicyChange::End(_) => Vec::new(),
    };
    if let Some(row) = wanted.iter().find(|row| !has(row)) {
        let (object, action, scope) = (row.object.to_string(), row.action.to_string(), row.scope.as_str());
        return Err(PolicyError::Lacking { object, action, scope });
    }
    if administers(after, principal) { Ok(()) } else { Err(PolicyError::LockedOut) }
}

/// A row that decides nothing now comes back with what it speaks of, and nobody can be asked today whether he may do that
/// himself: to take such a deny away, or to let a role inherit such an allow, takes an owner.
pub(super) fn judged(
    by: &Caller,
    overlay: &Overlay,
    before: &PolicyIndex,
    change: &PolicyChange,
) -> Result<(), PolicyError> {
    if above(by) {
        return Ok(());
    }
    let asleep = |row: &&Addition| before.rules().iter().all(|rule| rule.origin != Origin::Added(row.id));
    let mut rows = overlay.rows.iter().filter(asleep);
    let row = match change {
        PolicyChange::Remove(id) => rows.find(|row| row.id == *id && row.words.effect == "deny"),
        PolicyChange::Make(role) | PolicyChange::Change(role, _) => rows.find(|row| {
            let of = |name: &String| match Subject::parse(&row.words.subject) {
                Some(Subject::Role(role)) => before.heritage(name).contains(&role),
                _ => false,
            };
            row.words.effect == "allow" && role.inherits.iter().any(of)
        }),
        PolicyChange::Add(_) | PolicyChange::End(_) => None,
    };
    row.map_or(Ok(()), |row| {
        let Words { object, action, scope, .. } = row.words.clone();
        let scope = scope.parse().unwrap_or(Scope::Org).as_str();
        Err(PolicyError::Lacking { object, action, scope })
    })
}

/// The owners keep the policy: only an owner denies something to one of them, or to a team of theirs; and whatever is
/// changed, by whomever, somebody who owns the organization may read and change the policy afterwards.
pub(super) fn owners_stay(
    by: &Caller,
    owners: &[Principal],
    after: &PolicyIndex,
    change: &PolicyChange,
) -> Result<(), PolicyError> {
    let meant = |subject: &Subject| match subject {
        Subject::User(id) => owners.iter().any(|owner| owner.id == *id),
        Subject::Team(id) => owners.iter().any(|owner| owner.teams.contains(id)),
        Subject::Role(_) | Subject::Service(_) => false,
    };
    let denies = added(after, change).is_some_and(|row| !allows(&row) && meant(&row.subject));
    if denies && !above(by) {
        return Err(PolicyError::OwnersOnly);
    }
    if owners.iter().any(|owner| administers(after, owner)) { Ok(()) } else { Err(PolicyError::LockedOut) }
}

/// Refuses a change of a person after which no owner could read and change the policy any more: `change` tells what becomes
/// of the owner that they are, `None` when they are none then. That nobody would be left at all is told by those who keep
/// the people; and where no owner could before, nothing is taken away.
///
/// # Errors
/// [`PolicyError::LockedOut`].
pub fn owners_remain(
    index: &PolicyIndex,
    mut owners: Vec<Principal>,
    id: PrincipalId,
    change: impl FnOnce(Principal) -> Option<Principal>,
) -> Result<(), PolicyError> {
    let Some(at) = owners.iter().position(|owner| owner.id == id) else { return Ok(()) };
    let could = owners.iter().any(|owner| administers(index, owner));
    let owner = owners.swap_remove(at);
    owners.extend(change(owner));
    let can = owners.is_empty() || owners.iter().any(|owner| administers(index, owner));
    if could && !can { Err(PolicyError::LockedOut) } else { Ok(()) }
}

/// Whether somebody may see and change the policy, whatever it says of single rows.
fn administers(index: &PolicyIndex, principal: &Principal) -> bool {
    ["read", "update"].into_iter().all(|action| index.decide(principal, OBJECT, action).always())
}

fn above(by: &Caller) -> bool {
    by.principal.kind == PrincipalKind::Platform || holds_owner(by)
}

fn holds_owner(by: &Caller) -> bool {
    by.principal.roles.iter().any(|role| &**role == super::rows::OWNER)
}

fn allows(row: &&Row) -> bool {
    row.effect == Effect::Allow
}

/// The rows of a role and of those that it inherits.
fn of_role<'i>(index: &'i PolicyIndex, name: &str) -> Vec<&'i Row> {
    let held = index.heritage(name);
    let of = |row: &&Row| matches!(&row.subject, Subject::Role(role) if held.contains(role));
    index.rules().iter().map(|rule| &rule.row).filter(of).collect()
}

/// A row as an author writes it, at this instant.
#[must_use]
pub fn addition(by: &Caller, at: crate::clock::UnixMillis, words: Words, reason: String) -> Addition {
    Addition { id: PolicyId::new(), words, reason, created_at: at, created_by: by.principal.id }
}
