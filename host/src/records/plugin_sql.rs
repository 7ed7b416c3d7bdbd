//! A plugin's own SQL, run for it: parameters bound, results packed, and the `visible_<entity>` views made from the
//! caller's row predicate by the same compiler as every list.

mod kept;

use std::rc::Rc;
use std::time::Duration;

use rusqlite::Statement;

use super::cells::{Cell, push_sql};
use super::evolve;
use super::list::write_visible;
use super::profile::PROFILE;
use super::published;
use super::rights::masked_names;
use super::schema::{Entity, Module, Reading};
use super::value::Value;
use super::{RecordError, Records, Scope};
use crate::storage::{Connection, PluginMode, PluginSqlError};

pub use kept::Kept;

/// Most parameters of a plugin's statement; those after them are the host's.
pub const PARAMETERS: usize = 500;

/// The most that a result may have.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// Rows.
    pub rows: u32,
    /// Bytes.
    pub bytes: usize,
}

/// A result, packed.
#[derive(Debug, Default)]
pub struct Found {
    /// Columns per row.
    pub columns: u32,
    /// Rows in `cells`.
    pub count: u32,
    /// Row-major.
    pub cells: Vec<u8>,
    /// Whether it was cut at a limit.
    pub more: bool,
}

/// A plugin's text with the views that it names, each the caller's rows of an entity, its own or one that another plugin
/// publishes, and the values of their predicates.
///
/// # Errors
/// The policy cannot be asked, or a view of another plugin cannot be read here.
pub fn with_views(
    engine: &Records,
    conn: &Rc<Connection>,
    scope: &Scope,
    module: &Module,
    text: &str,
) -> Result<(String, Vec<Value>), RecordError> {
    let mut params = vec![Value::Null; PARAMETERS];
    let sql = behind_views(conn, module, text, |named| {
        let entity = match named {
            Named::Own(entity) => entity,
            Named::Other(reading) => return published::select(engine, conn, scope, reading, &mut params),
        };
        let mut select = format!("select {} from \"{}\" where ", columns(scope, entity), entity.key);
        match write_visible(scope, entity, "read", &mut select, &mut params) {
            Ok(()) => {}
            Err(RecordError::Forbidden { .. }) => select.push('0'), // the caller may read none: an empty view
            Err(error) => return Err(error),
        }
        Ok(select)
    })?;
    Ok((sql, params.split_off(PARAMETERS)))
}

/// What a view is of.
enum Named<'a> {
    /// An entity of the plugin's own.
    Own(&'a Entity),
    /// What another plugin publishes.
    Other(&'a Reading),
}

/// A plugin's text behind the views that it names, each what `select` says of it.
fn behind_views<E>(
    conn: &Rc<Connection>,
    module: &Module,
    text: &str,
    mut select: impl FnMut(Named<'_>) -> Result<String, E>,
) -> Result<String, E> {
    let lower = text.to_ascii_lowercase();
    let mut views = String::new();
    let own = module.entities.iter().map(|entity| (entity.key.to_string(), Named::Own(entity)));
    let others = module.between.reads.iter().map(|reading| (reading.table(), Named::Other(reading)));
    for (table, named) in own.chain(others) {
        if !lower.contains(&format!("visible_{table}")) {
            continue;
        }
        if !views.is_empty() {
            views.push_str(", ");
        }
        views.push_str(&conn.visible(&table, &select(named)?));
    }
    if views.is_empty() {
        return Ok(text.to_owned());
    }
    let (first, rest) = word(text);
    if !first.eq_ignore_ascii_case("with") {
        return Ok(format!("with {views} {text}"));
    }
    let (second, after) = word(rest);
    Ok(match second.eq_ignore_ascii_case("recursive") {
        true => format!("with recursive {views}, {after}"),
        false => format!("with {views}, {rest}"),
    })
}

/// A file in memory with the tables of a plugin, entities and private ones, on which its texts are tried.
///
/// # Errors
/// A private step that is refused, or tables that SQLite does not make.
pub fn scratch(module: &Module) -> Result<Rc<Connection>, RecordError> {
    let conn = crate::storage::scratch(&PROFILE)?;
    evolve::apply(&conn, module)?;
    for reading in &module.between.reads {
        // No key holds a dot. The columns are what the manifest asks for: that they are published is asked elsewhere.
        let columns = reading.columns.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        conn.batch(&format!("create table \"{}\" ({columns})", reading.key()))?;
    }
    Ok(conn)
}

/// Compiles a text as it will be compiled for a call, without running it, and answers whether it only reads.
///
/// # Errors
/// What the plugin's author is told.
pub fn compile(
    conn: &Rc<Connection>,
    module: &Module,
    text: &str,
    time: Duration,
) -> Result<bool, PluginSqlError> {
    let all = |named: Named<'_>| {
        let sql = match named {
            Named::Own(entity) => {
                format!("select {} from \"{}\" where deleted_at is null", entity.plugin_select, entity.key)
            }
            Named::Other(reading) => format!("select * from \"{}\"", reading.key()),
        };
        Ok::<_, PluginSqlError>(sql)
    };
    let sql = behind_views(conn, module, text, all)?;
    conn.plugin(PluginMode::AsPlugin, &sql, time, |statement| Ok(statement.readonly()))
}

/// The columns of a view: those that the caller may not read are empty.
fn columns(scope: &Scope, entity: &Entity) -> String {
    let hidden = masked(scope, entity);
    let shown = entity.columns().take(entity.plugin_width).map(|name| match hidden(&name) {
        true => format!("null as \"{name}\""),
        false => format!("\"{name}\""),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// Whether the caller may not read a column.
pub(super) fn masked(scope: &Scope, entity: &Entity) -> impl Fn(&str) -> bool + use<> {
    let masked = masked_names(scope, entity);
    move |name| {
        let whole = name.strip_suffix("_currency").unwrap_or(name);
        masked.iter().any(|key| key == name || key == whole)
    }
}

/// The first word of a text and what follows it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

fn bind(statement: &mut Statement<'_>, params: &[Cell<'_>], host: &[Value]) -> rusqlite::Result<()> {
    for (at, cell) in params.iter().enumerate() {
        statement.raw_bind_parameter(at + 1, cell)?;
    }
    for (at, value) in host.iter().enumerate() {
        statement.raw_bind_parameter(PARAMETERS + at + 1, value)?;
    }
    Ok(())
}

/// Runs a SELECT.
///
/// # Errors
/// What the plugin is told.
pub fn read(
    conn: &Rc<Connection>,
    mode: PluginMode,
    (sql, host): &(String, Vec<Value>),
    params: &[Cell<'_>],
    time: Duration,
    most: Most,
) -> Result<Found, PluginSqlError> {
    conn.plugin(mode, sql, time, |statement| {
        bind(statement, params, host)?;
        pack(statement, most)
    })
}

/// The rows of a statement that is bound, up to the limits.
fn pack(statement: &mut Statement<'_>, most: Most) -> rusqlite::Result<Found> {
    let width = statement.column_count();
    // Most results fit; growing to there from nothing would copy them half a dozen times.
    let cells = Vec::with_capacity(16 << 10);
    let mut found = Found { columns: u32::try_from(width).unwrap_or_default(), cells, ..Found::default() };
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        if found.count == most.rows || found.cells.len() > most.bytes {
            found.more = true;
            break;
        }
        for at in 0..width {
            push_sql(row.get_ref(at)?, &mut found.cells);
            // One row alone may be as large as a value times the columns: that is refused, not cut.
            if found.cells.len() > 2 * most.bytes {
                return Err(too_big());
            }
        }
        found.count += 1;
    }
    Ok(found)
}

fn too_big() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_TOOBIG), None)
}

/// Runs a change of a private table once for each list of parameters; answers the rows changed.
///
/// # Errors
/// What the plugin is told; then nothing was changed.
pub fn run(
    conn: &Rc<Connection>,
    sql: &str,
    lists: &[Vec<Cell<'_>>],
    time: Duration,
) -> Result<u64, PluginSqlError> {
    conn.plugin(PluginMode::AsPlugin, sql, time, |statement| {
        let mut changed = 0;
        for list in lists {
            bind(statement, list, &[])?;
            changed += statement.raw_execute()? as u64;
        }
        Ok(changed)
    })
}
