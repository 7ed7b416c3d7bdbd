//! The declared rules that need the file: references that exist, values that are unique, external ids that are free.

use std::collections::HashMap;
use std::sync::Arc;

use crate::records::companions::attachment;
use crate::records::configuration::judge::judge;
use crate::records::derived;
use crate::records::error::{Fault, RecordError};
use crate::records::input;
use crate::records::reference::Seen;
use crate::records::schema::{EXTERNAL_IDS, Entity, Field, Kind};
use crate::records::store;
use crate::records::tx::{Draft, Tx};
use crate::records::value::Value;

/// Checks the references that the drafts change.
///
/// # Errors
/// A file fails.
pub(in crate::records) fn references(
    tx: &Tx,
    entity: &Arc<Entity>,
    drafts: &mut [Draft],
    seen: &mut Seen,
) -> Result<(), RecordError> {
    let refers = |kind: &Kind| matches!(kind, Kind::Reference(..) | Kind::References(..));
    for field in entity.fields.iter().filter(|field| refers(&field.kind)) {
        for draft in drafts.iter_mut() {
            let unchanged = draft
                .before
                .as_ref()
                .is_some_and(|before| before.get(field.column) == draft.after.get(field.column));
            if unchanged {
                continue;
            }
            let value = draft.after.get(field.column).cloned().unwrap_or_default();
            for id in value.id().into_iter().chain(derived::targets(&value)) {
                if let Err(fault) = seen.check(tx, field, id)?
                    && !draft.faults.contains(&fault)
                {
                    draft.faults.push(fault);
                }
            }
        }
    }
    attachment::check_fields(tx, entity, drafts)
}

/// Checks what must be there and well formed once the hooks have run, and what no two records may share. There is one
/// writer, so nobody can come in between. A draft with faults hears of its other ones too, but not twice of one field.
///
/// # Errors
/// The file fails.
pub(in crate::records) fn complete(tx: &Tx, entity: &Entity, draft: &mut Draft) -> Result<(), RecordError> {
    let hooks_ran = draft.faults.is_empty();
    for field in &entity.fields {
        let value = draft.after.get(field.column).cloned().unwrap_or_default();
        if value.is_null() {
            if field.required
                && !matches!(field.kind, Kind::AutoNumber(_))
                && (hooks_ran || !field.read_only)
                && !is_faulty(draft, &field.key)
            {
                draft.faults.push(input::required(field));
            }
            continue;
        }
        if is_faulty(draft, &field.key) {
            continue;
        }
        if let Err(fault) =
            changed(field, draft).map_or(Ok(()), |second| input::stored(field, &value, &second))
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
    judge(tx, entity, draft)?;
    external_ids(tx, entity, draft)
}

/// The second column of a field (a currency, if it is money), when either column is new.
fn changed(field: &Field, draft: &Draft) -> Option<Value> {
    let end = field.column + if matches!(field.kind, Kind::Money) { 2 } else { 1 };
    let before = draft.before.as_ref().and_then(|before| before.get(field.column..end));
    let after = draft.after.get(field.column..end)?;
    (before != Some(after)).then(|| after.get(1).cloned().unwrap_or_default())
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
