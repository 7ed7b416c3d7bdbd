//! The declared rules that need the file: references that exist, values that are unique, external ids that are free.

use std::collections::HashMap;
use std::sync::Arc;

use crate::records::error::{Fault, RecordError};
use crate::records::reference::Seen;
use crate::records::schema::{EXTERNAL_IDS, Entity, Kind};
use crate::records::store;
use crate::records::tx::{Draft, Tx};
use crate::records::value::Value;

/// Checks the references that the drafts change.
///
/// # Errors
/// A file fails.
pub(super) fn references(
    tx: &Tx,
    entity: &Arc<Entity>,
    drafts: &mut [Draft],
    seen: &mut Seen,
) -> Result<(), RecordError> {
    for field in entity.fields.iter().filter(|field| matches!(field.kind, Kind::Reference(..))) {
        for draft in drafts.iter_mut() {
            let Some(id) = draft.after.get(field.column).and_then(Value::id) else {
                continue;
            };
            let unchanged = draft
                .before
                .as_ref()
                .is_some_and(|before| before.get(field.column) == draft.after.get(field.column));
            if unchanged {
                continue;
            }
            if let Err(fault) = seen.check(tx, field, id)?
                && !draft.faults.contains(&fault)
            {
                draft.faults.push(fault);
            }
        }
    }
    Ok(())
}

/// Checks what must be there and well formed once the hooks have run, and what no two records may share. There is one writer, so nobody
/// can come in between.
///
/// # Errors
/// The file fails.
pub(super) fn complete(tx: &Tx, entity: &Entity, draft: &mut Draft) -> Result<(), RecordError> {
    for field in &entity.fields {
        let value = draft.after.get(field.column).cloned().unwrap_or_default();
        if value.is_null() {
            if field.required {
                draft.faults.push(crate::records::input::required(field));
            }
            continue;
        }
        let second = draft.after.get(field.column + 1).cloned().unwrap_or_default();
        let moved = draft.before.as_ref().is_none_or(|before| before.get(field.column) != Some(&value));
        if let Some(fault) =
            moved.then(|| crate::records::input::stored(field, &value, &second).err()).flatten()
        {
            draft.faults.push(fault);
            continue;
        }
        if field.unique && store::holder(&tx.conn, entity, field, &value, draft.id)?.is_some() {
            draft.faults.push(Fault::at(
                &field.key,
                "not_unique",
                format!("another record has this value for {}", field.label),
            ));
        }
    }
    let same =
        draft.before.as_ref().is_some_and(|before| before.get(EXTERNAL_IDS) == draft.after.get(EXTERNAL_IDS));
    let Some(text) = draft.after.get(EXTERNAL_IDS).and_then(Value::text).filter(|_| !same) else {
        return Ok(());
    };
    let ids: HashMap<String, String> = serde_json::from_str(text).unwrap_or_default();
    for (source, id) in ids {
        let holder = store::by_external_id(&tx.conn, entity, &source, &id)?;
        if holder.is_some_and(|holder| holder != draft.id) {
            let field = format!("external_ids/{source}");
            draft.faults.push(Fault {
                pointer: format!("/{field}"),
                code: "not_unique".into(),
                detail: format!("another record has this external id from {source}"),
            });
        }
    }
    Ok(())
}
