//! Hostile SQL, kind by kind: what each attack is, and how it ends on a connection that is confined as a plugin's is.
//!
//! What cannot be bounded while it is compiled never gets here: the limited child refuses it when its package is loaded
//! (`tests/stories/a_package_lists_its_sql.rs`).

use std::time::{Duration, Instant};

use super::super::{PluginMode, PluginSqlError};
use super::plugin_sql::{attempt_as_plugin, stage, try_sql};
use super::*;

/// Far more than any of these may take, far less than the attacks want. Debug builds on busy machines are slow.
const BOUND: Duration = Duration::from_secs(20);

/// Whether it was refused, by the rules here or by SQLite's own of the same kind, which come first for some.
fn is_refused<T>(answer: &Result<T, PluginSqlError>) -> bool {
    const OWN: [&str; 3] =
        ["may not be modified", "cannot VACUUM from within a transaction", "reserved for internal use"];
    match answer {
        Err(PluginSqlError::Refused { .. }) => true,
        Err(PluginSqlError::Invalid(words)) => OWN.iter().any(|own| words.contains(own)),
        _ => false,
    }
}

#[track_caller]
fn refused(file: &TenantFile, statements: &[&str]) {
    for sql in statements {
        let answer = attempt_as_plugin(file, sql);
        assert!(is_refused(&answer), "{sql}: {answer:?}");
    }
}

/// Refused by the parser's or the machine's limits.
#[track_caller]
fn beyond_limits(file: &TenantFile, sql: &str) {
    let answer = attempt_as_plugin(file, sql);
    let shown: String = sql.chars().take(80).collect();
    assert!(
        matches!(answer, Err(PluginSqlError::TooBig | PluginSqlError::Invalid(_))),
        "{shown}: {answer:?}"
    );
}

fn migrate(file: &TenantFile, sql: &'static str) -> Result<(), PluginSqlError> {
    let work = move |connection: &std::rc::Rc<Connection>| {
        Ok::<_, StorageError>(Verdict::Keep(connection.migrate_private(sql)))
    };
    file.write_blocking(origin(), work).unwrap()
}

#[track_caller]
fn not_a_migration(file: &TenantFile, statements: &[&'static str]) {
    for sql in statements {
        let answer = migrate(file, sql);
        assert!(is_refused(&answer), "{sql}: {answer:?}");
    }
}

#[test]
fn other_databases_and_copies_of_the_file_are_refused() {
    let (stage, file) = stage();
    refused(
        &file,
        &["attach 'other.db' as x", "attach ':memory:' as x", "detach main", "vacuum", "vacuum into 'x'"],
    );
    not_a_migration(&file, &["attach 'other.db' as x", "vacuum", "vacuum into 'x'"]);
    let names: Vec<_> =
        std::fs::read_dir(stage.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["organizations"]);
}

#[test]
fn pragmas_are_refused_in_both_spellings() {
    let (_stage, file) = stage();
    refused(
        &file,
        &[
            "pragma recursive_triggers = on",
            "pragma trusted_schema = on",
            "pragma query_only = off",
            "select * from pragma_table_info('entity')",
            "select * from pragma_database_list",
            "select * from Pragma_Function_List",
        ],
    );
    not_a_migration(&file, &["pragma user_version = 1", "pragma writable_schema = on"]);
}

#[test]
fn functions_that_load_code_are_refused() {
    let (_stage, file) = stage();
    refused(
        &file,
        &[
            "select load_extension('x')",
            "select fts3_tokenizer('simple')",
            "select sqlite_compileoption_get(1)",
        ],
    );
}

#[test]
fn endless_statements_are_interrupted() {
    let (_stage, file) = stage();
    let from = |width: usize| (0..width).map(|n| format!("private t{n}")).collect::<Vec<_>>().join(", ");
    let numbers = "with recursive c (n) as (values (1) union all select n + 1 from c limit 1000000)";
    let started = Instant::now();
    for sql in [
        "with recursive c (n) as (values (1) union all select n + 1 from c) select max(n) from c".to_owned(),
        format!("{numbers} select count(*) from c a, c b, c d"),
        format!("{numbers} select 1 from c a, c b order by a.n * b.n"),
        format!("select count(*) from {}", from(60)),
        // Steps that go over megabytes each: few of them come between two looks at the clock.
        format!("{numbers} select max(length(hex(zeroblob(2000000 + c.n % 2)))) from c"),
    ] {
        let answer = attempt_as_plugin(&file, &sql);
        assert!(matches!(answer, Err(PluginSqlError::Deadline)), "{sql}: {answer:?}");
    }
    assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
}

#[test]
fn values_that_blow_up_are_too_big() {
    let (_stage, file) = stage();
    for sql in [
        "select zeroblob(1000000000)",
        "select randomblob(1000000000)",
        "select replace(replace(replace(hex(zeroblob(9000)), '0', '0000000000'), '0', '0000000000'), '0', '0000000000')",
        "select length(group_concat(hex(zeroblob(1000000)), '')) from (values (1), (2), (3), (4))",
    ] {
        let answer = attempt_as_plugin(&file, sql);
        assert!(matches!(answer, Err(PluginSqlError::TooBig)), "{sql}: {answer:?}");
    }
}

#[test]
fn searching_replacing_and_trimming_are_linear() {
    let (_stage, file) = stage();
    let a = |count: u32| format!("replace(hex(zeroblob({})), '0', 'a')", count / 2);
    let started = Instant::now();
    for sql in [
        // SQLite's own take minutes to days for these: each position is compared with the whole needle or set.
        format!("select instr({}, {} || 'b')", a(2_000_000), a(1_000_000)),
        format!("select replace({}, {} || 'b', 'c')", a(2_000_000), a(1_000_000)),
        format!(
            "select length(trim({}, {} || 'a'))",
            a(2_000_000),
            "replace(hex(zeroblob(500000)), '0', 'b')"
        ),
        format!(
            "select length(rtrim({}, {} || 'a'))",
            a(2_000_000),
            "replace(hex(zeroblob(500000)), '0', 'b')"
        ),
    ] {
        let answer = attempt_as_plugin(&file, &sql);
        assert!(matches!(answer, Ok(1) | Err(PluginSqlError::Deadline)), "{sql}: {answer:?}");
    }
    assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
}

#[test]
fn storms_of_wildcards_are_bounded_by_the_pattern() {
    let (_stage, file) = stage();
    beyond_limits(&file, &format!("select 'a' like '{}'", "%a".repeat(200)));
    beyond_limits(&file, &format!("select 'a' glob '{}'", "*a".repeat(200)));
    let started = Instant::now();
    for (operator, pattern) in [("like", "%a".repeat(127)), ("glob", "*a".repeat(127))] {
        let hay = "replace(hex(zeroblob(500000)), '0', 'a')";
        let answer = attempt_as_plugin(&file, &format!("select {hay} {operator} '{pattern}b'"));
        assert!(matches!(answer, Ok(1) | Err(PluginSqlError::Deadline)), "{operator}: {answer:?}");
    }
    assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
}

#[test]
fn texts_beyond_the_parser_s_limits_are_refused() {
    let (_stage, file) = stage();
    let list = |item: &str, count: usize, glue: &str| vec![item; count].join(glue);
    let nested = |open: &str, core: &str, close: &str, depth: usize| {
        format!("select {}{core}{}", open.repeat(depth), close.repeat(depth))
    };
    for sql in [
        format!("select json('{}{}')", "[".repeat(2_000), "]".repeat(2_000)),
        list("select 1", 1_000, " union all "),
        nested("abs(", "1", ")", 200),
        nested("(select ", "1", ")", 120),
        format!("select {}", list("1", 300, ", ")),
        format!("select max({})", list("1", 40, ", ")),
        format!("select 1 from {}", list("private", 65, " cross join ")),
        format!("select '{}'", "x".repeat(140_000)),
        "select ?1000".to_owned(),
        format!("values {}", list("(1)", 15_000, ",")),
    ] {
        beyond_limits(&file, &sql);
    }
}

#[test]
fn transactions_and_second_statements_are_refused() {
    let (_stage, file) = stage();
    refused(
        &file,
        &[
            "begin",
            "commit",
            "end",
            "rollback",
            "savepoint x",
            "release request",
            "select 1; drop table private",
            "insert into private values (5, 'x'); delete from _stoa_changes",
        ],
    );
}

#[test]
fn the_schema_and_shadow_tables_are_closed() {
    let (_stage, file) = stage();
    write(&file, |connection| connection.batch("create virtual table _stoa_words using fts5 (text)"))
        .unwrap();
    refused(
        &file,
        &[
            "update sqlite_master set sql = ''",
            "insert into sqlite_schema values ('table', 'x', 'x', 0, 'create table x (a)')",
            "delete from sqlite_schema",
            "select * from sqlite_temp_master",
            "select * from dbstat",
            "select * from _stoa_words",
            "select * from _stoa_words_data",
            "delete from _stoa_words_data",
            "insert into _stoa_words (_stoa_words) values ('rebuild')",
        ],
    );
    // Not there at all, in this build or without a table that names them.
    for absent in [
        "select * from fts5vocab",
        "select * from zipfile('x')",
        "select * from fsdir('.')",
        "select * from bytecode('select 1')",
        "select * from tables_used('select 1')",
    ] {
        let answer = attempt_as_plugin(&file, absent);
        assert!(matches!(answer, Err(PluginSqlError::Invalid(_))), "{absent}: {answer:?}");
    }
    let page = attempt_as_plugin(&file, "select * from sqlite_dbpage");
    assert!(matches!(page, Err(PluginSqlError::Invalid(_) | PluginSqlError::Refused { .. })), "{page:?}");
}

#[test]
fn host_tables_are_closed_however_they_are_reached() {
    let (_stage, file) = stage();
    refused(
        &file,
        &[
            "select * from _stoa_changes",
            "select count(*) from _STOA_Changes",
            "select 1 from private where exists (select 1 from \"_stoa_schema\")",
            "with v as (select * from _stoa_migrations) select count(*) from v",
            "insert into _stoa_schema values ('a', 'b')",
            "update _stoa_changes set hash = x''",
            "delete from [_stoa_changes]",
        ],
    );
    not_a_migration(
        &file,
        &[
            "drop table _stoa_changes",
            "alter table _stoa_changes add column x",
            "alter table _stoa_changes rename to mine",
            "alter table _stoa_changes rename column seq to x",
            "create index mine on _stoa_changes (at)",
            "insert into _stoa_schema values ('a', 'b')",
            "create table mine as values (1); insert into mine values ((select 1 from _stoa_changes))",
        ],
    );
}

#[test]
fn a_name_of_the_host_or_of_an_entity_cannot_be_taken_by_renaming() {
    let (_stage, file) = stage();
    not_a_migration(
        &file,
        &[
            "create table x (a); alter table x rename to _stoa_outbox",
            "create table x (a); alter table x rename to \"_Stoa_Outbox\"",
            "create table x (a); alter table x rename to sqlite_x",
            "alter table private rename to _stoa_private",
            "drop table entity",
            "alter table entity rename to x",
        ],
    );
    migrate(&file, "create table x (a unique); create index x_a on x (a); alter table x rename to y")
        .unwrap();
    assert_eq!(count(&file, "sqlite_schema where name like '\\_stoa\\_outbox' escape '\\'"), 0);
}

#[test]
fn a_trigger_is_refused_whatever_it_is_on_and_whatever_it_does() {
    let (_stage, file) = stage();
    not_a_migration(
        &file,
        &[
            "create trigger x after insert on _stoa_changes begin delete from _stoa_migrations; end",
            "create trigger x after insert on entity begin delete from private; end",
            "create trigger x after insert on private begin delete from _stoa_changes; end",
            "create temp trigger x after insert on private begin delete from private; end",
        ],
    );
    refused(&file, &["create trigger x after insert on private begin delete from private; end"]);
}

#[test]
fn a_trigger_or_view_that_got_into_a_plugin_s_file_does_not_work() {
    let (_stage, file) = stage();
    // As if somebody had restored a crafted file.
    write(&file, |connection| {
        connection.batch(
            "create trigger x after insert on plain begin delete from private; end;
             create view v as select * from private;",
        )
    })
    .unwrap();
    write(&file, |connection| connection.execute("insert into plain (name) values ('x')", []).map(|_| ()))
        .unwrap();
    assert_eq!(count(&file, "private"), 2);
    let answer = attempt_as_plugin(&file, "select * from v");
    assert!(answer.is_err(), "{answer:?}");
}

#[test]
fn temporary_and_virtual_objects_are_refused() {
    let (_stage, file) = stage();
    let attempts: &[&'static str] = &[
        "create temp table x (a)",
        "create temporary view x as select 1",
        "create virtual table x using rtree (id, a, b)",
        "create virtual table x using fts5 (a)",
        "create virtual table temp.x using fts5 (a)",
    ];
    refused(&file, attempts);
    not_a_migration(&file, attempts);
}

#[test]
fn changing_the_schema_while_running_is_refused() {
    let (_stage, file) = stage();
    refused(
        &file,
        &[
            "create table x as with recursive c (n) as (values (1) union all select n + 1 from c) select n from c",
            "create table x (a)",
            "create index x on private (value)",
            "drop table private",
            "drop table if exists nowhere",
            "alter table private add column x",
            "analyze",
            "reindex",
            "reindex private",
        ],
    );
}

#[test]
fn sqlite_sequence_is_closed() {
    let (_stage, file) = stage();
    migrate(&file, "create table numbered (id integer primary key autoincrement, a)").unwrap();
    assert!(matches!(attempt_as_plugin(&file, "insert into numbered (a) values (1)"), Ok(1)));
    refused(
        &file,
        &[
            "update sqlite_sequence set seq = 0",
            "delete from sqlite_sequence",
            "select * from sqlite_sequence",
        ],
    );
}

#[test]
fn a_statement_that_outlives_its_deadline_by_far_is_counted() {
    let (stage, file) = stage();
    file.read(|connection| {
        connection.plugin(PluginMode::AsPlugin, "select 1", Duration::from_millis(1), |_| {
            // As if one step took so long.
            let started = Instant::now();
            while stage.files.overdue_statements() == 0 && started.elapsed() < BOUND {
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        })?;
        try_sql(connection, PluginMode::AsPlugin, "select 1")?;
        Ok::<_, PluginSqlError>(())
    })
    .unwrap();
    assert_eq!(stage.files.overdue_statements(), 1, "counted once");
}
