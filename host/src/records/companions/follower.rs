//! Followers: people who want to hear what happens to a record. Whoever owns it does not follow it for that.

use std::rc::Rc;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;

use super::event::{self, Happened};
use super::{Names, Page, Paging, Person, access, binding, paged, store};
use crate::caller::PrincipalKind;
use crate::clock::rfc3339;
use crate::ids::{PrincipalId, RecordId};
use crate::records::schema::Entity;
use crate::records::tx::Tx;
use crate::records::value::Value;
use crate::records::{RecordError, Records, Scope};
use crate::storage::Connection;

/// Most followers of a record.
pub const MOST: u32 = 1_000;

/// A follower as lists show them.
#[derive(Debug, Serialize)]
pub struct FollowerView {
    /// Who.
    #[serde(flatten)]
    pub person: Person,
    /// Since when.
    pub since: String,
}

/// The caller follows the record from now on.
///
/// # Errors
/// [`RecordError::NotFound`], or it has too many followers.
pub fn follow(tx: &Tx, entity: &Arc<Entity>, record: RecordId) -> Result<(), RecordError> {
    access::read(&tx.conn, &tx.scope, entity, record)?;
    let full = store::follower_count(&tx.conn, &entity.key, record)? >= MOST;
    if !join(tx, entity, record, tx.scope.caller.principal.id)? || !full {
        return Ok(());
    }
    let detail = format!("a record has at most {MOST} followers");
    Err(RecordError::Conflict {
        code: "too_many_followers".into(),
        detail,
        extra: serde_json::Map::new(),
        faults: Vec::new(),
    })
}

/// The caller follows the record no more.
///
/// # Errors
/// [`RecordError::NotFound`].
pub fn unfollow(tx: &Tx, entity: &Arc<Entity>, record: RecordId) -> Result<(), RecordError> {
    access::read(&tx.conn, &tx.scope, entity, record)?;
    let user = tx.scope.caller.principal.id;
    if store::unfollow(&tx.conn, &entity.key, record, user)? {
        event::say(tx, entity, record, Happened::Unfollowed, json!({ "user": user }))?;
    }
    Ok(())
}

/// These people, who may read the record, follow it from now on, as far as there is room.
///
/// # Errors
/// The file fails.
pub(super) fn joins(
    tx: &Tx,
    entity: &Entity,
    record: RecordId,
    users: impl Iterator<Item = PrincipalId>,
) -> Result<(), RecordError> {
    let mut room = MOST.saturating_sub(store::follower_count(&tx.conn, &entity.key, record)?);
    for user in users {
        if room > 0 && join(tx, entity, record, user)? {
            room -= 1;
        }
    }
    Ok(())
}

/// Whoever comments follows, if it is a person: a program that comments on everything does not read it.
///
/// # Errors
/// The file fails.
pub(super) fn commenter_joins(tx: &Tx, entity: &Entity, record: RecordId) -> Result<(), RecordError> {
    let principal = &tx.scope.caller.principal;
    let person = (principal.kind == PrincipalKind::User).then_some(principal.id);
    joins(tx, entity, record, person.into_iter())
}

fn join(tx: &Tx, entity: &Entity, record: RecordId, user: PrincipalId) -> Result<bool, RecordError> {
    let new = store::follow(&tx.conn, &entity.key, record, user, tx.now)?;
    if new {
        event::say(tx, entity, record, Happened::Followed, json!({ "user": user }))?;
    }
    Ok(new)
}

/// A page of the followers who may still read the record.
///
/// # Errors
/// [`RecordError::NotFound`], a cursor of another list, or a file fails.
pub fn page(
    engine: &Records,
    scope: &Scope,
    conn: &Rc<Connection>,
    entity: &Entity,
    record: RecordId,
    paging: &Paging,
) -> Result<Page<FollowerView>, RecordError> {
    let values = access::read(conn, scope, entity, record)?;
    let binding = binding("followers", scope, entity, Some(record));
    let read = |from: Option<Vec<Value>>, limit| {
        let after = from.and_then(|values| values.first()?.id());
        let after = after.map(|id| PrincipalId::from_bytes(*id.as_bytes()));
        store::followers(conn, &entity.key, record, after, limit)
    };
    let (found, next_cursor) = paged(engine, &binding, paging, read, |(id, _)| [Value::Id(*id.as_bytes())])?;
    let mut readers = Vec::with_capacity(found.len());
    for (id, at) in found {
        let principal = engine.people.principal(scope.organization.id, id)?;
        if principal.is_some_and(|principal| access::may_read(conn, scope, entity, &values, &principal)) {
            readers.push((id, at));
        }
    }
    let names = Names::of(engine, scope, readers.iter().map(|(id, _)| *id))?;
    let data = readers
        .into_iter()
        .map(|(id, at)| FollowerView { person: names.person(id), since: rfc3339(at) })
        .collect();
    Ok(Page { data, next_cursor })
}
