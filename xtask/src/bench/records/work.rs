//! The requests that are measured, and the records and places in lists that they are made for.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stoa_testkit::{Connection, encode};

use super::rows;
use crate::bench::load::{self, Kind, Round, scattered};
use crate::bench::processor::Tree;
use crate::bench::stoa::Stoa;
use crate::fault::Fault;

/// The filtered list: an eighth of the records, newest first.
const FILTERED: &str = "/api/v1/crm/accounts?industry=software&limit=50";
/// The list by a field without a value in every tenth record, largest first.
const SORTED: &str = "/api/v1/crm/accounts?sort=-industry&limit=50";
/// How deep the measured pages lie, in percent of the list.
const DEPTHS: [usize; 4] = [0, 10, 50, 95];

/// Records, and cursors into lists.
pub(super) struct Sample {
    ids: Vec<String>,
    /// How many records there are.
    total: usize,
    /// Depth in percent, and the cursor of that page of the filtered list.
    pub(super) cursors: Vec<(usize, Option<String>)>,
    /// The same for the sorted list.
    pub(super) sorted: Vec<(usize, Option<String>)>,
}

/// Walks the lists once.
pub(super) fn sample(stoa: &Stoa) -> Result<Sample, Fault> {
    let counted = stoa.client.get("/api/v1/crm/accounts?limit=1&count=exact").ok();
    let total = counted["count"].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
    let (cursors, ids) = walk(stoa, FILTERED, total / 9)?;
    let (sorted, _) = walk(stoa, SORTED, total)?;
    Ok(Sample { ids, total, cursors, sorted })
}

/// The cursors at the depths of a list of about `length` records, and ids on the way.
#[expect(clippy::type_complexity, reason = "two lists")]
fn walk(
    stoa: &Stoa,
    path: &str,
    length: usize,
) -> Result<(Vec<(usize, Option<String>)>, Vec<String>), Fault> {
    let mut connection = Connection::open(stoa.host.address()).map_err(Fault::at("connecting"))?;
    let (mut cursors, mut ids) = (vec![(0, None)], Vec::new());
    let (mut seen, mut cursor): (usize, Option<String>) = (0, None);
    let fast = format!("{}&fields=id", path.replace("limit=50", "limit=200"));
    for depth in DEPTHS.into_iter().skip(1) {
        while seen < length * depth / 100 {
            let next =
                cursor.as_ref().map_or_else(String::new, |cursor| format!("&cursor={}", encode(cursor)));
            let request = stoa.client.call("GET", &format!("{fast}{next}")).rendered(true);
            let response = connection.exchange(&request).map_err(Fault::at("listing"))?;
            let page: Value = serde_json::from_slice(&response.body).unwrap_or_default();
            let Some(data) = page["data"].as_array().filter(|data| !data.is_empty()) else {
                return Err(Fault::new(format!("listing: {} {page}", response.status)));
            };
            seen += data.len();
            ids.extend(data.iter().take(3).filter_map(|record| record["id"].as_str()).map(str::to_owned));
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        cursors.push((depth, cursor.clone()));
    }
    Ok((cursors, ids))
}

fn rendered(stoa: &Stoa, path: &str) -> Vec<u8> {
    stoa.client.call("GET", path).rendered(true)
}

pub(super) fn get(stoa: &Stoa, sample: &Sample, number: u64) -> Vec<u8> {
    let id = sample.ids.get(scattered(number, sample.ids.len())).map_or("", String::as_str);
    rendered(stoa, &format!("/api/v1/crm/accounts/{id}"))
}

pub(super) fn page(stoa: &Stoa, cursor: Option<&str>) -> Vec<u8> {
    at(stoa, FILTERED, cursor)
}

pub(super) fn sorted(stoa: &Stoa, cursor: Option<&str>) -> Vec<u8> {
    at(stoa, SORTED, cursor)
}

fn at(stoa: &Stoa, path: &str, cursor: Option<&str>) -> Vec<u8> {
    match cursor {
        Some(cursor) => rendered(stoa, &format!("{path}&cursor={}", encode(cursor))),
        None => rendered(stoa, path),
    }
}

pub(super) fn search(stoa: &Stoa, sample: &Sample, number: u64) -> Vec<u8> {
    let words = encode(&rows::query(number, sample.total));
    rendered(stoa, &format!("/api/v1/crm/accounts/search?q={words}"))
}

pub(super) fn words(stoa: &Stoa, sample: &Sample, number: u64) -> Vec<u8> {
    let words = encode(&rows::query(number, sample.total));
    rendered(stoa, &format!("/api/v1/crm/accounts?q={words}&limit=50"))
}

pub(super) fn duplicates(stoa: &Stoa, sample: &Sample, number: u64) -> Vec<u8> {
    let body = json!({ "records": [rows::account(scattered(number, sample.total))] });
    stoa.client.call("POST", "/api/v1/crm/accounts/duplicates").json(&body).rendered(true)
}

/// Drives one kind of request.
pub(super) fn drive(
    stoa: &Stoa,
    status: u16,
    request: &(dyn Fn(u64) -> Vec<u8> + Sync),
    connections: usize,
    length: Duration,
) -> Result<Round, Fault> {
    let pid = stoa.host.pid().ok_or_else(|| Fault::new("the host has ended"))?;
    let kind = Kind { address: stoa.host.address(), status, request };
    load::drive(&kind, connections, length, &Tree::of(pid)?)
}

/// A load of so many requests a second, whatever the answers take.
pub(super) struct Scale {
    pub(super) per_second: u32,
    pub(super) length: Duration,
}

/// Creates at a fixed rate over eight connections; each latency counts from the instant at which the request was due.
pub(super) fn paced(stoa: &Stoa, scale: &Scale) -> Result<Round, Fault> {
    const CONNECTIONS: u32 = 8;
    let tree = Tree::of(stoa.host.pid().ok_or_else(|| Fault::new("the host has ended"))?)?;
    let (all, wrong) = (Mutex::new(Vec::new()), Mutex::new(None));
    let (began, before) = (Instant::now(), tree.used());
    let step = Duration::from_secs(1) / scale.per_second;
    thread::scope(|scope| {
        for lane in 0..CONNECTIONS {
            let (all, wrong) = (&all, &wrong);
            scope.spawn(move || {
                let outcome =
                    lane_of(stoa, began + step * lane, step * CONNECTIONS, began + scale.length, lane);
                match outcome {
                    Ok(latencies) => all.lock().map(|mut all| all.extend(latencies)).unwrap_or_default(),
                    Err(error) => wrong.lock().map(|mut wrong| *wrong = Some(error)).unwrap_or_default(),
                }
            });
        }
    });
    if let Ok(Some(error)) = wrong.into_inner() {
        return Err(error);
    }
    let latencies = all.into_inner().unwrap_or_default();
    Ok(Round::of(latencies, began.elapsed(), tree.used().saturating_sub(before)))
}

fn lane_of(stoa: &Stoa, first: Instant, step: Duration, end: Instant, lane: u32) -> Result<Vec<u32>, Fault> {
    let mut connection = Connection::open(stoa.host.address()).map_err(Fault::at("connecting"))?;
    let (mut due, mut latencies) = (first, Vec::new());
    while due < end {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let number = 100_000_000 + latencies.len() * 8 + usize::try_from(lane).unwrap_or_default();
        let body = rows::account(number);
        let request = stoa.client.call("POST", "/api/v1/crm/accounts").json(&body).rendered(true);
        let response = connection.exchange(&request).map_err(Fault::at("writing"))?;
        if response.status != 201 {
            let body = String::from_utf8_lossy(&response.body).into_owned();
            return Err(Fault::new(format!("writing: {} {body}", response.status)));
        }
        latencies.push(u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX));
        due += step;
    }
    Ok(latencies)
}

/// The lines of a long answer, read as they come and not kept.
pub(super) fn lines(stoa: &Stoa, path: &str) -> Result<usize, Fault> {
    let mut stream = TcpStream::connect(stoa.host.address()).map_err(Fault::at("connecting"))?;
    let request = stoa.client.call("GET", path).rendered(false);
    stream.write_all(&request).map_err(Fault::at("asking"))?;
    let mut reader = BufReader::with_capacity(1 << 16, stream);
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).map_err(Fault::at("reading"))?;
    if !line.starts_with(b"HTTP/1.1 200") {
        return Err(Fault::new(format!("{path}: {}", String::from_utf8_lossy(&line))));
    }
    let mut count = 0;
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(Fault::at("reading"))? == 0 {
            return Ok(count);
        }
        // Rows end with a line feed and are longer than what stands between the pieces of a chunked body.
        count += usize::from(line.len() > 40);
    }
}
