//! Another file beside one's own: read through the host's views, and in no other way.

use std::collections::HashSet;
use std::time::Instant;

use super::super::{PluginMode, PluginSqlError};
use super::plugin_sql::{entities, try_sql};
use super::*;

/// `sales`, and `crm` with tables that `sales` does not have.
fn stage() -> (Stage, Arc<TenantFile>, Arc<TenantFile>) {
    let stage = Stage::new();
    let (own, other) = (stage.file(), neighbour(&stage, "crm", 2));
    write(&own, |connection| {
        connection.declare_entities(entities());
        connection.execute(
            "insert into entity (id, name) values (x'01', 'one'), (x'02', 'two'), (x'03', 'none')",
            [],
        )?;
        connection.batch("create table _stoa_shares (record blob); insert into _stoa_shares values (x'02')")
    })
    .unwrap();
    (stage, own, other)
}

fn neighbour(stage: &Stage, name: &str, rows: u32) -> Arc<TenantFile> {
    let file = stage.files.open(stage.organization, name, &PROFILE).unwrap();
    write(&file, move |connection| {
        connection.declare_entities(Arc::new(HashSet::from(["account".to_owned()])));
        connection.batch(
            "create table account (id blob primary key, title text, phone text); \
             create table ledger (sum integer); insert into ledger values (7); \
             create table _stoa_shares (record blob); insert into _stoa_shares values (x'01')",
        )?;
        for row in 1..=rows {
            let id = u8::try_from(row).unwrap();
            connection.execute("insert into account values (?1, 'a', '555')", [&[id][..]])?;
        }
        Ok(())
    })
    .unwrap();
    file
}

fn views(connection: &Connection, other: &Arc<TenantFile>) -> String {
    let schema = connection.attach("crm", other).unwrap();
    connection.visible("crm_accounts", &format!("select id, title from {schema}.account where title = 'a'"))
}

#[test]
fn one_statement_joins_two_files_through_the_host_s_view() {
    let (_stage, own, other) = stage();
    own.read(|connection| {
        let views = views(connection, &other);
        let mine = connection.visible("entity", "select * from entity");
        for (sql, rows) in [
            ("select * from visible_crm_accounts", 2),
            ("select count(*) from visible_crm_accounts", 1),
            ("select e.name, a.title from visible_entity e join visible_crm_accounts a on a.id = e.id", 2),
            ("select 1 from visible_entity e where not exists (select 1 from visible_crm_accounts a where a.id = e.id)", 1),
            ("select p.key from private p left join visible_crm_accounts a on a.id = x'01'", 0),
        ] {
            let answer = try_sql(connection, PluginMode::AsCaller, &format!("with {views}, {mine} {sql}"));
            assert!(matches!(answer, Ok(found) if found == rows), "{sql}: {answer:?}");
        }
        // Shares are those of the file that the view is of.
        let schema = connection.attach("crm", &other).unwrap();
        let select = format!("select id from {schema}.account where id in (select record from {schema}._stoa_shares)");
        let shared = connection.visible("crm_accounts", &select);
        let both = format!("with {shared} select 1 from visible_crm_accounts where id = x'01'");
        assert!(matches!(try_sql(connection, PluginMode::AsCaller, &both), Ok(1)));
        Ok::<_, StorageError>(())
    })
    .unwrap();
}

/// Columns that are not published do not exist; all this is refused by the authorizer.
const ATTACKS: &[&str] = &[
    "select * from account",
    "select phone from account",
    "select count(*) from account",
    "select count(*) from Account",
    "select 1 from \"account\" limit 1",
    "select (select count(*) from ledger)",
    "select sum from ledger",
    "select count(*) from ledger, visible_crm_accounts",
    "select 1 where exists (select 1 from ledger)",
    "with x as (select * from account) select count(*) from x",
    "with visible_crm_accounts as (select * from account) select * from visible_crm_accounts",
    "select * from visible_crm_accounts union all select id, phone from account",
    "select * from _stoa_shares",
    "select count(*) from _stoa_changes",
    "insert into account values (x'09', 'b', '')",
    "delete from account",
    "update ledger set sum = 8",
    "attach 'ELSEWHERE' as mine",
    "detach crm",
    "select * from pragma_database_list",
    "pragma database_list",
    "pragma query_only = off",
];

#[test]
fn nothing_else_of_the_other_file_is_open_to_a_plugin() {
    let (stage, own, other) = stage();
    own.read(|connection| {
        let views = views(connection, &other);
        let path = stage.folder.path().join(format!("organizations/{}/crm.sqlite", stage.organization));
        for sql in ATTACKS.iter().map(|sql| sql.replace("ELSEWHERE", &path.display().to_string())) {
            for text in [sql.clone(), format!("with {views} {sql}")] {
                for mode in [PluginMode::AsPlugin, PluginMode::AsCaller] {
                    let answer = try_sql(connection, mode, &text);
                    let refused = match &answer {
                        Err(PluginSqlError::Refused { .. }) => true,
                        // Two WITHs, what cannot stand behind one, and the view where it was not made.
                        Err(PluginSqlError::Invalid(words)) => {
                            words.contains("syntax error") && text.starts_with("with")
                                || words.contains("no such table: visible_crm_accounts")
                        }
                        _ => false,
                    };
                    assert!(refused, "{mode:?} {text}: {answer:?}");
                }
            }
        }
        for sql in [
            "select phone from visible_crm_accounts",
            "select * from crm.account",
            "select rowid from visible_crm_accounts",
        ] {
            let answer = try_sql(connection, PluginMode::AsCaller, &format!("with {views} {sql}"));
            let told = format!("{answer:?}");
            assert!(matches!(answer, Err(PluginSqlError::Invalid(_))), "{sql}: {told}");
            assert!(!told.contains(&*connection.shared.seal), "{told}");
        }
        // In the plugin's own mode the view is closed too.
        let answer = try_sql(
            connection,
            PluginMode::AsPlugin,
            &format!("with {views} select * from visible_crm_accounts"),
        );
        assert!(matches!(answer, Err(PluginSqlError::Refused { .. })), "{answer:?}");
        Ok::<_, StorageError>(())
    })
    .unwrap();
    assert_eq!((count(&other, "account"), count(&other, "ledger")), (2, 1));
}

#[test]
fn the_host_itself_cannot_write_into_a_file_that_it_reads_beside_another() {
    let (_stage, own, other) = stage();
    own.read(|connection| {
        let schema = connection.attach("crm", &other)?;
        connection.raw().execute_batch("pragma query_only = off").unwrap();
        let written = connection.execute(&format!("delete from {schema}.account"), []);
        assert!(written.unwrap_err().to_string().contains("readonly"));
        connection.raw().execute_batch("pragma query_only = on").unwrap();
        Ok::<_, StorageError>(())
    })
    .unwrap();
    let refused = write(&own, move |connection| connection.attach("crm", &other).map(drop));
    assert!(matches!(refused, Err(StorageError::AttachedToWriter)));
}

#[test]
fn a_file_is_let_go_with_the_snapshot_and_never_taken_for_another() {
    let (stage, own, _other) = stage();
    let third = neighbour(&stage, "support", 5);
    let counted = |first: (&str, &Arc<TenantFile>), second: (&str, &Arc<TenantFile>)| {
        own.read(|connection| {
            let one = connection.attach(first.0, first.1)?;
            connection.attach(second.0, second.1)?;
            // The same text, whichever file came first.
            let views = connection.visible("x", &format!("select id from {one}.account"));
            let found =
                try_sql(connection, PluginMode::AsCaller, &format!("with {views} select id from visible_x"));
            Ok::<_, StorageError>(found.unwrap())
        })
        .unwrap()
    };
    let crm = stage.files.open(stage.organization, "crm", &PROFILE).unwrap();
    for _ in 0..2 {
        assert_eq!(counted(("crm", &crm), ("support", &third)), 2);
        assert_eq!(counted(("support", &third), ("crm", &crm)), 5);
    }
    own.read(|connection| {
        let listed: i64 = connection
            .prepare("select count(*) from pragma_database_list where name <> 'temp'")?
            .query_row([], |row| row.get(0))?;
        assert_eq!(listed, 1, "nothing stays attached");
        Ok::<_, StorageError>(())
    })
    .unwrap();
    // A file that takes another's place is the one that is read.
    drop((crm, third, _other));
    stage.files.close_all();
    let folder = stage.folder.path().join(format!("organizations/{}", stage.organization));
    std::fs::rename(folder.join("support.sqlite"), folder.join("crm.sqlite")).unwrap();
    let own = stage.file();
    let crm = stage.files.open(stage.organization, "crm", &PROFILE).unwrap();
    own.read(|connection| {
        connection.declare_entities(entities());
        let views = views(connection, &crm);
        let found = try_sql(
            connection,
            PluginMode::AsCaller,
            &format!("with {views} select id from visible_crm_accounts"),
        );
        assert_eq!(found.unwrap(), 5);
        Ok::<_, StorageError>(())
    })
    .unwrap();
}

#[test]
fn a_view_asks_for_shares_in_a_write_action_too() {
    let (_stage, own, _other) = stage();
    write(&own, |connection| {
        let shared = "select * from entity where id in (select record from _stoa_shares)";
        let views = connection.visible("entity", shared);
        for mode in [PluginMode::AsPlugin, PluginMode::AsCaller] {
            let answer = try_sql(connection, mode, &format!("with {views} select * from visible_entity"));
            assert!(matches!(answer, Ok(1)), "{mode:?}: {answer:?}");
            let answer = try_sql(connection, mode, "select * from _stoa_shares");
            assert!(matches!(answer, Err(PluginSqlError::Refused { .. })), "{mode:?}: {answer:?}");
        }
        Ok(())
    })
    .unwrap();
}

/// Prints what a join across files costs beside the same join in one file, and what attaching costs.
#[test]
fn a_join_across_files_costs_what_a_join_in_one_file_costs() {
    const ROWS: u32 = 20_000;
    let stage = Stage::new();
    let fill = move |connection: &Connection| {
        connection.declare_entities(Arc::new(HashSet::from(["account".to_owned(), "entry".to_owned()])));
        connection.batch(
            "create table account (id blob primary key, industry text); create table entry (account blob, amount integer)",
        )?;
        for row in 0..ROWS {
            let id = (row % (ROWS / 4)).to_be_bytes();
            connection
                .execute("insert or ignore into account values (?1, 'i' || ?2)", (&id[..], row % 20))?;
            connection.execute("insert into entry values (?1, ?2)", (&id[..], row))?;
        }
        Ok(())
    };
    let own = stage.file();
    let other = stage.files.open(stage.organization, "crm", &PROFILE).unwrap();
    write(&own, fill).unwrap();
    write(&other, fill).unwrap();
    let run = |across: bool| {
        own.read(|connection| {
            let started = Instant::now();
            let schema = if across { connection.attach("crm", &other)? + "." } else { String::new() };
            let attached = started.elapsed();
            let accounts =
                connection.visible("crm_accounts", &format!("select id, industry from {schema}account"));
            let sums = connection.visible("entry", "select account, amount from entry");
            let sql = format!(
                "with {accounts}, {sums} select a.industry, sum(d.amount) from visible_entry d \
                 join visible_crm_accounts a on a.id = d.account group by 1"
            );
            let long = std::time::Duration::from_secs(20);
            let started = Instant::now();
            let rows = connection.plugin(PluginMode::AsCaller, &sql, long, |statement| {
                let mut rows = statement.raw_query();
                let mut count = 0;
                while rows.next()?.is_some() {
                    count += 1;
                }
                Ok(count)
            });
            assert_eq!(rows.unwrap(), 20);
            Ok::<_, StorageError>((attached, started.elapsed()))
        })
        .unwrap()
    };
    let median = |across| {
        let mut all: Vec<_> = (0..9).map(|_| run(across)).collect();
        all.sort_by_key(|(attached, joined)| *attached + *joined);
        all[4]
    };
    let (one, two) = (median(false), median(true));
    let ratio = two.1.as_secs_f64() / one.1.as_secs_f64();
    println!("join in one file {:?}, across files {:?} ({ratio:.2}), attaching {:?}", one.1, two.1, two.0);
    assert!(ratio < 5.0, "{one:?} {two:?}");
}
