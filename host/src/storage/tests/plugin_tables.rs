//! Which tables a plugin finds open: its entities, the views of a caller, its private tables.

use super::super::{PluginMode, PluginSqlError};
use super::plugin_sql::{entities, stage, try_sql};
use super::*;

#[test]
fn a_caller_s_statement_sees_an_entity_only_through_the_host_s_view() {
    let (_stage, file) = stage();
    file.read(|connection| {
        let caller = |sql: &str| try_sql(connection, PluginMode::AsCaller, sql);
        let views = connection.visible("entity", "select * from entity where name = 'one'");
        for (sql, rows) in [
            (format!("with {views} select * from visible_entity"), 1),
            (format!("with {views} select count(*) from visible_entity"), 1),
            (format!("with {views} select v.id from visible_entity v join visible_entity w on v.id = w.id"), 1),
            (format!("with {views} select * from (select name from (select * from visible_entity))"), 1),
            (format!("with {views}, mine as (select * from visible_entity) select * from mine, private"), 2),
        ] {
            let answer = caller(&sql);
            assert!(matches!(answer, Ok(found) if found == rows), "{sql}: {answer:?}");
        }
        for sql in [
            "select * from entity",
            "select count(*) from entity",
            "select 1 from Entity",
            "with visible_entity as (select * from entity) select * from visible_entity",
            "with visible_entity as (select * from entity) select count(*) from visible_entity",
            "select * from (select * from entity) as visible_entity",
            &format!("with {views} select * from visible_entity, entity"),
            &format!("with {views} select (select count(*) from entity) from visible_entity"),
            &format!("with {views} select * from visible_entity where exists (select 1 from entity)"),
            // A view of the plugin's own, with the host's name.
            &format!("with {views} select * from (with visible_entity as (select * from entity) select * from visible_entity)"),
            &format!("with {views} select * from visible_entity union all select * from entity"),
            &format!("with {views} insert into private values (5, 'x')"),
            "insert into private values (5, 'x')",
        ] {
            let answer = caller(sql);
            assert!(matches!(answer, Err(PluginSqlError::Refused { .. })), "{sql}: {answer:?}");
        }
        let unknown = caller(&format!("with {views} select nothing from visible_entity"));
        let told = format!("{unknown:?}");
        let seal = views.split(['"', ':']).nth(2).unwrap();
        assert!(seal.len() == 32 && !told.contains(seal), "{told}");
        Ok::<_, StorageError>(())
    })
    .unwrap();
}

#[test]
fn without_declared_entities_no_plugin_statement_runs() {
    let stage = Stage::new();
    let file = stage.file();
    file.read(|connection| {
        assert!(matches!(
            try_sql(connection, PluginMode::AsPlugin, "select 1"),
            Err(PluginSqlError::Refused { .. })
        ));
        Ok::<_, StorageError>(())
    })
    .unwrap();
}

#[test]
fn a_table_that_becomes_an_entity_is_closed_although_the_statement_was_compiled_before() {
    let (_stage, file) = stage();
    write(&file, |connection| {
        let sql = "delete from private where key = 99";
        try_sql(connection, PluginMode::AsPlugin, sql).unwrap();
        connection.declare_entities(Arc::new(["private".to_owned()].into()));
        assert!(matches!(
            try_sql(connection, PluginMode::AsPlugin, sql),
            Err(PluginSqlError::Refused { .. })
        ));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_host_s_file_takes_no_plugin_statement() {
    let stage = Stage::new();
    let profile = FileProfile { kind: FileKind::Host, ..PROFILE };
    let file = stage.files.open(stage.organization, "identity", &profile).unwrap();
    file.read(|connection| {
        connection.declare_entities(entities());
        assert!(matches!(
            try_sql(connection, PluginMode::AsPlugin, "select 1"),
            Err(PluginSqlError::Refused { .. })
        ));
        Ok::<_, StorageError>(())
    })
    .unwrap();
}

/// What a migration of private tables may not contain.
const REFUSED: &[&str] = &[
    "create table _stoa_x (a)",
    "create table x (a); alter table x rename to _stoa_outbox",
    "create table x (a); alter table x rename to _STOA_outbox",
    "create table if not exists entity (a)",
    "create index x on entity (name)",
    "create index _stoa_i on private (value)",
    "create index x on _stoa_changes (at)",
    "alter table entity add column x",
    "drop table entity",
    "drop table _stoa_changes",
    "create trigger x after insert on private begin delete from private; end",
    "create trigger x after insert on _stoa_changes begin delete from private; end",
    "create view visible_entity as values (1)",
    "create temp table x (a)",
    "create virtual table x using fts5 (a)",
    "create table x as select * from _stoa_changes",
    "create table x (a unique on conflict rollback)",
    "create table x (a references private deferrable initially deferred)",
    "insert into entity (id) values (x'77')",
    "update sqlite_schema set sql = ''",
    "delete from sqlite_schema",
    "pragma user_version = 1",
    "attach ':memory:' as x",
    "commit",
    "vacuum",
];

#[test]
fn a_plugin_migrates_its_private_tables_and_nothing_else() {
    let (_stage, file) = stage();
    write(&file, |connection| {
        connection
            .migrate_private(
                "create table counter (key text not null primary key, value integer not null) strict, without rowid;
                 create index counter_value on counter (value);
                 create table list (id integer primary key autoincrement, item text unique);
                 insert into counter values ('a', 1);
                 alter table counter add column note text;
                 alter table counter rename column note to remark;
                 alter table list rename to items;
                 drop index counter_value;",
            )
            .unwrap();
        try_sql(connection, PluginMode::AsPlugin, "insert into items (item) values ('x')").unwrap();
        connection.migrate_private("drop table items").unwrap();
        Ok(())
    })
    .unwrap();
    for sql in REFUSED {
        let text = (*sql).to_owned();
        let answer = file
            .write_blocking(origin(), move |connection| {
                Ok::<_, StorageError>(Verdict::Keep(connection.migrate_private(&text)))
            })
            .unwrap();
        assert!(answer.is_err(), "{sql}");
        assert!(!matches!(answer, Err(PluginSqlError::Storage(_))), "{sql}: {answer:?}");
    }
    assert_eq!(count(&file, "sqlite_schema where name like '\\_stoa\\_%' escape '\\' and type = 'table'"), 5);
    assert_eq!(count(&file, "sqlite_schema where type in ('trigger', 'view')"), 0);
}
