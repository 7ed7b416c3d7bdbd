//! Bringing a file to the declared schema: new tables, new columns, new indexes. Nothing is ever dropped here; what is
//! not additive is refused and needs an explicit step.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use rusqlite::OptionalExtension as _;

use super::error::RecordError;
use super::schema::{Entity, Field, Kind, Module, SYSTEM_COLUMNS, Stored};
use super::search;
use crate::storage::{Connection, StorageError};

/// Applies the module's schema. Does nothing to what is already there.
///
/// # Errors
/// [`RecordError::Schema`] for a column whose type changed, a unique field whose values are not, or a private step that
/// was edited or is more than new tables and indexes.
pub fn apply(conn: &Rc<Connection>, module: &Module) -> Result<(), RecordError> {
    conn.declare_entities(Arc::clone(&module.tables)); // private steps may not touch them
    for entity in &module.entities {
        let existing = columns(conn, &entity.key)?;
        if existing.is_empty() {
            conn.batch(&create_table(entity))?;
        } else {
            add_columns(conn, entity, &existing)?;
        }
        remember_forms(conn, entity)?;
        drop_stale(conn, entity, &existing)?;
        for (field, sql) in indexes(entity) {
            if let Err(error) = conn.batch(&sql) {
                return Err(not_unique(conn, entity, field, error));
            }
        }
        search::prepare(conn, entity)?;
    }
    private(conn, module)
}

fn columns(conn: &Rc<Connection>, table: &str) -> Result<HashMap<String, String>, RecordError> {
    let mut statement = conn.prepare("select name, type from pragma_table_info(?1)")?;
    let rows = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

const fn sql_type(kind: &Kind) -> &'static str {
    match kind.stored() {
        Stored::Integer => "INTEGER",
        Stored::Text => "TEXT",
        Stored::Id => "BLOB",
    }
}

/// Columns of the declared fields with their types. Required fields are enforced by the pipeline, not by NOT NULL: a
/// later version must be able to add one to a table with rows.
fn declared(entity: &Entity) -> impl Iterator<Item = (String, &'static str)> + '_ {
    entity.fields.iter().flat_map(|field: &Field| {
        let currency = matches!(field.kind, Kind::Money).then(|| (format!("{}_currency", field.key), "TEXT"));
        std::iter::once((field.key.to_string(), sql_type(&field.kind))).chain(currency)
    })
}

fn create_table(entity: &Entity) -> String {
    const SYSTEM: [&str; SYSTEM_COLUMNS.len()] = [
        "id BLOB not null unique check (length(id) = 16)",
        "version INTEGER not null",
        "created_at INTEGER not null",
        "created_by BLOB not null",
        "updated_at INTEGER not null",
        "updated_by BLOB not null",
        "owner_id BLOB",
        "team_id BLOB",
        "deleted_at INTEGER",
        "source TEXT not null",
        "external_ids TEXT",
    ];
    let mut parts = vec!["_row INTEGER primary key".to_owned()];
    parts.extend(SYSTEM.iter().map(|column| (*column).to_owned()));
    parts.extend(declared(entity).map(|(name, kind)| format!("\"{name}\" {kind}")));
    format!("create table \"{}\" ({}) strict", entity.key, parts.join(", "))
}

/// The statements that add what the tables of the module lack. Each reads its whole table once (`strict` tables are checked
/// when they change), so a large one is better given them one by one.
pub(super) fn lacking(conn: &Rc<Connection>, module: &Module) -> Result<Vec<String>, RecordError> {
    let mut all = Vec::new();
    for entity in &module.entities {
        let existing = columns(conn, &entity.key)?;
        let new = declared(entity).filter(|(name, _)| !existing.is_empty() && !existing.contains_key(name));
        all.extend(new.map(|(name, kind)| add_column(entity, &name, kind)));
    }
    Ok(all)
}

fn add_column(entity: &Entity, name: &str, kind: &str) -> String {
    format!("alter table \"{}\" add column \"{name}\" {kind}", entity.key)
}

fn add_columns(
    conn: &Rc<Connection>,
    entity: &Entity,
    existing: &HashMap<String, String>,
) -> Result<(), RecordError> {
    for (name, kind) in declared(entity) {
        match existing.get(&name) {
            None => conn.batch(&add_column(entity, &name, kind))?,
            Some(stored) if stored == kind => {}
            Some(stored) => {
                return Err(RecordError::Schema(format!(
                    "{}.{name} is stored as {stored} and declared as {kind}: that is not an additive change",
                    entity.object
                )));
            }
        }
    }
    Ok(())
}

/// What the values of a kind mean: under another one they would be read as something else, or not at all.
fn form(kind: &Kind) -> String {
    match kind {
        Kind::Text | Kind::RichText | Kind::Email | Kind::Phone | Kind::Url => "text".to_owned(),
        Kind::Integer => "integer".to_owned(),
        Kind::Decimal(scale) => format!("decimal({scale})"),
        Kind::Money => "money".to_owned(),
        Kind::Percent => "percent".to_owned(),
        Kind::Boolean => "boolean".to_owned(),
        Kind::Date => "date".to_owned(),
        Kind::DateTime => "date_time".to_owned(),
        Kind::Duration => "duration".to_owned(),
        Kind::Option(_) => "option".to_owned(),
        Kind::Options(_) => "options".to_owned(),
        Kind::Reference(target, _) => format!("reference({}.{})", target.plugin, target.entity),
        Kind::References(target, _) => format!("references({}.{})", target.plugin, target.entity),
        Kind::Json => "json".to_owned(),
        Kind::Address => "address".to_owned(),
        Kind::File => "file".to_owned(),
        Kind::AutoNumber(_) => "text".to_owned(),
    }
}

/// Compares the forms of the fields with those that the file was built for, and keeps the new ones. A field that is no
/// longer declared keeps its column and its form.
fn remember_forms(conn: &Rc<Connection>, entity: &Entity) -> Result<(), RecordError> {
    let key = format!("fields:{}", entity.key);
    let stored: Option<String> = conn
        .prepare("select value from _stoa_schema where key = ?1")?
        .query_row([&key], |row| row.get(0))
        .optional()?;
    let mut forms: BTreeMap<String, String> =
        stored.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    for field in &entity.fields {
        let declared = form(&field.kind);
        let before = forms.entry(field.key.to_string()).or_insert_with(|| declared.clone());
        if *before != declared {
            return Err(RecordError::Schema(format!(
                "{}.{} holds values of type {before} and is declared as {declared}: that is not an additive change",
                entity.object, field.key
            )));
        }
    }
    let value = serde_json::json!(forms).to_string();
    conn.execute("insert or replace into _stoa_schema (key, value) values (?1, ?2)", [&key, &value])?;
    Ok(())
}

/// Why an index could not be made: how many records share a value.
fn not_unique(
    conn: &Rc<Connection>,
    entity: &Entity,
    field: Option<&Field>,
    error: StorageError,
) -> RecordError {
    let Some(field) = field.filter(|field| field.unique) else { return error.into() };
    let column = &field.key;
    let sql = format!(
        "select count(*) from \"{0}\" where deleted_at is null and \"{column}\" in (select \"{column}\" from \"{0}\" \
         where deleted_at is null and \"{column}\" is not null group by \"{column}\" having count(*) > 1)",
        entity.key
    );
    let counted =
        conn.prepare(&sql).and_then(|mut statement| Ok(statement.query_row([], |row| row.get::<_, i64>(0))?));
    match counted {
        Ok(0) | Err(_) => error.into(),
        Ok(count) => RecordError::Schema(format!(
            "{count} records of {} share a value of `{column}`, which is to be unique; change them first",
            entity.object
        )),
    }
}

/// Drops the indexes of columns that are no fields any more: a unique one would go on refusing what nobody sees.
fn drop_stale(
    conn: &Rc<Connection>,
    entity: &Entity,
    existing: &HashMap<String, String>,
) -> Result<(), RecordError> {
    let indexes: Vec<String> = {
        let mut statement = conn.prepare("select name from pragma_index_list(?1)")?;
        let names = statement.query_map([&*entity.key], |row| row.get(0))?;
        names.collect::<rusqlite::Result<_>>()?
    };
    let prefix = format!("_stoa_{}.", entity.key);
    let columns: HashSet<String> = entity.columns().collect();
    for name in indexes {
        let Some(column) = name.strip_prefix(&prefix) else { continue };
        let column = column.strip_suffix(".unique").unwrap_or(column);
        if existing.contains_key(column) && column != "_row" && !columns.contains(column) {
            conn.batch(&format!("drop index \"{name}\""))?;
        }
    }
    Ok(())
}

/// The statements that make (and drop) indexes, each with the field it is for.
fn indexes(entity: &Entity) -> Vec<(Option<&Field>, String)> {
    let table = &entity.key;
    // Keys hold no dot: no two columns of the file share a name here, as `a`.`b_c` and `a_b`.`c` would with `_`.
    let index = |column: &str| {
        format!("create index if not exists \"_stoa_{table}.{column}\" on \"{table}\" (\"{column}\")")
    };
    let drop =
        |column: &str, unique: &str| format!("drop index if exists \"_stoa_{table}.{column}{unique}\"");
    let mut all = vec![(None, index("owner_id")), (None, index("team_id"))];
    for field in &entity.fields {
        let column = &field.key;
        // A field that changed its mind: the index of the other kind would stay, and a unique one goes on refusing.
        all.push((None, drop(column, if field.unique { "" } else { ".unique" })));
        if field.unique {
            let sql = format!(
                "create unique index if not exists \"_stoa_{table}.{column}.unique\" on \"{table}\" (\"{column}\") \
                 where deleted_at is null and \"{column}\" is not null"
            );
            all.push((Some(field), sql));
        } else if field.indexed || matches!(field.kind, Kind::Reference(..)) {
            all.push((None, index(column)));
        }
    }
    all
}

/// The names of the private steps that a file with tables has not taken yet. A new file has nothing to lose.
pub(super) fn pending(conn: &Rc<Connection>, module: &Module) -> Result<Vec<String>, RecordError> {
    let taken: HashSet<String> = {
        let mut statement = conn.prepare("select key from _stoa_schema")?;
        let keys = statement.query_map([], |row| row.get(0))?;
        keys.collect::<rusqlite::Result<_>>()?
    };
    if taken.is_empty() {
        return Ok(Vec::new());
    }
    let names = module.private.iter().map(|step| step.name.to_string());
    Ok(names.filter(|name| !taken.contains(&format!("private:{name}"))).collect())
}

/// The private tables: ordered steps of the plugin, run under the authorizer's rules for migrations. An edited one is
/// refused: files that had it before would differ from files that get it now.
fn private(conn: &Rc<Connection>, module: &Module) -> Result<(), RecordError> {
    for step in &module.private {
        let key = format!("private:{}", step.name);
        let wanted = serde_json::Value::from(step.sql.as_str()).to_string();
        let stored: Option<String> = conn
            .prepare("select value from _stoa_schema where key = ?1")?
            .query_row([&key], |row| row.get(0))
            .optional()?;
        if stored.as_ref() == Some(&wanted) {
            continue;
        }
        let refuse = |why: &str| {
            RecordError::Schema(format!("private step {} of {}: {why}", step.name, module.plugin))
        };
        if stored.is_some() {
            return Err(refuse("it was edited after it was applied; write the next one"));
        }
        conn.migrate_private(&step.sql).map_err(|error| refuse(&error.to_string()))?;
        conn.execute("insert into _stoa_schema (key, value) values (?1, ?2)", [&key, &wanted])?;
    }
    Ok(())
}
