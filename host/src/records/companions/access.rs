//! Who may come near a record's companions: whoever reads the record reads them, comments and follows; tags and files take
//! the right to change it. A record that the caller may not read does not exist.

use std::rc::Rc;
use std::sync::Arc;

use crate::caller::{Caller, Principal};
use crate::ids::RecordId;
use crate::records::rights::permits;
use crate::records::schema::Entity;
use crate::records::value::Value;
use crate::records::write;
use crate::records::{RecordError, Scope};
use crate::storage::Connection;

/// The record's values, if the caller may read it.
///
/// # Errors
/// [`RecordError::NotFound`], or the file fails.
pub(super) fn read(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Entity,
    record: RecordId,
) -> Result<Vec<Value>, RecordError> {
    write::readable(conn, scope, entity, record)?.ok_or(RecordError::NotFound)
}

/// The same, if the caller may also change it.
///
/// # Errors
/// As [`read`], and [`RecordError::Forbidden`].
pub(super) fn change(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Entity,
    record: RecordId,
) -> Result<Vec<Value>, RecordError> {
    let values = read(conn, scope, entity, record)?;
    if may(conn, scope, entity, &values, "update") {
        return Ok(values);
    }
    Err(RecordError::Forbidden { object: entity.object.to_string(), action: "update".into() })
}

/// Whether the caller may do `action` with the record that has these values.
#[must_use]
pub(super) fn may(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Entity,
    values: &[Value],
    action: &str,
) -> bool {
    let rows = scope.policy.decide(&scope.caller.principal, &entity.object, action);
    permits(conn, scope, entity, &Some(rows), values)
}

/// Whether somebody else may read the record that has these values.
#[must_use]
pub(super) fn may_read(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Entity,
    values: &[Value],
    principal: &Arc<Principal>,
) -> bool {
    let caller = Caller { principal: Arc::clone(principal), ..scope.caller.clone() };
    let rows = scope.policy.decide(principal, &entity.object, "read");
    let scope = Scope { caller, ..scope.clone() };
    !rows.never() && permits(conn, &scope, entity, &Some(rows), values)
}
