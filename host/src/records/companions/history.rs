//! The history of a record: what was changed in it, field by field, by whom, the newest first.

use std::collections::HashMap;
use std::rc::Rc;

use serde::Serialize;
use serde_json::Value as Json;

use super::changes::{Amounts, Entry, FieldChange, entries, readable};
use super::event::Happened;
use super::{Names, Page, Paging, Person, access, binding, opened, sealed, store};
use crate::clock::rfc3339;
use crate::ids::{MergeId, RecordId, RequestId};
use crate::records::schema::{Entity, Field};
use crate::records::value::Value;
use crate::records::{RecordError, Records, Scope};
use crate::storage::Connection;

/// Merges that are looked at to tell which one did a change.
const MERGES: usize = 1_000;

/// One change of a record.
#[derive(Debug, Serialize)]
pub struct ChangeView {
    /// Its number in the log.
    pub id: String,
    /// `created`, `updated`, `deleted`, `restored`.
    pub event: &'static str,
    /// When.
    pub at: String,
    /// Who.
    pub by: Person,
    /// How it came in.
    pub source: String,
    /// Whether the plugin did it on its own authority.
    pub as_plugin: bool,
    /// In which request.
    pub request: RequestId,
    /// The merge that did it, or whose undoing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<MergeId>,
    /// The fields.
    pub changes: Vec<FieldChange>,
}

impl ChangeView {
    pub(super) fn new(entry: &Entry, changes: Vec<FieldChange>, by: Person) -> Self {
        Self {
            id: entry.seq.to_string(),
            event: entry.event(),
            at: rfc3339(entry.at),
            by,
            source: entry.source.clone(),
            as_plugin: entry.as_plugin,
            request: entry.request,
            merge: None,
            changes,
        }
    }
}

/// The key of a field that a history can be asked for.
///
/// # Errors
/// [`RecordError::BadRequest`] for a name that the entity does not have.
pub fn field(scope: &Scope, entity: &Entity, name: &str) -> Result<String, RecordError> {
    let shown: String = name.chars().filter(|letter| !letter.is_control()).take(64).collect();
    let unknown =
        || RecordError::bad("unknown_field", format!("`{shown}` is not a field of {}", entity.object));
    scope.field(entity, name)?.map(|field| field.key.to_string()).ok_or_else(unknown)
}

/// The merges that a record took part in, by the requests that did or undid them: of the last so many.
fn merges(
    conn: &Rc<Connection>,
    entity: &Entity,
    record: RecordId,
) -> Result<HashMap<RequestId, MergeId>, RecordError> {
    let newest = (i64::MAX, RecordId::from_bytes([0xff; 16]));
    let kinds = [Happened::Merged, Happened::Unmerged];
    let events = store::events(conn, &entity.key, record, newest, &kinds, MERGES)?;
    let parts = events.iter().filter_map(|event| {
        let part = |name: &str| event.detail.get(name).and_then(Json::as_str);
        Some((part("request")?.parse().ok()?, part("merge")?.parse().ok()?))
    });
    Ok(parts.collect())
}

/// A page of a record's history; of one field only, if `field` is given. A page may be short though more follow.
///
/// # Errors
/// [`RecordError::NotFound`], a cursor of another list, or a file fails.
pub fn page(
    engine: &Records,
    scope: &Scope,
    conn: &Rc<Connection>,
    entity: &Entity,
    record: RecordId,
    (field, paging): (Option<&Field>, &Paging),
) -> Result<Page<ChangeView>, RecordError> {
    let values = access::read(conn, scope, entity, record)?;
    let key = field.map(|field| &*field.key).unwrap_or_default();
    let binding = format!("{} {key}", binding("history", scope, entity, Some(record)));
    let (mut below, mut amounts) = (i64::MAX, Amounts::now(entity, &values));
    if let Some(values) = opened(engine, &binding, paging, 2)? {
        below = values.first().and_then(Value::integer).unwrap_or_default();
        amounts = Amounts::read(values.get(1).and_then(Value::text).unwrap_or_default());
    }
    let (found, ended) = entries(conn, entity, record, below, field, paging.limit)?;
    let names = Names::of(engine, scope, found.iter().map(|entry| entry.by))?;
    let mut data = Vec::with_capacity(found.len());
    let merges = merges(conn, entity, record)?;
    for entry in &found {
        let mut changes = amounts.step_back(entity, entry, field);
        changes.retain(|change| readable(scope, entity, &change.field));
        if field.is_none() || !changes.is_empty() {
            let merge = merges.get(&entry.request).copied();
            data.push(ChangeView { merge, ..ChangeView::new(entry, changes, names.person(entry.by)) });
        }
    }
    let first = |ended: i64| -> Result<bool, RecordError> {
        Ok(entries(conn, entity, record, ended, None, 1)?.0.is_empty())
    };
    let next_cursor = match ended {
        Some(ended) if !first(ended)? => {
            let amounts = amounts.written(|key| readable(scope, entity, key));
            Some(sealed(engine, &binding, &[Value::Integer(ended), Value::Text(amounts)]))
        }
        _ => None,
    };
    Ok(Page { data, next_cursor })
}
