//! Group commit: nobody's failure is another's, and nothing is answered before it is safe.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};

use super::*;

/// Holds the writer until told, so that what comes meanwhile becomes one group.
fn hold(file: &Arc<TenantFile>) -> (mpsc::Sender<()>, std::thread::JoinHandle<()>) {
    let (release, held) = mpsc::channel::<()>();
    let (started, running) = mpsc::channel();
    let file = Arc::clone(file);
    let thread = std::thread::spawn(move || {
        write(&file, move |_| {
            started.send(()).unwrap();
            held.recv().unwrap();
            Ok(())
        })
        .unwrap();
    });
    running.recv().unwrap();
    (release, thread)
}

fn insert(connection: &Connection, name: &str) -> Result<(), StorageError> {
    connection
        .execute("insert into entity (id, name) values (?1, ?2)", (RequestId::new().as_bytes(), name))?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_failing_request_does_not_take_the_others_of_its_group() {
    let stage = Stage::new();
    let file = stage.file();
    let (release, holder) = hold(&file);
    let mut waiting = Vec::new();
    for i in 0..40 {
        let work = move |connection: &Rc<Connection>| {
            insert(connection, &format!("row {i}"))?;
            match i % 5 {
                1 => Err(StorageError::Deadline),
                2 => panic!("a fault in a plugin's host call"),
                3 => insert(connection, &format!("row {i}")).map(|()| Verdict::Keep(i)),
                4 => Ok(Verdict::Undo(i)),
                _ => Ok(Verdict::Keep(i)),
            }
        };
        let file = Arc::clone(&file);
        waiting.push(tokio::spawn(async move { file.write(origin(), work).await }));
    }
    release.send(()).unwrap();
    for (i, answer) in waiting.into_iter().enumerate() {
        let answer = answer.await.unwrap();
        match i % 5 {
            1 => assert!(matches!(answer, Err(StorageError::Deadline)), "{answer:?}"),
            2 => assert!(matches!(answer, Err(StorageError::Panicked)), "{answer:?}"),
            3 => assert!(matches!(answer, Err(StorageError::Sqlite(_))), "{answer:?}"),
            _ => assert_eq!(answer.unwrap(), i),
        }
    }
    holder.join().unwrap();
    assert_eq!(count(&file, "entity"), 8);
    assert_eq!(log(&file).len(), 8);
}

#[test]
fn sixty_four_writers_at_once_all_succeed() {
    let stage = Stage::new();
    let file = stage.file();
    let start = Arc::new(Barrier::new(64));
    let threads: Vec<_> = (0..64)
        .map(|thread| {
            let (file, start) = (Arc::clone(&file), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                for i in 0..20 {
                    write(&file, move |connection| insert(connection, &format!("{thread}/{i}"))).unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(count(&file, "entity"), 64 * 20);
    let entries = file.read(|connection| connection.verify_changes()).unwrap();
    assert_eq!(entries, 64 * 20);
}

#[test]
fn requests_are_done_in_the_order_of_their_calls() {
    let stage = Stage::new();
    let file = stage.file();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (release, holder) = hold(&file);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut waiting = Vec::new();
        for i in 0..200 {
            let seen = Arc::clone(&seen);
            let mut request = Box::pin(file.write(origin(), move |_| {
                seen.lock().unwrap().push(i);
                Ok::<_, StorageError>(Verdict::Keep(()))
            }));
            // The first poll puts it into the queue.
            assert!(
                std::future::poll_fn(|context| {
                    std::task::Poll::Ready(request.as_mut().poll(context).is_pending())
                })
                .await
            );
            waiting.push(request);
        }
        release.send(()).unwrap();
        for request in waiting {
            request.await.unwrap();
        }
    });
    holder.join().unwrap();
    assert_eq!(*seen.lock().unwrap(), (0..200).collect::<Vec<_>>());
}

#[test]
fn a_dry_run_tells_and_leaves_nothing() {
    let stage = Stage::new();
    let file = stage.file();
    let seen = file
        .write_blocking(origin(), |connection| {
            insert(connection, "tried")?;
            let rows: i64 =
                connection.prepare("select count(*) from entity")?.query_row([], |row| row.get(0))?;
            Ok::<_, StorageError>(Verdict::Undo(rows))
        })
        .unwrap();
    assert_eq!((seen, count(&file, "entity"), log(&file).len()), (1, 0, 0));
}

#[test]
fn a_failed_part_is_undone_alone() {
    let stage = Stage::new();
    let file = stage.file();
    write(&file, |connection| {
        insert(connection, "before")?;
        let part = connection.savepoint(|| {
            insert(connection, "in the part")?;
            connection.savepoint(|| insert(connection, "deeper"))?;
            insert(connection, "before")
        });
        assert!(part.is_err());
        insert(connection, "after")
    })
    .unwrap();
    let names: Vec<_> = log(&file).into_iter().map(|[_, _, _, _, new]| new).collect();
    assert_eq!(count(&file, "entity"), 2);
    assert!(names.len() == 2 && names[0].contains("before") && names[1].contains("after"), "{names:?}");
}

#[test]
fn a_kept_connection_stops_working_and_harms_nobody() {
    let stage = Stage::new();
    let file = stage.file();
    file.write_blocking(origin(), |connection| {
        // A leak is the only way to keep one: it cannot leave this thread.
        std::mem::forget(Rc::clone(connection));
        insert(connection, "first").map(Verdict::Keep)
    })
    .unwrap();
    write(&file, |connection| insert(connection, "second")).unwrap();
    let kept = file.read(|connection| Ok::<_, StorageError>(Rc::clone(connection))).unwrap();
    assert!(matches!(kept.prepare("select 1"), Err(StorageError::Retired)));
    assert_eq!(count(&file, "entity"), 2);
}

#[test]
fn a_write_whose_caller_went_away_still_happens() {
    let stage = Stage::new();
    let file = stage.file();
    let (release, holder) = hold(&file);
    let done = Arc::new(AtomicUsize::new(0));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let counter = Arc::clone(&done);
        let mut request = Box::pin(file.write(origin(), move |connection| {
            counter.fetch_add(1, Ordering::SeqCst);
            insert(connection, "kept").map(Verdict::Keep)
        }));
        let _ =
            std::future::poll_fn(|context| std::task::Poll::Ready(request.as_mut().poll(context).is_ready()))
                .await;
    });
    release.send(()).unwrap();
    holder.join().unwrap();
    write(&file, |_| Ok(())).unwrap();
    assert_eq!((done.load(Ordering::SeqCst), count(&file, "entity")), (1, 1));
}

#[test]
fn when_the_transaction_is_lost_its_requests_learn_so_and_the_next_succeeds() {
    let stage = Stage::new();
    let file = stage.file();
    let lost = write(&file, |connection| {
        insert(connection, "lost")?;
        connection.execute("insert or rollback into entity (id, name) values (x'00', 'lost')", []).map(|_| ())
    });
    assert!(matches!(lost, Err(StorageError::NotCommitted(_))), "{lost:?}");
    write(&file, |connection| insert(connection, "next")).unwrap();
    assert_eq!((count(&file, "entity"), log(&file).len()), (1, 1));
}

#[test]
fn another_process_that_holds_the_file_is_waited_for() {
    let stage = Stage::new();
    let file = stage.file();
    write(&file, |connection| insert(connection, "first")).unwrap();
    let path = stage.folder.path().join(format!("organizations/{}/sales.sqlite", stage.organization));
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch("begin immediate; insert into plain (name) values ('other')").unwrap();
    let (begun, running) = mpsc::channel();
    let writer = {
        let file = Arc::clone(&file);
        std::thread::spawn(move || {
            begun.send(()).unwrap();
            write(&file, |connection| insert(connection, "second"))
        })
    };
    running.recv().unwrap();
    other.execute_batch("commit").unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!(count(&file, "entity"), 2);
    file.read(|connection| connection.verify_changes()).unwrap();
}

#[test]
fn i10_a_full_disk_keeps_nothing_of_a_write() {
    let stage = Stage::new();
    let file = stage.file();
    write(&file, |connection| insert(connection, "first")).unwrap();
    // SQLite answers a file that may not grow as it answers a disk that is full.
    let full = write(&file, |connection| {
        connection.raw().query_row("pragma max_page_count = 1", [], |_| Ok(()))?;
        (0..500).try_for_each(|_| insert(connection, &"x".repeat(4_000)))
    });
    assert!(matches!(full, Err(StorageError::Sqlite(_) | StorageError::NotCommitted(_))), "{full:?}");
    assert_eq!((count(&file, "entity"), log(&file).len()), (1, 1));
    write(&file, |connection| {
        connection.raw().query_row("pragma max_page_count = 1000000", [], |_| Ok(()))?;
        insert(connection, "second")
    })
    .unwrap();
    assert_eq!(count(&file, "entity"), 2);
    file.read(|connection| connection.verify_changes()).unwrap();
}

#[test]
fn what_writes_left_to_be_merged_is_merged_when_the_file_is_quiet() {
    const PIECES: &str = "(select distinct segid from found_idx)";
    let stage = Stage::new();
    let file = stage.file();
    write(&file, |connection| connection.batch("create virtual table found using fts5(text, content='')"))
        .unwrap();
    for _ in 0..5 {
        let add = |connection: &Connection| {
            connection.execute("insert into found (text) values ('amber works')", [])?;
            connection.adds_to_index("found");
            Ok(())
        };
        write(&file, add).unwrap();
    }
    assert_eq!(count(&file, PIECES), 5, "too few for the writer");
    let merged = (0..1_000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        count(&file, PIECES) == 1
    });
    assert!(merged);
}
