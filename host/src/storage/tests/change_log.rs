//! The change log: every change of a row, whoever made it and however.

use super::*;

const A: &str = "x'0000000000000000000000000000000a'";
const B: &str = "x'0000000000000000000000000000000b'";
const HEX_A: &str = "0000000000000000000000000000000A";
const UUID_A: &str = "00000000-0000-0000-0000-00000000000a";

fn run(file: &TenantFile, sql: &str) {
    let sql = sql.to_owned();
    write(file, move |connection| connection.execute(&sql, []).map(|_| ()))
        .unwrap_or_else(|error| panic!("{error}"));
}

fn tail(file: &TenantFile, from: usize) -> Vec<[String; 5]> {
    log(file).split_off(from)
}

#[test]
fn inserts_updates_and_deletes_are_logged_with_what_changed() {
    let stage = Stage::new();
    let file = stage.file();
    for table in ["entity", "compact"] {
        let from = log(&file).len();
        run(&file, &format!("insert into {table} (id, name) values ({A}, 'say \"hi\"')"));
        run(&file, &format!("update {table} set name = 'ho' where id = {A}"));
        run(&file, &format!("update {table} set name = 'ho' where id = {A}"));
        run(&file, &format!("delete from {table}"));
        let row = |name: &str| match table {
            "entity" => format!(r#"{{"id":"{UUID_A}","name":{name},"amount":null}}"#),
            _ => format!(r#"{{"id":"{UUID_A}","name":{name}}}"#),
        };
        let expected = [
            [table, HEX_A, "insert", "-", &row(r#""say \"hi\"""#)],
            [table, HEX_A, "update", r#"{"name":"say \"hi\""}"#, r#"{"name":"ho"}"#],
            [table, HEX_A, "delete", &row(r#""ho""#), "-"],
        ];
        assert_eq!(tail(&file, from), expected.map(|line| line.map(str::to_owned)), "{table}");
    }
}

#[test]
fn replaced_and_upserted_rows_are_logged() {
    let stage = Stage::new();
    let file = stage.file();
    run(&file, &format!("insert into entity (id, name, amount) values ({A}, 'one', 2.0), ({B}, 'two', 0.1)"));
    run(&file, &format!("insert or replace into entity (id, name) values ({A}, 'two')"));
    run(
        &file,
        &format!("insert into entity (id, name) values ({A}, 'x') on conflict (id) do update set amount = 5"),
    );
    let operations: Vec<_> =
        tail(&file, 2).into_iter().map(|[_, id, operation, ..]| (id, operation)).collect();
    let expected = [("A", "delete"), ("B", "delete"), ("A", "insert"), ("A", "update")];
    let mut found: Vec<_> =
        operations.iter().map(|(id, operation)| (&id[id.len() - 1..], operation.as_str())).collect();
    found[..2].sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(tail(&file, 5)[0][3..], [r#"{"amount":null}"#, r#"{"amount":5.0}"#].map(str::to_owned));
}

#[test]
fn a_statement_that_fails_half_way_leaves_no_entries() {
    let stage = Stage::new();
    let file = stage.file();
    run(&file, &format!("insert into entity (id, name) values ({A}, 'one')"));
    write(&file, |connection| {
        let failed =
            connection.execute("insert into entity (id, name) values (x'01', 'two'), (x'02', 'one')", []);
        assert!(failed.is_err());
        connection.execute("insert into plain (name) values ('kept')", []).map(|_| ())
    })
    .unwrap();
    let log = log(&file);
    assert_eq!((count(&file, "entity"), log.len()), (1, 2));
    assert_eq!(log[1][0], "plain");
}

#[test]
fn a_record_without_an_id_is_named_by_its_primary_key_or_rowid() {
    let stage = Stage::new();
    let file = stage.file();
    run(&file, "insert into pair (a, b) values (7, 'x')");
    run(&file, "update pair set value = 'v' where a = 7");
    run(&file, "insert into plain (rowid, name) values (42, 'n')");
    run(&file, "update plain set name = 'm'");
    let names: Vec<_> = log(&file).into_iter().map(|[_, record, ..]| record).collect();
    assert_eq!(names, [r#"[7,"x"]"#, r#"[7,"x"]"#, "42", "42"]);
}

#[test]
fn redacted_columns_are_logged_without_their_values() {
    let stage = Stage::new();
    let file = stage.file();
    run(&file, "insert into plain values ('n', 'hash 1')");
    run(&file, "update plain set secret = 'hash 2'");
    let log = log(&file);
    assert_eq!(log[0][4], r#"{"name":"n","secret":"[redacted]"}"#);
    assert_eq!(log[1][3..], [r#"{"secret":"[redacted]"}"#, r#"{"secret":"[redacted]"}"#].map(str::to_owned));
}

#[test]
fn columns_added_in_the_same_request_have_their_names() {
    let stage = Stage::new();
    let file = stage.file();
    write(&file, |connection| {
        connection.execute("insert into plain (name) values ('before')", [])?;
        connection.batch(
            "alter table plain add column extra text; alter table plain rename column name to title",
        )?;
        connection.execute("insert into plain (title, extra) values ('after', 'e')", []).map(|_| ())
    })
    .unwrap();
    let undone = write(&file, |connection| {
        connection.batch("alter table plain rename column title to other")?;
        connection.execute("insert into plain (other) values ('undone')", [])?;
        Err(StorageError::Deadline)
    });
    assert!(undone.is_err());
    run(&file, "insert into plain (title) values ('later')");
    let new: Vec<_> = log(&file).into_iter().map(|[_, _, _, _, new]| new).collect();
    assert_eq!(
        new,
        [
            r#"{"name":"before","secret":null}"#,
            r#"{"title":"after","secret":null,"extra":"e"}"#,
            r#"{"title":"later","secret":null,"extra":null}"#,
        ]
    );
}

#[test]
fn a_plugin_s_changes_carry_its_mark() {
    let stage = Stage::new();
    let file = stage.file();
    write(&file, |connection| {
        connection.mark_as_plugin(true);
        connection.execute("insert into plain (name) values ('plugin')", [])?;
        connection.mark_as_plugin(false);
        connection.execute("insert into plain (name) values ('caller')", []).map(|_| ())
    })
    .unwrap();
    let marks = file
        .read(|connection| {
            let mut statement = connection.prepare("select as_plugin from _stoa_changes order by seq")?;
            let marks =
                statement.query_map([], |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?;
            Ok::<_, StorageError>(marks)
        })
        .unwrap();
    assert_eq!(marks, [1, 0]);
}

#[test]
fn the_chain_verifies_until_an_entry_is_changed_or_removed() {
    for tampering in [
        "update _stoa_changes set new = '{}' where seq = 2",
        "update _stoa_changes set principal = x'00' where seq = 2",
        "update _stoa_changes set old = '' where seq = 2",
        "delete from _stoa_changes where seq = 2",
    ] {
        let stage = Stage::new();
        let file = stage.file();
        for name in ["a", "b", "c"] {
            run(&file, &format!("insert into plain (name) values ('{name}')"));
        }
        assert_eq!(file.read(|connection| connection.verify_changes()).unwrap(), 3);
        run(&file, tampering);
        let broken = file.read(|connection| connection.verify_changes());
        assert!(matches!(broken, Err(StorageError::BrokenChain(2 | 3))), "{tampering}: {broken:?}");
    }
}

/// Pseudo-random numbers, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn the_log_replayed_gives_the_table() {
    let stage = Stage::new();
    let file = stage.file();
    let mut numbers = Numbers(7);
    for _ in 0..400 {
        let (id, name) = (numbers.below(20), numbers.below(20));
        let sql = match numbers.below(6) {
            0 => format!("insert into entity (id, name, amount) values (x'{id:032x}', '{name}', {name}.5)"),
            1 => format!("insert or replace into entity (id, name) values (x'{id:032x}', '{name}')"),
            2 => format!(
                "insert into entity (id, name) values (x'{id:032x}', '{name}') on conflict do nothing"
            ),
            3 => format!("update entity set amount = {name} where name > '{name}'"),
            4 => format!("update or replace entity set name = '{name}' where id = x'{id:032x}'"),
            _ => format!("delete from entity where id = x'{id:032x}'"),
        };
        // Some fail on a constraint, and then must leave nothing.
        let _ = write(&file, move |connection| connection.execute(&sql, []).map(|_| ()));
    }
    let rows = |sql: &str| -> String {
        file.read(|connection| {
            Ok::<_, StorageError>(connection.prepare(sql)?.query_row([], |row| row.get(0))?)
        })
        .unwrap()
    };
    let table = rows(
        "select group_concat(hex(id) || ':' || name || ':' || coalesce(amount + 0.0, '-'), ' ' order by id) from entity",
    );
    // For every record the latest entry that has a field, unless a delete came later.
    let replayed = rows(
        "with last as (select record, max(seq) as born from _stoa_changes where operation = 'insert' group by record),
              alive as (select * from last where not exists (select 1 from _stoa_changes d
                        where d.record = last.record and d.operation = 'delete' and d.seq > last.born)),
              field (record, name, value) as (select a.record, j.key, j.value from alive a
                        join _stoa_changes c on c.record = a.record and c.seq >= a.born, json_each(c.new) j
                        where c.seq = (select max(s.seq) from _stoa_changes s where s.record = a.record
                                       and s.seq >= a.born and json_type(s.new, '$.' || j.key) is not null))
         select group_concat(hex(record) || ':' || name || ':' || coalesce(amount + 0.0, '-'), ' ' order by record) from
           (select record, max(case name when 'name' then value end) as name,
                   max(case name when 'amount' then value end) as amount from field group by record)",
    );
    assert_eq!(replayed, table);
    file.read(|connection| connection.verify_changes()).unwrap();
}

#[test]
fn what_a_request_changed_can_be_read_before_it_is_kept() {
    use super::super::{ChangeMark, TouchKind};
    use rusqlite::types::Value;

    let stage = Stage::new();
    let file = stage.file();
    run(&file, &format!("insert into entity (id, name, amount) values ({A}, 'one', 2.0)"));
    write(&file, |connection| {
        connection.execute(&format!("insert into compact (id, name) values ({B}, 'new')"), [])?;
        let mark = connection.change_mark();
        connection.execute(&format!("update entity set name = 'two' where id = {A}"), [])?;
        let undone = connection.savepoint(|| {
            connection.execute(&format!("delete from entity where id = {A}"), [])?;
            Err::<(), _>(StorageError::Panicked)
        });
        assert!(undone.is_err());
        connection.execute("insert into plain (name) values ('has no id')", [])?;
        connection.execute(&format!("delete from entity where id = {A}"), [])?;
        let since = connection.changes_since(mark)?;
        let told: Vec<_> = since.iter().map(|one| (&*one.table, one.id[15], one.kind)).collect();
        assert_eq!(told, [("entity", 10, TouchKind::Updated), ("entity", 10, TouchKind::Deleted)]);
        assert_eq!(since[0].before, [("name".to_owned(), Value::Text("one".into()))]);
        let whole: Vec<&str> = since[1].before.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(whole, ["id", "name", "amount"]);
        let all = connection.changes_since(ChangeMark::START)?;
        assert_eq!((all.len(), all[0].kind, all[0].before.len()), (3, TouchKind::Inserted, 0));
        Ok(())
    })
    .unwrap();
    // What was read went into the log like everything else, and nothing of it reaches the next request.
    assert_eq!(log(&file).len(), 5);
    write(&file, |connection| {
        assert!(connection.changes_since(ChangeMark::START)?.is_empty());
        Ok(())
    })
    .unwrap();
    file.read(|connection| connection.verify_changes()).unwrap();
}
