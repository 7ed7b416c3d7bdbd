//! Throwing records away for good. Only what lies in the bin already, and only what nothing refers to any more.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Entry, PURGE, find, reaches, store};
use crate::ids::RecordId;
use crate::records::companions;
use crate::records::derived;
use crate::records::error::RecordError;
use crate::records::schema::Entity;
use crate::records::store::{referrers, set_external_ids};
use crate::records::tx::Tx;
use crate::records::value::Value;
use crate::records::write::delete::referring;

/// Throws a record away for good, or with `whole_cohort` all that was deleted with it and is still in the bin. The change
/// log keeps its last values; comments, tags, followers and files go along, see [`crate::records::Records::sweep_left`]. Answers how many records went.
///
/// # Errors
/// [`RecordError::NotFound`], [`RecordError::Forbidden`]; [`RecordError::Conflict`] when it is not in the bin, or another
/// record, in the bin or not, refers to it.
pub fn purge(tx: &Tx, entity: &Arc<Entity>, id: RecordId, whole_cohort: bool) -> Result<usize, RecordError> {
    let (entry, row) = find(tx, entity, id, PURGE)?;
    let mut going: Vec<(Arc<Entity>, Entry, Vec<Value>)> = Vec::new();
    if whole_cohort {
        for entry in store::cohort(&tx.conn, entry.cohort)? {
            let Some(entity) = tx.module.entity(&entry.entity) else { continue };
            let Some(row) = store::row(&tx.conn, &entity, entry.record)? else { continue };
            // Unlike coming back, going for good is a matter of the caller's rights on each of them.
            if !reaches(tx, &entity, PURGE, &row) {
                let (object, action) = (entity.object.to_string(), PURGE.to_owned());
                return Err(RecordError::Forbidden { object, action });
            }
            going.push((entity, entry, row));
        }
    } else {
        going.push((Arc::clone(entity), entry, row));
    }
    let ids: HashSet<RecordId> = going.iter().map(|(_, entry, _)| entry.record).collect();
    for (entity, entry, _) in &going {
        unreferred(tx, entity, entry.record, &ids)?;
    }
    for (entity, entry, row) in &going {
        companions::forget(&tx.conn, &entity.key, entry.record)?;
        store::delete_row(&tx.conn, entity, entry.record)?;
        set_external_ids(&tx.conn, entity, entry.record, &[])?;
        derived::refresh(&tx.conn, entity, Some(row), None)?;
        store::remove(&tx.conn, entry.record)?;
    }
    Ok(going.len())
}

/// Refuses when a record that stays refers to this one. Nobody new can: what is in the bin cannot be pointed at.
fn unreferred(tx: &Tx, entity: &Entity, id: RecordId, going: &HashSet<RecordId>) -> Result<(), RecordError> {
    let limit = going.len() + 1;
    for (module, referring, field, _) in referring(tx, entity) {
        let look = |conn: &std::rc::Rc<crate::storage::Connection>| {
            let mut found = referrers(conn, referring, field, id, limit)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            found.extend(store::binned_referrers(conn, referring, field, id, limit)?);
            Ok(found)
        };
        let own = module.plugin == tx.module.plugin;
        let found = if own { look(&tx.conn)? } else { tx.engine.read(&tx.scope, module, look)? };
        if found.iter().any(|id| !going.contains(id)) {
            let detail = format!(
                "{} points at this record by its field `{}`, or did when it was deleted itself; change or purge those \
                 records first, or purge all that was deleted together with {{\"cohort\": true}}",
                referring.object, field.key
            );
            return Err(RecordError::conflict("record_in_use", detail));
        }
    }
    Ok(())
}
