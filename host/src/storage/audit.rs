//! What a plugin's own migration may leave in the schema: private tables and their indexes, and nothing else touched.
//!
//! The authorizer is not asked about everything that a statement does to a schema: it is not told the new name of
//! `alter table .. rename`, for one. So the schema is looked at before and after, in the same savepoint.

use std::collections::{BTreeMap, HashSet};

use super::confine;
use super::connection::Connection;
use super::error::{PluginSqlError, StorageError};

/// The whole schema: by type and name, the table and the text.
pub(super) type Schema = BTreeMap<(String, String), (String, String)>;

/// Reads it.
pub(super) fn schema(connection: &Connection) -> Result<Schema, StorageError> {
    let mut statement =
        connection.prepare("select type, name, tbl_name, coalesce(sql, '') from sqlite_schema")?;
    let rows = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Compares the schemas before and after a migration of a plugin whose entities have these tables.
///
/// # Errors
/// What must not be.
pub(super) fn compare(
    before: &Schema,
    after: &Schema,
    entities: &HashSet<String>,
) -> Result<(), PluginSqlError> {
    let ours = |name: &str| confine::is_reserved(name) || entities.contains(&name.to_ascii_lowercase());
    for (object, (table, text)) in after {
        let (kind, name) = object;
        if before.get(object).is_some_and(|(_, known)| known == text) {
            continue;
        }
        // SQLite makes these itself, for unique constraints and for `autoincrement`.
        let of_sqlite = name.starts_with("sqlite_autoindex_") || name == "sqlite_sequence";
        if ours(table) && !(of_sqlite && name == table) || ours(name) && !of_sqlite {
            return Err(PluginSqlError::refused(format!("the name `{name}`, or changing `{table}`")));
        }
        let virtual_table = text.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("create virtual"));
        if !matches!(kind.as_str(), "table" | "index") || virtual_table {
            return Err(PluginSqlError::refused(format!("a {kind} `{name}`")));
        }
    }
    match before.iter().find(|(object, (table, _))| ours(table) && !after.contains_key(*object)) {
        Some(((kind, name), _)) => Err(PluginSqlError::refused(format!("dropping the {kind} `{name}`"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema_of(objects: &[(&str, &str, &str, &str)]) -> Schema {
        let object = |(kind, name, table, sql): &(&str, &str, &str, &str)| {
            (((*kind).to_owned(), (*name).to_owned()), ((*table).to_owned(), (*sql).to_owned()))
        };
        objects.iter().map(object).collect()
    }

    const BEFORE: &[(&str, &str, &str, &str)] = &[
        ("table", "_stoa_outbox", "_stoa_outbox", "create table _stoa_outbox (a)"),
        ("table", "entity", "entity", "create table entity (a)"),
        ("index", "_stoa_entity.a", "entity", "create index ..."),
        ("table", "mine", "mine", "create table mine (a)"),
    ];

    #[test]
    fn the_audit_refuses_what_the_authorizer_may_have_missed() {
        let entities = HashSet::from(["entity".to_owned()]);
        let judge = |more: &[(&str, &str, &str, &str)]| {
            compare(&schema_of(BEFORE), &schema_of(&[BEFORE, more].concat()), &entities)
        };
        judge(&[]).unwrap();
        judge(&[
            ("table", "new", "new", "create table new (a unique)"),
            ("index", "sqlite_autoindex_new_1", "new", ""),
            ("index", "new_a", "new", "create index new_a on new (a)"),
            ("table", "sqlite_sequence", "sqlite_sequence", "create table sqlite_sequence(name,seq)"),
        ])
        .unwrap();
        for bad in [
            ("table", "_stoa_new", "_stoa_new", "create table _stoa_new (a)"),
            ("table", "_STOA_new", "_STOA_new", "create table _STOA_new (a)"),
            ("table", "Entity", "Entity", "create table Entity (a)"),
            ("trigger", "t", "_stoa_outbox", "create trigger t ..."),
            ("trigger", "t", "entity", "create trigger t ..."),
            (
                "trigger",
                "t",
                "mine",
                "create trigger t after insert on mine begin delete from _stoa_outbox; end",
            ),
            ("view", "v", "v", "create view v as select 1"),
            ("table", "f", "f", "CREATE VIRTUAL TABLE f using fts5 (a)"),
            ("index", "i", "entity", "create index i on entity (a)"),
            ("index", "_stoa_i", "mine", "create index _stoa_i on mine (a)"),
            ("table", "entity", "entity", "create table entity (a, b)"),
            ("table", "_stoa_outbox", "_stoa_outbox", "create table _stoa_outbox (b)"),
        ] {
            assert!(judge(&[bad]).is_err(), "{bad:?}");
        }
        for gone in 0..3 {
            let mut after = BEFORE.to_vec();
            after.remove(gone);
            assert!(compare(&schema_of(BEFORE), &schema_of(&after), &entities).is_err(), "{gone}");
        }
        let dropped = schema_of(&BEFORE[..3]);
        compare(&schema_of(BEFORE), &dropped, &entities).unwrap();
    }
}
