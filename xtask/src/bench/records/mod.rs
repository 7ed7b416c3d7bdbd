//! `bench records`: one organization with a million records, each figure against its aim.
//!
//! Reading order: `rows.rs` (what the records look like), `work.rs` (the requests), then this file.

pub(super) mod rows;
mod work;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use self::work::{Sample, Scale};
use super::Options;
use super::stoa::Stoa;
use super::table::Table;
use crate::fault::Fault;
use crate::host::{self, Profile};
use crate::workspace::{Workspace, say};

/// Records of the small organization that list throughput is compared with.
const SMALL: usize = 10_000;
/// Rows of one file: the host takes 64 MiB.
const FILE: usize = 200_000;
/// Longest that one file may take.
const LIMIT: Duration = Duration::from_secs(1_200);

pub(super) fn measure(workspace: &Workspace, options: &Options) -> Result<(), Fault> {
    let binary = host::build(workspace, Profile::Release)?;
    let total = options.records;
    let mut table = Table::default();
    let small = Stoa::start(&binary, &[]);
    fill(&small, SMALL.min(total))?;
    let large = Stoa::start(&binary, &[]);
    let rate = fill(&large, total)?;
    table.add(
        format!("import of {total} rows, hooks on"),
        format!("{rate:.0} rows/s"),
        "5000 rows/s",
        rate >= 5_000.0,
    );
    let (few, many) = (work::sample(&small)?, work::sample(&large)?);
    read(&large, &many, options, &mut table)?;
    growth([(&small, &few), (&large, &many)], options, &mut table)?;
    write(&large, options, &mut table)?;
    export(&large, total, &mut table)?;
    memory(&large, &mut table)?;
    table.end()
}

/// Imports `total` accounts, file by file; rows per second.
fn fill(stoa: &Stoa, total: usize) -> Result<f64, Fault> {
    let mut spent = Duration::ZERO;
    for start in (0..total).step_by(FILE) {
        let rows = start..total.min(start + FILE);
        let csv = rows::csv(rows.clone());
        let began = Instant::now();
        let job = stoa.client.finished(&stoa.client.import(&rows::spec(), csv.as_bytes()), LIMIT);
        spent += began.elapsed();
        if job["state"] != "succeeded" || job["progress"]["failed"] != json!(0) {
            return Err(Fault::new(format!("the import did not succeed: {job}")));
        }
        say(format_args!("{} of {total} records after {:.0} s", rows.end, spent.as_secs_f64()));
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
    Ok(total as f64 / spent.as_secs_f64())
}

fn read(stoa: &Stoa, sample: &Sample, options: &Options, table: &mut Table) -> Result<(), Fault> {
    let connections = options.connections.unwrap_or(4);
    let mut drive = |what: &str, aim: f64, request: &(dyn Fn(u64) -> Vec<u8> + Sync)| -> Result<(), Fault> {
        let round = work::drive(stoa, 200, request, connections, options.length)?;
        table.latency(what, &round, aim);
        Ok(())
    };
    drive("get one", 5.0, &|n| work::get(stoa, sample, n))?;
    for (percent, cursor) in &sample.cursors {
        drive(&format!("filtered list of 50, after {percent} %"), 30.0, &|_| {
            work::page(stoa, cursor.as_deref())
        })?;
    }
    for (percent, cursor) in &sample.sorted {
        drive(&format!("list of 50 by a nullable field, after {percent} %"), 30.0, &|_| {
            work::sorted(stoa, cursor.as_deref())
        })?;
    }
    drive("search, rare and common words", 50.0, &|n| work::search(stoa, sample, n))?;
    drive("list by words (q=), newest first", 50.0, &|n| work::words(stoa, sample, n))?;
    drive("duplicate check", 20.0, &|n| work::duplicates(stoa, sample, n))
}

/// List throughput of the large organization against that of the small one, in interleaved rounds.
fn growth(places: [(&Stoa, &Sample); 2], options: &Options, table: &mut Table) -> Result<(), Fault> {
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..options.rounds {
        for ((stoa, sample), rates) in places.iter().zip(&mut rates) {
            let cursors: Vec<_> = sample.cursors.iter().map(|(_, cursor)| cursor.as_deref()).collect();
            let request = |n: u64| {
                let at = super::load::scattered(n, cursors.len());
                work::page(stoa, cursors.get(at).copied().flatten())
            };
            let connections = options.connections.unwrap_or(4);
            rates.push(work::drive(stoa, 200, &request, connections, options.length)?.per_second());
        }
    }
    let [small, large] = rates.map(super::median);
    let ratio = large / small;
    let figure = format!("{large:.0}/s against {small:.0}/s: {ratio:.2}");
    table.add("list throughput, large against small", figure, "0.80", ratio >= 0.8);
    Ok(())
}

fn write(stoa: &Stoa, options: &Options, table: &mut Table) -> Result<(), Fault> {
    let scale = Scale { per_second: 200, length: options.length.max(Duration::from_secs(10)) };
    let round = work::paced(stoa, &scale)?;
    table.latency("write at 200/s, synchronous=FULL", &round, 15.0);
    Ok(())
}

fn export(stoa: &Stoa, total: usize, table: &mut Table) -> Result<(), Fault> {
    for format in ["csv", "jsonl"] {
        let began = Instant::now();
        let path = format!("/api/v1/crm/accounts/export?format={format}");
        let lines = work::lines(stoa, &path)?;
        let header = usize::from(format == "csv");
        if lines < total + header {
            return Err(Fault::new(format!("the export has {lines} lines for {total} records")));
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
        let rate = lines as f64 / began.elapsed().as_secs_f64();
        table.add(
            format!("export as {format}"),
            format!("{rate:.0} rows/s"),
            "20000 rows/s",
            rate >= 20_000.0,
        );
    }
    Ok(())
}

/// The most memory that the server ever held.
fn memory(stoa: &Stoa, table: &mut Table) -> Result<(), Fault> {
    let pid = stoa.host.pid().ok_or_else(|| Fault::new("the host has ended"))?;
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(Path::new(&path)).map_err(Fault::at(&path))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kilobytes: f64 = peak.trim().trim_end_matches("kB").trim().parse().unwrap_or(f64::INFINITY);
    let megabytes = kilobytes / 1_024.0;
    table.add("most resident memory", format!("{megabytes:.0} MB"), "300 MB", megabytes < 300.0);
    Ok(())
}
