//! What lies in the recycle bin, page by page.

use std::io::Write as _;

use super::{RESTORE, store};
use crate::clock::rfc3339;
use crate::records::cursor;
use crate::records::error::RecordError;
use crate::records::json::{write_id, write_text};
use crate::records::rights::{masked_names, predicate, write_masked};
use crate::records::schema::Entity;
use crate::records::shown::{fields, write_members};
use crate::records::value::Value;
use crate::records::{Records, Scope};

/// Which page.
#[derive(Clone, Debug)]
pub struct Page {
    /// How many records: 1 to 200.
    pub limit: usize,
    /// Where to go on.
    pub cursor: Option<String>,
}

/// A page of the records of an entity that were deleted, newest deletions first, each with `deleted_at`, `deleted_by` and
/// `cohort`: those that the caller may read and bring back.
///
/// # Errors
/// [`RecordError::Forbidden`]; [`RecordError::BadRequest`] for a cursor that does not belong here.
pub fn page(engine: &Records, scope: &Scope, entity: &Entity, asked: &Page) -> Result<Vec<u8>, RecordError> {
    let (condition, params) = visible(scope, entity)?;
    let binding = format!("{} {} deleted {condition} {params:?}", scope.organization.id, entity.object);
    let after = match &asked.cursor {
        None => None,
        Some(text) => {
            let opened = cursor::open(&engine.cursor_key, &binding, text);
            let place = opened.and_then(|(values, at)| Some((at, values.first()?.id()?)));
            Some(place.ok_or_else(|| {
                RecordError::bad(
                    "invalid_cursor",
                    "this cursor does not belong to this list; start without one",
                )
            })?)
        }
    };
    let module = scope.module(&entity.plugin).ok_or(RecordError::NotFound)?;
    let mut found = engine.read(scope, module, |conn| {
        store::binned(conn, entity, &condition, params, after, asked.limit + 1)
    })?;
    let more = found.len() > asked.limit;
    found.truncate(asked.limit);

    let (mut body, mut masked) = (b"{\"data\":[".to_vec(), Vec::new());
    write_masked(&masked_names(scope, entity), &mut masked);
    for (at, one) in found.iter().enumerate() {
        body.extend_from_slice(if at > 0 { b",{" } else { b"{" });
        write_members(fields(entity).filter(|field| scope.shows(entity, field)), &one.values, &mut body);
        body.extend_from_slice(&masked);
        // Writing into a vector cannot fail.
        let _ = write!(body, ",\"deleted_at\":\"{}\",\"deleted_by\":", rfc3339(one.at));
        write_id(&one.by, &mut body);
        body.extend_from_slice(b",\"cohort\":");
        write_id(one.cohort.as_bytes(), &mut body);
        body.push(b'}');
    }
    body.extend_from_slice(b"],\"next_cursor\":");
    match found.last().filter(|_| more) {
        Some(last) => {
            let cursor = cursor::seal(&engine.cursor_key, &binding, &[last.record.into()], last.at);
            write_text(&cursor, &mut body);
        }
        None => body.extend_from_slice(b"null"),
    }
    body.push(b'}');
    Ok(body)
}

/// The condition over an entity's columns that the caller may read a record and bring it back.
fn visible(scope: &Scope, entity: &Entity) -> Result<(String, Vec<Value>), RecordError> {
    let principal = &scope.caller.principal;
    let (mut condition, mut params) = (String::from("1"), Vec::new());
    for action in ["read", RESTORE] {
        let rows = scope.policy.decide(principal, &entity.object, action);
        if rows.never() {
            return Err(RecordError::Forbidden {
                object: entity.object.to_string(),
                action: action.to_owned(),
            });
        }
        if !rows.always() {
            condition.push_str(" and ");
            predicate(scope, entity, &rows, None, &mut condition, &mut params)?;
        }
    }
    Ok((condition, params))
}
