//! Files: where they are, how many are open, what they must have seen.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn add(file: &TenantFile) {
    write(file, |connection| connection.execute("insert into plain (name) values ('x')", []).map(|_| ()))
        .unwrap();
}

#[test]
fn this_sqlite_is_new_enough() {
    super::super::check_sqlite_version().unwrap();
}

#[test]
fn a_file_keeps_its_rows_when_it_is_closed_and_opened_again() {
    let stage = Stage::new();
    add(&stage.file());
    stage.files.close_all();
    assert_eq!(stage.files.open_count(), 0);
    let path = stage.folder.path().join(format!("organizations/{}/sales.sqlite", stage.organization));
    assert_eq!(std::fs::metadata(path.with_extension("sqlite-wal")).map_or(0, |wal| wal.len()), 0);
    assert_eq!(count(&stage.file(), "plain"), 1);
    let again = TenantFiles::with_capacity(stage.folder.path().into(), Clock::fixed(1), GROUP_COMMIT, 16);
    assert_eq!(count(&again.open(stage.organization, "sales", &PROFILE).unwrap(), "plain"), 1);
    let mode = std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn the_same_file_is_the_same_handle_and_others_are_apart() {
    let stage = Stage::new();
    let file = stage.file();
    assert!(Arc::ptr_eq(&file, &stage.file()));
    add(&file);
    let stranger = stage.files.open(OrganizationId::new(), "sales", &PROFILE).unwrap();
    let other = stage.files.open(stage.organization, "crm", &PROFILE).unwrap();
    assert_eq!((count(&file, "plain"), count(&stranger, "plain"), count(&other, "plain")), (1, 0, 0));
}

#[test]
fn a_name_cannot_lead_elsewhere() {
    let stage = Stage::new();
    for name in ["", "../sales", "sales/x", "Sales", "1sales", "sales.sqlite", "sälés", &"s".repeat(65)] {
        let opened = stage.files.open(stage.organization, name, &PROFILE);
        assert!(matches!(opened, Err(StorageError::Name(_))), "{name}");
    }
}

#[test]
fn files_in_use_stay_open_and_the_rest_make_room() {
    let folder = tempfile::tempdir().unwrap();
    let files = TenantFiles::with_capacity(folder.path().into(), Clock::fixed(1), GROUP_COMMIT, 3);
    let organizations: Vec<_> = (0..8).map(|_| OrganizationId::new()).collect();
    let held = files.open(organizations[0], "sales", &PROFILE).unwrap();
    for organization in &organizations {
        add(&files.open(*organization, "sales", &PROFILE).unwrap());
    }
    assert!(Arc::ptr_eq(&held, &files.open(organizations[0], "sales", &PROFILE).unwrap()));
    drop(held);
    for organization in organizations.iter().rev() {
        assert_eq!(count(&files.open(*organization, "sales", &PROFILE).unwrap(), "plain"), 1);
    }
    assert!(files.open_count() <= 4, "{}", files.open_count());
}

#[test]
fn many_threads_over_few_open_files_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let files = TenantFiles::with_capacity(folder.path().into(), Clock::fixed(1), GROUP_COMMIT, 2);
    let organizations: Arc<Vec<_>> = Arc::new((0..6).map(|_| OrganizationId::new()).collect());
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let (files, organizations) = (files.clone(), Arc::clone(&organizations));
            std::thread::spawn(move || {
                for i in 0..30 {
                    let organization = organizations[(thread * 7 + i) % organizations.len()];
                    let file = files.open(organization, "sales", &PROFILE).unwrap();
                    add(&file);
                    assert!(count(&file, "plain") >= 1);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let rows = organizations.iter().map(|organization| {
        let file = files.open(*organization, "sales", &PROFILE).unwrap();
        file.read(|connection| connection.verify_changes()).unwrap();
        count(&file, "plain")
    });
    assert_eq!(rows.sum::<i64>(), 8 * 30);
}

#[test]
fn an_edited_unknown_or_failing_migration_is_refused_and_a_new_one_applied() {
    const EDITED: &[Migration] =
        &[Migration { name: "test/0001_tables", sql: "create table plain (name text)" }];
    const FAILING: &[Migration] = &[
        MIGRATIONS[0],
        Migration { name: "test/0002", sql: "create table more (x); create table more (x)" },
    ];
    const LATER: &[Migration] =
        &[MIGRATIONS[0], Migration { name: "test/0002", sql: "create table more (x)" }];
    let stage = Stage::new();
    add(&stage.file());
    let open = |migrations| {
        stage.files.close_all();
        stage.files.open(stage.organization, "sales", &FileProfile { migrations, ..PROFILE }).map(|_| ())
    };
    assert!(matches!(open(EDITED), Err(StorageError::MigrationEdited { .. })));
    assert!(matches!(open(&[]), Err(StorageError::MigrationUnknown { .. })));
    assert!(matches!(open(FAILING), Err(StorageError::MigrationFailed { .. })));
    open(LATER).unwrap();
    open(LATER).unwrap();
    assert!(matches!(open(MIGRATIONS), Err(StorageError::MigrationUnknown { .. })));
}

#[test]
fn a_file_is_copied_while_others_write() {
    let stage = Stage::new();
    let file = stage.file();
    (0..200).for_each(|_| add(&file));
    let copied = std::thread::scope(|scope| {
        let writing = scope.spawn(|| (0..200).for_each(|_| add(&file)));
        let copied = stage.files.snapshot(stage.organization, "sales", "before-2.0.0").unwrap().unwrap();
        writing.join().unwrap();
        copied
    });
    assert_eq!(copied, "sales-before-2.0.0.sqlite");
    let again = stage.files.snapshot(stage.organization, "sales", "before-2.0.0").unwrap().unwrap();
    assert_eq!(again, "sales-before-2.0.0-2.sqlite", "no copy takes the place of another");
    let folder = stage.folder.path().join(format!("organizations/{}/snapshots", stage.organization));
    let rows = |name: &str| -> (i64, String) {
        let copy = rusqlite::Connection::open(folder.join(name)).unwrap();
        let rows = copy.query_row("select count(*) from plain", [], |row| row.get(0)).unwrap();
        (rows, copy.query_row("pragma integrity_check", [], |row| row.get(0)).unwrap())
    };
    let (first, whole) = rows(&copied);
    assert!((200..=400).contains(&first) && whole == "ok", "{first} {whole}");
    assert_eq!(rows(&again), (400, "ok".to_owned()));
    assert_eq!(stage.files.snapshot(stage.organization, "nothing", "x").unwrap(), None);
}

#[test]
fn a_file_that_is_put_aside_is_whole_and_the_next_is_new() {
    let stage = Stage::new();
    let file = stage.file();
    add(&file);
    let kept = std::thread::scope(|scope| {
        let held = file; // Somebody still uses it; what he writes is in it.
        let moved = scope.spawn(|| stage.files.archive(stage.organization, "sales", "1.0.0").unwrap());
        add(&held);
        drop(held);
        moved.join().unwrap().unwrap()
    });
    assert_eq!(kept, "sales-1.0.0.sqlite");
    let folder = stage.folder.path().join(format!("organizations/{}", stage.organization));
    let aside = rusqlite::Connection::open(folder.join("archive").join(kept)).unwrap();
    assert_eq!(aside.query_row("select count(*) from plain", [], |row| row.get::<_, i64>(0)).unwrap(), 2);
    assert_eq!(count(&stage.file(), "plain"), 0);
    assert_eq!(stage.files.archive(stage.organization, "nothing", "x").unwrap(), None);
    for name in ["../sales", "Sales"] {
        assert!(matches!(stage.files.archive(stage.organization, name, "x"), Err(StorageError::Name(_))));
        assert!(matches!(stage.files.snapshot(stage.organization, name, "x"), Err(StorageError::Name(_))));
    }
}
