//! Another plugin's published view in a plugin's statement: its file attached, the caller's rows and fields of the entity.

use std::rc::Rc;

use super::list::visible;
use super::plugin_sql::masked;
use super::rights::predicate_there;
use super::schema::{Entity, Published, Reading};
use super::value::Value;
use super::{RecordError, Records, Scope};
use crate::storage::Connection;

/// Whether a plugin may read this view at all, whoever asks.
///
/// # Errors
/// `view_not_granted`.
pub fn permitted(reading: &Reading) -> Result<(), RecordError> {
    if reading.granted {
        return Ok(());
    }
    let detail = format!(
        "the organization did not grant this plugin to read `{}`; an administrator can, where plugins are installed",
        reading.key()
    );
    Err(RecordError::conflict("view_not_granted", detail))
}

fn unavailable(reading: &Reading, why: &str) -> RecordError {
    RecordError::conflict("view_unavailable", format!("`{}` cannot be read here: {why}", reading.key()))
}

/// The view and its entity, as the organization has them.
fn find<'s>(
    scope: &'s Scope,
    reading: &Reading,
) -> Result<(&'s Published, std::sync::Arc<Entity>), RecordError> {
    permitted(reading)?;
    let there = scope
        .module(&reading.plugin)
        .ok_or_else(|| unavailable(reading, "the organization does not use that plugin"))?;
    let gone = || unavailable(reading, "the version of that plugin which runs here does not publish it");
    let view = there.between.view(&reading.view).ok_or_else(gone)?;
    let entity = there.entity(&view.entity).ok_or_else(gone)?;
    match view.lacks(&reading.columns) {
        Some(_) => Err(gone()),
        None => Ok((view, entity)),
    }
}

/// Attaches the file of the view to this snapshot and answers the select that stands for the view: the columns asked for,
/// empty where the caller may not read them, of the rows that he may read.
///
/// # Errors
/// `view_not_granted`, `view_unavailable`, or the file fails.
pub(super) fn select(
    engine: &Records,
    conn: &Rc<Connection>,
    scope: &Scope,
    reading: &Reading,
    params: &mut Vec<Value>,
) -> Result<String, RecordError> {
    if conn.writable() {
        return Err(unavailable(reading, "other plugins' views are read by reports and `read` actions only"));
    }
    let (_, entity) = find(scope, reading)?;
    let schema = conn.attach(&reading.plugin, &engine.file_of(scope.organization.id, &reading.plugin)?)?;
    let hidden = masked(scope, &entity);
    let shown = reading.columns.iter().map(|name| match hidden(name) {
        true => format!("null as \"{name}\""),
        false => format!("\"{name}\""),
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    let mut sql = format!("select {shown} from {schema}.\"{}\" where deleted_at is null and ", entity.key);
    match visible(scope, &entity, "read") {
        Ok(rows) if rows.always() => sql.push('1'),
        Ok(rows) => predicate_there(scope, &entity, &rows, &schema, &mut sql, params)?,
        Err(_) => sql.push('0'), // the caller may read none: an empty view
    }
    Ok(sql)
}
