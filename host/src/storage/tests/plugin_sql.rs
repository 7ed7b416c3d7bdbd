//! Plugin SQL: what it may do, and everything it tries although it may not.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::super::{PluginMode, PluginSqlError};
use super::*;

const SHORT: Duration = Duration::from_millis(150);

pub(super) fn entities() -> Arc<HashSet<String>> {
    Arc::new(["entity", "compact"].map(str::to_owned).into())
}

pub(super) fn stage() -> (Stage, Arc<TenantFile>) {
    let stage = Stage::new();
    let file = stage.file();
    write(&file, |connection| {
        connection.declare_entities(entities());
        connection.execute("insert into entity (id, name) values (x'01', 'one'), (x'02', 'two')", [])?;
        connection.execute("insert into private values (1, 'a'), (2, 'b')", []).map(|_| ())
    })
    .unwrap();
    (stage, file)
}

/// The rows of the plugin's statement, or the changed ones of a write.
pub(super) fn try_sql(connection: &Connection, mode: PluginMode, sql: &str) -> Result<usize, PluginSqlError> {
    connection.plugin(mode, sql, SHORT, |statement| {
        if statement.column_count() == 0 {
            return statement.raw_execute();
        }
        let mut rows = statement.raw_query();
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let _ = row.get_ref(0)?;
            count += 1;
        }
        Ok(count)
    })
}

fn attempt(file: &TenantFile, mode: PluginMode, sql: &str) -> Result<usize, PluginSqlError> {
    let text = sql.to_owned();
    file.write_blocking(origin(), move |connection| {
        Ok::<_, StorageError>(Verdict::Keep(try_sql(connection, mode, &text)))
    })
    .unwrap()
}

pub(super) fn attempt_as_plugin(file: &TenantFile, sql: &str) -> Result<usize, PluginSqlError> {
    attempt(file, PluginMode::AsPlugin, sql)
}

#[test]
fn a_plugin_reads_its_entities_and_writes_its_private_tables() {
    let (_stage, file) = stage();
    for (sql, rows) in [
        ("select name from entity order by name", 2),
        ("select count(*) from entity", 1),
        ("with recursive n (i) as (values (1) union all select i + 1 from n where i < 9) select i from n", 9),
        ("select j.value from json_each('[1,2,3]') as j", 3),
        ("select upper(name), instr(name, 'n'), replace(name, 'o', '0') from entity", 2),
        ("insert into private values (3, 'c')", 1),
        ("insert into private values (3, 'd') on conflict (key) do update set value = excluded.value", 1),
        ("update private set value = 'z' where key in (1, 2)", 2),
        ("insert into private values (9, 'r') returning key", 1),
        ("delete from private", 4),
    ] {
        let answer = attempt_as_plugin(&file, sql);
        assert!(matches!(answer, Ok(found) if found == rows), "{sql}: {answer:?}");
    }
    file.read(|connection| connection.verify_changes()).unwrap();
    assert!(log(&file).iter().any(|line| line[0] == "private"), "private tables are logged like others");
}

const ATTACKS: &[&str] = &[
    "attach 'ELSEWHERE' as x",
    "attach ':memory:' as x",
    "detach main",
    "pragma user_version = 7",
    "pragma writable_schema = on",
    "PRAGMA table_info(entity)",
    "select * from pragma_table_info('entity')",
    "select * from PRAGMA_Table_Info('entity')",
    "select * from _stoa_changes",
    "select * from _STOA_CHANGES",
    "select * from main._sToA_changes",
    "select * from \"_stoa_changes\"",
    "select count(*) from _stoa_changes",
    "select 1 from _stoa_changes limit 0",
    "select 1 where exists (select 1 from _Stoa_migrations)",
    "select (select max(seq) from _stoa_changes)",
    "with x as (select * from _stoa_changes) select * from x",
    "with x as (select * from _STOA_changes) select count(*) from x",
    "select * from (select * from (select * from _stoa_schema))",
    "select name from entity union all select name from _stoa_migrations",
    "explain select * from _stoa_changes",
    "explain query plan select * from _stoa_changes",
    "insert into _stoa_schema values ('a', '1')",
    "delete from _stoa_changes",
    "update _Stoa_changes set at = 0",
    "insert into entity (id) values (x'09')",
    "insert into ENTITY (id) values (x'09')",
    "update entity set name = 'x'",
    "update main.Entity set name = 'x'",
    "delete from entity",
    "delete from compact",
    "replace into entity (id) values (x'09')",
    "insert into private values (7, 'x') returning (select count(*) from _stoa_changes)",
    "insert into private select 8, hash from _stoa_changes",
    "insert into private select 8, 'x'",
    "with x as (values (1)) delete from private",
    "update private set value = e.name from entity e",
    "insert or rollback into private values (1, 'x')",
    "create table x (a)",
    "create temp table x (a)",
    "create view x as select 1",
    "create temp view visible_entity as select * from entity",
    "create index x on private (value)",
    "create trigger x after insert on private begin delete from entity; end",
    "create virtual table x using fts5 (a)",
    "alter table private rename to _stoa_x",
    "alter table entity add column x",
    "drop table private",
    "analyze",
    "analyze private",
    "reindex private",
    "vacuum",
    "vacuum into 'ELSEWHERE'",
    "select load_extension('x')",
    "select fts3_tokenizer('simple')",
    "select fts5(1)",
    "select rtreecheck('entity')",
    "begin",
    "commit",
    "rollback",
    "savepoint x",
    "release request",
    "rollback to request",
    "select * from sqlite_schema",
    "select * from sqlite_master",
    "select * from sqlite_temp_schema",
    "select * from dbstat",
    "insert into sqlite_schema values (1, 2, 3, 4, 5)",
    "select 1; delete from private",
    "select 1; select 2",
    "select 1\0",
    "",
    "-- nothing",
    ";",
];

#[test]
fn what_a_plugin_may_not_is_refused() {
    let (stage, file) = stage();
    let elsewhere = stage.folder.path().join("stolen.sqlite").display().to_string();
    for attack in ATTACKS {
        let sql = &attack.replace("ELSEWHERE", &elsewhere);
        for mode in [PluginMode::AsPlugin, PluginMode::AsCaller] {
            let answer = attempt(&file, mode, sql);
            assert!(matches!(answer, Err(PluginSqlError::Refused { .. })), "{mode:?} {sql}: {answer:?}");
        }
    }
    assert!(!std::fs::exists(elsewhere).unwrap());
    assert_eq!((count(&file, "entity"), count(&file, "private"), log(&file).len()), (2, 2, 4));
}

#[test]
fn what_cannot_be_compiled_is_explained() {
    let (_stage, file) = stage();
    for (sql, words) in
        [("select from", "syntax error"), ("select * from nowhere", "no such table"), ("select zap()", "zap")]
    {
        let answer = attempt_as_plugin(&file, sql);
        assert!(
            matches!(&answer, Err(PluginSqlError::Invalid(told)) if told.contains(words)),
            "{sql}: {answer:?}"
        );
    }
    let answer = attempt_as_plugin(&file, "insert into private values (1, 'again')");
    assert!(matches!(answer, Err(PluginSqlError::Constraint(_))), "{answer:?}");
    let answer = attempt_as_plugin(&file, "insert into private values ('text', 'again')");
    assert!(matches!(answer, Err(PluginSqlError::Constraint(_) | PluginSqlError::Invalid(_))), "{answer:?}");
}

#[test]
fn what_is_too_long_or_too_big_ends() {
    let (_stage, file) = stage();
    let started = Instant::now();
    let endless = "with recursive c (n) as (values (1) union all select n + 1 from c) select count(*) from c";
    assert!(matches!(attempt_as_plugin(&file, endless), Err(PluginSqlError::Deadline)));
    let big = "with recursive c (n) as (values (1) union all select n + 1 from c limit 100000) \
               select 1 from c a, c b, c d order by a.n * b.n * d.n";
    assert!(matches!(attempt_as_plugin(&file, big), Err(PluginSqlError::Deadline)));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let many = format!("select {}", vec!["1"; 300].join(", "));
    let deep = format!("select {}1{}", "abs(".repeat(200), ")".repeat(200));
    let long = format!("select '{}'", "x".repeat(200_000));
    let compound = vec!["select 1"; 60].join(" union all ");
    for sql in [
        "select zeroblob(100000000)",
        "select replace(zeroblob(4000000), x'00', 'xxxxxxxxxx')",
        "select ?1000",
        &many,
        &deep,
        &long,
        &compound,
    ] {
        let answer = attempt_as_plugin(&file, sql);
        let short = &sql[..sql.len().min(60)];
        assert!(
            matches!(answer, Err(PluginSqlError::TooBig | PluginSqlError::Invalid(_))),
            "{short}: {answer:?}"
        );
    }
    let printed = attempt_as_plugin(&file, "select 1 where length(printf('%.*c', 100000000, 'x')) > 4194304");
    assert!(matches!(printed, Ok(0)), "{printed:?}");
    // The host's own limits are back.
    write(&file, move |connection| connection.prepare(&many).map(|_| ())).unwrap();
}

#[test]
fn an_endless_read_inside_a_write_does_not_undo_the_group() {
    let (_stage, file) = stage();
    write(&file, |connection| {
        connection.execute("insert into plain (name) values ('kept')", [])?;
        let endless =
            "with recursive c (n) as (values (1) union all select n + 1 from c) select count(*) from c";
        let answer = try_sql(connection, PluginMode::AsPlugin, endless);
        assert!(matches!(answer, Err(PluginSqlError::Deadline)), "{answer:?}");
        Ok(())
    })
    .unwrap();
    assert_eq!(count(&file, "plain"), 1);
}

#[test]
fn a_failed_plugin_write_that_the_plugin_ignores_leaves_nothing() {
    let (_stage, file) = stage();
    let before = log(&file).len();
    write(&file, |connection| {
        for sql in [
            "insert into private values (7, 'x'), (1, 'taken')",
            "insert or fail into private values (8, 'x'), (1, 'taken')",
        ] {
            let answer = try_sql(connection, PluginMode::AsPlugin, sql);
            assert!(matches!(answer, Err(PluginSqlError::Constraint(_))), "{sql}: {answer:?}");
        }
        connection.execute("insert into plain (name) values ('kept')", []).map(|_| ())
    })
    .unwrap();
    assert_eq!((count(&file, "private"), log(&file).len()), (2, before + 1));
}

#[test]
fn a_statement_of_the_host_is_not_found_by_a_plugin_nor_the_reverse() {
    let (_stage, file) = stage();
    write(&file, |connection| {
        let sql = "select count(*) from _stoa_changes";
        connection.prepare(sql)?.query_row([], |_| Ok(()))?;
        for mode in [PluginMode::AsPlugin, PluginMode::AsCaller] {
            let answer = try_sql(connection, mode, sql);
            assert!(matches!(answer, Err(PluginSqlError::Refused { .. })), "{answer:?}");
        }
        connection.prepare(sql)?.query_row([], |_| Ok(()))?;
        // Also when it is compiled anew, because the schema changed between its preparation and now.
        let own = "select count(*) from private";
        try_sql(connection, PluginMode::AsPlugin, own).unwrap();
        connection.batch("create table later (x)")?;
        try_sql(connection, PluginMode::AsPlugin, own).unwrap();
        assert!(matches!(connection.prepare(" /*plugin:self*/ select 1"), Err(StorageError::HostText)));
        Ok(())
    })
    .unwrap();
}
