//! `kill -9` at the worst moments, and the exact counts that must stand afterwards.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use stoa_testkit::{Client, Connection, Host, wait_for};

use crate::{Extract, count, id, tutorial};

const WRITERS: usize = 64;
const OPPORTUNITIES: &str = "/api/v1/sales/opportunities";

/// Kills the host when the import of the opportunities has done each of `moments` rows, and gives how often it could.
///
/// # Panics
/// When the import does not end with every opportunity exactly once.
pub fn kill_during_import(host: &mut Host, slug: &str, moments: &[u64]) -> usize {
    let extract = Extract::any();
    let token = {
        let organization = host.organization(slug, &["sales"]);
        tutorial::prepare(&organization.owner(), &extract);
        organization.api_key().to_owned()
    };
    let caller = |host: &Host| Client::new(host.address(), &format!("/t/{slug}"), Some(&token));
    let path = caller(host).import(&tutorial::spec("opportunities"), &extract.file("sales_pipeline.csv"));
    let mut kills = 0;
    for moment in moments {
        let client = caller(host);
        let running = wait_for("progress of the import", tutorial::LIMIT, || {
            let job = client.get(&path).ok();
            let done = job["progress"]["done"].as_u64().unwrap_or_default();
            let ended = matches!(job["state"].as_str(), Some("succeeded" | "failed" | "cancelled"));
            (ended || done >= *moment).then_some(!ended)
        });
        if !running {
            break;
        }
        host.kill9();
        host.restart();
        kills += 1;
    }
    let client = caller(host);
    let job = client.finished(&path, tutorial::LIMIT);
    assert_eq!((&job["state"], &job["progress"]["failed"]), (&json!("succeeded"), &json!(0)), "{job}");
    assert_eq!(count(&client, OPPORTUNITIES), Extract::OPPORTUNITIES);
    let sources: BTreeSet<String> = client
        .all(&format!("{OPPORTUNITIES}?fields=external_ids"))
        .iter()
        .filter_map(|record| record["external_ids"]["maven"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(sources.len() as u64, Extract::OPPORTUNITIES, "every row of the file once");
    kills
}

/// 64 writers on one organization, killed after `acknowledged` answers; gives how many answers there were.
///
/// # Panics
/// When an answer is not 201, or an acknowledged record is missing afterwards, or one is there that nobody sent.
pub fn kill_during_writes(host: &mut Host, slug: &str, acknowledged: usize) -> usize {
    let token = host.organization(slug, &["sales"]).api_key().to_owned();
    let prefix = format!("/t/{slug}");
    let written = {
        let client = Client::new(host.address(), &prefix, Some(&token));
        let address = host.address().to_owned();
        write_until_killed(host, &client, &address, acknowledged)
    };
    host.restart();
    let client = Client::new(host.address(), &prefix, Some(&token));
    let present = client.all("/api/v1/crm/accounts?fields=name");
    let present: BTreeSet<&str> = present.iter().map(id).collect();
    let lost: Vec<&String> = written.ids.iter().filter(|id| !present.contains(id.as_str())).collect();
    assert!(
        lost.is_empty(),
        "{} of {} acknowledged writes are lost: {lost:?}",
        lost.len(),
        written.ids.len()
    );
    assert!(present.len() <= written.sent, "{} records of {} requests", present.len(), written.sent);
    written.ids.len()
}

struct Written {
    ids: Vec<String>,
    sent: usize,
}

fn write_until_killed(host: &mut Host, client: &Client, address: &str, enough: usize) -> Written {
    let (ids, wrong) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let (sent, killed) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (ids, wrong, sent, killed) = (&ids, &wrong, &sent, &killed);
            scope.spawn(move || write(client, address, writer, ids, wrong, sent, killed));
        }
        wait_for("acknowledged writes", Duration::from_secs(120), || {
            (held(&ids).len() >= enough || !held(&wrong).is_empty()).then_some(())
        });
        killed.store(true, Ordering::SeqCst);
        host.kill9();
    });
    let wrong = held(&wrong).clone();
    assert!(wrong.is_empty(), "a writer was refused or cut off before the kill: {wrong:?}");
    let ids = held(&ids).clone();
    Written { ids, sent: sent.load(Ordering::SeqCst) }
}

/// Writes until the connection breaks. Before the kill, every answer must be 201 and no connection may break.
fn write(
    client: &Client,
    address: &str,
    writer: usize,
    ids: &Mutex<Vec<String>>,
    wrong: &Mutex<Vec<String>>,
    sent: &AtomicUsize,
    killed: &AtomicBool,
) {
    let Ok(mut connection) = Connection::open(address) else {
        return;
    };
    for number in 0.. {
        let body = json!({"name": format!("Writer {writer} wrote {number}")});
        let request = client.call("POST", "/api/v1/crm/accounts").json(&body).rendered(true);
        sent.fetch_add(1, Ordering::SeqCst);
        match connection.exchange(&request) {
            Ok(response) if response.status == 201 => {
                let record: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
                held(ids).push(id(&record).to_owned());
            }
            Ok(response) => {
                let text = String::from_utf8_lossy(&response.body).into_owned();
                return held(wrong).push(format!("{} {text}", response.status));
            }
            Err(_) if killed.load(Ordering::SeqCst) => return,
            Err(error) => return held(wrong).push(error.to_string()),
        }
    }
}

fn held<T>(list: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}
