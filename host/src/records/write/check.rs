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
pub(super) fn declared(tx: &Tx, entity: &Arc<Entity>, drafts: &mut [Draft]) -> Result<(), RecordError> {
    let mut seen = Seen::default();
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
            if let Err(fault) = seen.check(tx, field, id)? {
                draft.faults.push(fault);
            }
        }
    }
    Ok(())
}

/// Checks what must be there once the hooks have run, and what no two records may share. There is one writer, so nobody
/// can come in between. A draft with faults hears of its other ones too, but not twice of one field.
///
/// # Errors
/// The file fails.
pub(super) fn unique(tx: &Tx, entity: &Entity, draft: &mut Draft) -> Result<(), RecordError> {
    let hooks_ran = draft.faults.is_empty();
    for field in &entity.fields {
        let value = draft.after.get(field.column).cloned().unwrap_or_default();
        if value.is_null() {
            if field.required && hooks_ran {
                draft.faults.push(crate::records::input::required(field));
            }
            continue;
        }
        if field.unique
            && !is_faulty(draft, &field.key)
            && store::holder(&tx.conn, entity, field, &value, draft.id)?.is_some()
        {
            draft.faults.push(Fault::at(
                &field.key,
                "not_unique",
                format!("another record has this value for {}", field.label),
            ));
        }
    }
    external_ids(tx, entity, draft)
}

fn is_faulty(draft: &Draft, field: &str) -> bool {
    draft.faults.iter().any(|fault| fault.pointer.strip_prefix('/') == Some(field))
}

fn external_ids(tx: &Tx, entity: &Entity, draft: &mut Draft) -> Result<(), RecordError> {
    let same =
        draft.before.as_ref().is_some_and(|before| before.get(EXTERNAL_IDS) == draft.after.get(EXTERNAL_IDS));
    let Some(text) = draft.after.get(EXTERNAL_IDS).and_then(Value::text).filter(|_| !same) else {
        return Ok(());
    };
    let ids: HashMap<String, String> = serde_json::from_str(text).unwrap_or_default();
    for (source, id) in ids {
        let holder = store::by_external_id(&tx.conn, entity, &source, &id)?;
        if holder.is_some_and(|holder| holder != draft.id) {
            let source_member = source.replace('~', "~0").replace('/', "~1");
            draft.faults.push(Fault {
                pointer: format!("/external_ids/{source_member}"),
                code: "not_unique".into(),
                detail: format!("another record has this external id from {source}"),
            });
        }
    }
    Ok(())
}
