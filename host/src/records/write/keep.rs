//! A changed draft into the file, with all that is kept beside its row.

use std::collections::HashMap;

use crate::records::error::RecordError;
use crate::records::schema::{EXTERNAL_IDS, Entity, ID, UPDATED_AT, UPDATED_BY, VERSION};
use crate::records::tx::{Draft, Tx};
use crate::records::value::Value;
use crate::records::{derived, list, store};

/// Writes what a draft changes, as the record's next version.
pub(in crate::records) fn write_changes(
    tx: &Tx,
    entity: &Entity,
    names: &[String],
    draft: &mut Draft,
) -> Result<(), RecordError> {
    let before = draft.before.as_deref().unwrap_or_default();
    stamp(tx, before, &mut draft.after);
    let changed: Vec<usize> =
        (ID + 1..entity.width).filter(|at| before.get(*at) != draft.after.get(*at)).collect();
    store::update(&tx.conn, entity, names, &changed, &draft.after)?;
    derived::refresh(&tx.conn, entity, Some(before), Some(&draft.after))?;
    if before.get(EXTERNAL_IDS) != draft.after.get(EXTERNAL_IDS) {
        bind_external_ids(tx, entity, draft)?;
    }
    Ok(())
}

/// Version, time and author of a change.
fn stamp(tx: &Tx, before: &[Value], after: &mut [Value]) {
    let (_, version) = list::identity_of(before);
    let author = Value::Id(*tx.scope.caller.principal.id.as_bytes());
    for (at, value) in [
        (VERSION, Value::Integer(i64::try_from(version + 1).unwrap_or(i64::MAX))),
        (UPDATED_AT, Value::Integer(tx.now)),
        (UPDATED_BY, author),
    ] {
        if let Some(slot) = after.get_mut(at) {
            *slot = value;
        }
    }
}

/// Binds the external ids that the draft says to its record.
pub(in crate::records) fn bind_external_ids(
    tx: &Tx,
    entity: &Entity,
    draft: &mut Draft,
) -> Result<(), RecordError> {
    let Some(text) = draft.after.get(EXTERNAL_IDS).and_then(Value::text) else {
        return if draft.before.is_some() {
            store::set_external_ids(&tx.conn, entity, draft.id, &[])
        } else {
            Ok(())
        };
    };
    let ids: HashMap<String, String> = serde_json::from_str(text).unwrap_or_default();
    let ids: Vec<(String, String)> = ids.into_iter().collect();
    if draft.before.is_none() {
        return store::add_external_ids(&tx.conn, entity, draft.id, &ids);
    }
    store::set_external_ids(&tx.conn, entity, draft.id, &ids)
}
