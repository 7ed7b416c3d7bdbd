//! Files of records: a row says name, type, size and whose it is; the content lies outside the database, each once
//! ([`Blobs`](crate::records::blobs::Blobs)).
//!
//! A file belongs to a record, or is loose: uploaded for a record that is yet to be made, attached by the first field that
//! takes it, and removed after a day if none does.

pub mod media;
pub mod name;
pub(super) mod store;
mod sweep;

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;

use super::event::{self, Happened};
use super::{Names, Page, Paging, Person, access, after, binding, paged};
use crate::clock::{UnixMillis, rfc3339};
use crate::ids::{PrincipalId, RecordId};
use crate::records::blobs::{Digest, hex};
use crate::records::schema::{Entity, Field, Kind, Module, UPDATED_AT, UPDATED_BY};
use crate::records::tx::{Draft, Tx};
use crate::records::value::Value;
use crate::records::{Fault, RecordError, Records, Scope};
use crate::storage::Connection;

/// Most bytes of one file.
pub const LARGEST: u64 = 64 * 1024 * 1024;
/// Bytes that an organization may store, unless its settings say otherwise.
pub const QUOTA: u64 = 10 * 1024 * 1024 * 1024;
/// The setting that says otherwise: of the host, a number of bytes.
pub const QUOTA_SETTING: (&str, &str) = ("host", "storage_quota_bytes");
/// How long a loose file waits for a record.
pub const LOOSE: UnixMillis = 24 * 60 * 60 * 1000;

/// A file as it is stored.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// Its id.
    pub id: RecordId,
    /// The entity's key.
    pub entity: String,
    /// Whose it is; none while it is loose.
    pub record: Option<RecordId>,
    /// Its name, cleaned.
    pub name: String,
    /// What it is, as its content says.
    pub media_type: String,
    /// Bytes.
    pub size: u64,
    /// Which content.
    pub sha256: Digest,
    /// When it was uploaded.
    pub at: UnixMillis,
    /// By whom.
    pub by: PrincipalId,
}

/// A file as the API shows it.
#[derive(Debug, Serialize)]
pub struct AttachmentView {
    /// Its id.
    pub id: RecordId,
    /// Its name.
    pub name: String,
    /// What it is.
    pub media_type: String,
    /// Bytes.
    pub size: u64,
    /// Of the content, in hexadecimal digits.
    pub sha256: String,
    /// When it was uploaded.
    pub created_at: String,
    /// By whom.
    pub by: Person,
    /// Where its content is, for the next minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A content that lies in its place, pinned, and waits for a row.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// The name, cleaned.
    pub name: String,
    /// What it is.
    pub media_type: String,
    /// Bytes.
    pub size: u64,
    /// Which content.
    pub sha256: Digest,
}

/// Whether the caller may add a file: to this record, or, without one, for a record that is yet to be made.
///
/// # Errors
/// [`RecordError::NotFound`], [`RecordError::Forbidden`].
pub fn may_add(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Entity,
    record: Option<RecordId>,
) -> Result<(), RecordError> {
    if let Some(record) = record {
        return access::change(conn, scope, entity, record).map(drop);
    }
    let principal = &scope.caller.principal;
    let may = |action| !scope.policy.decide(principal, &entity.object, action).never();
    if may("create") || may("update") {
        return Ok(());
    }
    Err(RecordError::Forbidden { object: entity.object.to_string(), action: "create".into() })
}

/// Refuses `more` bytes beyond the organization's quota. `conn` is the file of `module`.
///
/// # Errors
/// [`RecordError::Invalid`] with the figures, or a file fails.
pub fn fits_quota(
    engine: &Records,
    scope: &Scope,
    conn: &Rc<Connection>,
    module: &Module,
    more: u64,
) -> Result<(), RecordError> {
    let mut stored = store::stored_bytes(conn)?;
    for other in scope.modules.iter().filter(|other| other.plugin != module.plugin) {
        stored += engine.read(scope, other, store::stored_bytes)?;
    }
    let quota = quota(scope);
    if stored.saturating_add(more) <= quota {
        return Ok(());
    }
    let detail = format!(
        "the organization may store {quota} bytes and stores {stored}; the {more} of this file do not fit. \
         Remove files, or ask the operator for more room"
    );
    Err(RecordError::invalid("file", "quota_exceeded", detail))
}

fn quota(scope: &Scope) -> u64 {
    let (plugin, key) = QUOTA_SETTING;
    let set = scope.settings.get(plugin).and_then(|settings| settings.get(key));
    set.and_then(|json| serde_json::from_str(json).ok()).unwrap_or(QUOTA)
}

/// Adds a file whose content has arrived.
///
/// # Errors
/// Those of [`may_add`] and [`fits_quota`].
pub fn add(
    tx: &Tx,
    entity: &Arc<Entity>,
    record: Option<RecordId>,
    arrived: Arrived,
) -> Result<Attachment, RecordError> {
    may_add(&tx.conn, &tx.scope, entity, record)?;
    let more = if store::is_referred(&tx.conn, &arrived.sha256)? { 0 } else { arrived.size };
    fits_quota(&tx.engine, &tx.scope, &tx.conn, &tx.module, more)?;
    let Arrived { name, media_type, size, sha256 } = arrived;
    let file = Attachment {
        id: RecordId::new(),
        entity: entity.key.to_string(),
        record,
        name,
        media_type,
        size,
        sha256,
        at: tx.now,
        by: tx.scope.caller.principal.id,
    };
    store::insert(&tx.conn, &file)?;
    if let Some(record) = record {
        event::say(tx, entity, record, Happened::FileAdded, told(&file))?;
    }
    Ok(file)
}

/// What an event says of a file.
fn told(file: &Attachment) -> serde_json::Value {
    json!({ "id": file.id, "name": file.name, "media_type": file.media_type, "size": file.size })
}

/// Removes a file from its record; answers the content if nothing refers to it any more.
///
/// # Errors
/// [`RecordError::NotFound`], [`RecordError::Forbidden`]; [`RecordError::Conflict`] while a field of the record names it.
pub fn remove(
    tx: &Tx,
    entity: &Arc<Entity>,
    record: RecordId,
    id: RecordId,
) -> Result<Option<Digest>, RecordError> {
    let values = access::change(&tx.conn, &tx.scope, entity, record)?;
    let file = of_record(&tx.conn, entity, record, id)?;
    if let Some(field) = fields(entity).find(|field| holds(&values, field, id)) {
        let detail =
            format!("the field `{}` of this record names the file; change the field first", field.key);
        return Err(RecordError::Conflict {
            code: "file_in_use".into(),
            detail,
            extra: serde_json::Map::new(),
            faults: Vec::new(),
        });
    }
    let loose = store::remove(&tx.conn, id)?;
    event::say(tx, entity, record, Happened::FileRemoved, told(&file))?;
    Ok(loose)
}

fn of_record(
    conn: &Rc<Connection>,
    entity: &Entity,
    record: RecordId,
    id: RecordId,
) -> Result<Attachment, RecordError> {
    let found = store::find(conn, id)?;
    let own = |file: &Attachment| file.record == Some(record) && file.entity == *entity.key;
    found.filter(own).ok_or(RecordError::NotFound)
}

/// One file of a record.
///
/// # Errors
/// [`RecordError::NotFound`], or the file fails.
pub fn get(
    engine: &Records,
    scope: &Scope,
    conn: &Rc<Connection>,
    entity: &Entity,
    (record, id): (RecordId, RecordId),
) -> Result<AttachmentView, RecordError> {
    access::read(conn, scope, entity, record)?;
    let file = of_record(conn, entity, record, id)?;
    shown(engine, scope, vec![file])?.pop().ok_or(RecordError::NotFound)
}

/// A page of the files of a record, the newest first.
///
/// # Errors
/// [`RecordError::NotFound`], a cursor of another list, or the file fails.
pub fn page(
    engine: &Records,
    scope: &Scope,
    conn: &Rc<Connection>,
    entity: &Entity,
    record: RecordId,
    paging: &Paging,
) -> Result<Page<AttachmentView>, RecordError> {
    access::read(conn, scope, entity, record)?;
    let binding = binding("files", scope, entity, Some(record));
    let read = |from, limit| store::page(conn, &entity.key, record, after(from), limit);
    let (files, next_cursor) =
        paged(engine, &binding, paging, read, |one| [Value::Integer(one.at), one.id.into()])?;
    Ok(Page { data: shown(engine, scope, files)?, next_cursor })
}

/// Files as the API shows them.
///
/// # Errors
/// The identity file fails.
pub fn shown(
    engine: &Records,
    scope: &Scope,
    files: Vec<Attachment>,
) -> Result<Vec<AttachmentView>, RecordError> {
    let names = Names::of(engine, scope, files.iter().map(|file| file.by))?;
    let views = files.into_iter().map(|file| AttachmentView {
        id: file.id,
        name: file.name,
        media_type: file.media_type,
        size: file.size,
        sha256: hex(&file.sha256),
        created_at: rfc3339(file.at),
        by: names.person(file.by),
        url: None,
    });
    Ok(views.collect())
}

/// The JSON of files by id, for `expand` of a file field: whoever may read the record may know of the files that it names.
///
/// # Errors
/// A file fails.
pub fn attachment_json(
    engine: &Records,
    scope: &Scope,
    module: &Module,
    ids: &BTreeSet<RecordId>,
) -> Result<HashMap<RecordId, Vec<u8>>, RecordError> {
    let files = engine.read(scope, module, |conn| {
        let found = ids.iter().filter_map(|id| store::find(conn, *id).transpose());
        found.collect::<Result<Vec<_>, _>>()
    })?;
    let views = shown(engine, scope, files)?.into_iter();
    Ok(views.filter_map(|view| Some((view.id, serde_json::to_vec(&view).ok()?))).collect())
}

fn fields(entity: &Entity) -> impl Iterator<Item = &Field> {
    entity.fields.iter().filter(|field| matches!(field.kind, Kind::File))
}

fn holds(values: &[Value], field: &Field, id: RecordId) -> bool {
    values.get(field.column).and_then(Value::id) == Some(id)
}

/// Checks the file fields that the drafts change: a field names a file of its record, or a loose one of whoever writes.
///
/// # Errors
/// The file fails.
pub(in crate::records) fn check_fields(
    tx: &Tx,
    entity: &Entity,
    drafts: &mut [Draft],
) -> Result<(), RecordError> {
    for field in fields(entity) {
        for draft in drafts.iter_mut() {
            let before = draft.before.as_ref().and_then(|before| before.get(field.column));
            let after = draft.after.get(field.column);
            let Some(id) = after.filter(|_| before != after).and_then(Value::id) else { continue };
            let found = store::find(&tx.conn, id)?.filter(|file| file.entity == *entity.key);
            let caller = tx.scope.caller.principal.id;
            let good = found.is_some_and(|file| match file.record {
                Some(record) => record == draft.id,
                None => file.by == caller || !tx.authority.asks_policy(),
            });
            if !good {
                let detail = format!(
                    "{} names no file of this record and none that you uploaded for it; send the file first",
                    field.label
                );
                let fault = Fault::at(&field.key, "reference_not_found", detail);
                if !draft.faults.contains(&fault) {
                    draft.faults.push(fault);
                }
            }
        }
    }
    Ok(())
}

/// Gives the loose files that a row names to its record.
///
/// # Errors
/// The file fails.
pub(in crate::records) fn attach_fields(
    conn: &Rc<Connection>,
    entity: &Entity,
    before: Option<&[Value]>,
    after: Option<&[Value]>,
) -> Result<(), RecordError> {
    let Some(row) = after else { return Ok(()) };
    let Some(record) = row.first().and_then(Value::id) else { return Ok(()) };
    for field in fields(entity) {
        let old = before.and_then(|before| before.get(field.column));
        let new = row.get(field.column);
        let Some(id) = new.filter(|_| old != new).and_then(Value::id) else { continue };
        if !store::attach(conn, id, &entity.key, record)? {
            continue;
        }
        if let Some(file) = store::find(conn, id)? {
            let at = row.get(UPDATED_AT).and_then(Value::integer).unwrap_or(file.at);
            let by = row.get(UPDATED_BY).and_then(Value::id);
            let by = by.map_or(file.by, |id| PrincipalId::from_bytes(*id.as_bytes()));
            event::say_of(conn, &entity.key, record, (at, by), Happened::FileAdded, told(&file))?;
        }
    }
    Ok(())
}
