//! Which records a write may touch: those that its authority reaches, in the version that it knows.

use std::rc::Rc;
use std::sync::Arc;

use crate::ids::RecordId;
use crate::policy::Decision;
use crate::records::Scope;
use crate::records::error::RecordError;
use crate::records::list::{self, View, write_visible};
use crate::records::rights;
use crate::records::schema::Entity;
use crate::records::since;
use crate::records::tx::Tx;
use crate::records::value::Value;
use crate::storage::Connection;

/// The rows that the transaction's authority reaches with `action`; `None` is all of them.
pub(in crate::records) fn reach(tx: &Tx, entity: &Entity, action: &str) -> Option<Decision> {
    let principal = &tx.scope.caller.principal;
    tx.authority.asks_policy().then(|| tx.scope.policy.decide(principal, &entity.object, action))
}

/// [`reach`], refused when it is no row at all.
pub(in crate::records) fn allowed(
    tx: &Tx,
    entity: &Entity,
    action: &str,
) -> Result<Option<Decision>, RecordError> {
    let rows = reach(tx, entity, action);
    if rows.as_ref().is_some_and(Decision::never) {
        return Err(RecordError::Forbidden { object: entity.object.to_string(), action: action.to_owned() });
    }
    Ok(rows)
}

/// Whether rows that the transaction reaches cover the record with these values.
pub(crate) fn permits(tx: &Tx, entity: &Entity, rows: &Option<Decision>, values: &[Value]) -> bool {
    rights::permits(&tx.conn, &tx.scope, entity, rows, values)
}

/// All columns of a record that this authority may read and reach with `action`.
pub(in crate::records) fn current(
    tx: &Tx,
    entity: &Arc<Entity>,
    id: RecordId,
    rows: &Option<Decision>,
    action: &str,
) -> Result<Vec<Value>, RecordError> {
    let values = find(tx, entity, id)?.ok_or(RecordError::NotFound)?;
    if !permits(tx, entity, rows, &values) {
        return Err(RecordError::Forbidden { object: entity.object.to_string(), action: action.to_owned() });
    }
    Ok(values)
}

/// All columns of a record that this authority may read.
///
/// # Errors
/// The file fails.
pub fn find(tx: &Tx, entity: &Arc<Entity>, id: RecordId) -> Result<Option<Vec<Value>>, RecordError> {
    if tx.authority.asks_policy() {
        return readable(&tx.conn, &tx.scope, entity, id);
    }
    Ok(list::rows(&tx.conn, entity, "id = ?1 and deleted_at is null", "", &[Value::from(id)])?.pop())
}

/// All columns of a record that the caller may read.
///
/// # Errors
/// The file fails.
pub fn readable(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Entity,
    id: RecordId,
) -> Result<Option<Vec<Value>>, RecordError> {
    let (mut condition, mut params) = (String::from("id = ?1 and "), vec![Value::from(id)]);
    match write_visible(scope, entity, "read", &mut condition, &mut params) {
        Err(RecordError::Forbidden { .. }) => Ok(None),
        other => other.and_then(|()| Ok(list::rows(conn, entity, &condition, "", &params)?.pop())),
    }
}

/// Refuses a change that was decided on an older version.
pub(crate) fn fresh(
    tx: &Tx,
    entity: &Arc<Entity>,
    id: RecordId,
    sent: Option<u64>,
    values: &[Value],
) -> Result<(), RecordError> {
    let (_, current) = list::identity_of(values);
    let Some(sent) = sent.filter(|sent| *sent != current) else {
        return Ok(());
    };
    let record =
        list::get(&tx.conn, &tx.scope, entity, id, &View::within(&tx.scope, entity, None, None)?)?.body;
    let changed = since::changed_since(tx, entity, id, sent)?;
    Err(RecordError::Stale { current, sent, record, changed })
}
