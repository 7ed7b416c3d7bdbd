//! Reads: a snapshot, a deadline, and no way to write.

use std::time::{Duration, Instant};

use super::*;

#[test]
fn a_read_sees_one_moment_while_others_write() {
    let stage = Stage::new();
    let file = stage.file();
    file.read(|connection| {
        let rows = || -> Result<i64, StorageError> {
            Ok(connection.prepare("select count(*) from plain")?.query_row([], |row| row.get(0))?)
        };
        assert_eq!(rows()?, 0);
        write(&file, |connection| {
            connection.execute("insert into plain values ('x', null)", []).map(|_| ())
        })?;
        assert_eq!(count(&file, "plain"), 1, "another handle, because this one is busy");
        assert_eq!(rows()?, 0);
        Ok::<_, StorageError>(())
    })
    .unwrap();
    assert_eq!(count(&file, "plain"), 1);
}

#[test]
fn an_endless_statement_of_the_host_ends_at_the_deadline() {
    let stage = Stage::new();
    let file = stage.file();
    let started = Instant::now();
    let answer = file.read_within(Duration::from_millis(100), |connection| {
        let endless =
            "with recursive c (n) as (values (1) union all select n + 1 from c) select count(*) from c";
        Ok::<i64, StorageError>(connection.prepare(endless)?.query_row([], |row| row.get(0))?)
    });
    assert!(matches!(answer, Err(StorageError::Deadline)), "{answer:?}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(count(&file, "plain"), 0);
}

#[test]
fn a_reading_connection_cannot_write() {
    let stage = Stage::new();
    let file = stage.file();
    file.read(|connection| {
        assert!(!connection.writable());
        assert!(connection.execute("insert into plain values ('x', null)", []).is_err());
        assert!(matches!(connection.batch("create table x (y)"), Err(StorageError::ReadOnly)));
        Ok::<_, StorageError>(())
    })
    .unwrap();
}

#[test]
fn a_panic_in_a_read_costs_only_that_read() {
    let stage = Stage::new();
    let file = stage.file();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        file.read::<(), StorageError>(|_| panic!("a fault"))
    }));
    assert!(caught.is_err());
    assert_eq!(count(&file, "plain"), 0);
}

#[test]
fn many_readings_at_once_share_a_few_connections_and_nested_ones_get_their_own() {
    let stage = Stage::new();
    let file = stage.file();
    fn nest(file: &TenantFile, depth: u32) -> i64 {
        if depth == 0 {
            return count(file, "plain");
        }
        file.read(|_| Ok::<_, StorageError>(nest(file, depth - 1))).unwrap()
    }
    assert_eq!(nest(&file, 40), 0, "nobody waits for himself");
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| (0..50).for_each(|_| assert_eq!(count(&file, "plain"), 0)));
        }
    });
    let (kept, most) = file.kept_readers();
    assert!((1..=most).contains(&kept), "{kept} connections are kept of {most}");
}

#[test]
fn binding_other_values_does_not_compile_a_statement_anew() {
    let stage = Stage::new();
    let file = stage.file();
    file.read(|connection| {
        connection.prepare("select 1")?;
        for limit in 1..5 {
            let mut few = connection.prepare("select * from plain limit ?1")?;
            assert!(!few.exists([limit])?);
            assert_eq!(few.get_status(rusqlite::StatementStatus::RePrepare), 0);
        }
        Ok::<_, StorageError>(())
    })
    .unwrap();
}
