//! `cargo xtask bench`: figures that anybody can reproduce on their own machine.
//!
//! Reading order: `load.rs` (drive a server), `processor.rs` (what it cost), `stoa.rs` and `peer.rs` (the two servers),
//! then the measurements.

mod import;
mod inside;
mod load;
mod peer;
mod plugins;
mod policy;
mod processor;
mod records;
mod requests;
mod stoa;
mod table;
mod writes;

use std::time::Duration;

use crate::arguments::Arguments;
use crate::fault::Fault;
use crate::workspace::Workspace;

pub(crate) const HELP: &str = "\
cargo xtask bench [requests|writes|import|records|policy|plugins] [options]      without a name: the first three

requests   get one, list 25 filtered and sorted, create: 32 keep-alive connections against Stoa (fresh component
           instance, hooks, change log, synchronous=FULL) and against bench/peer (FastAPI + SQLAlchemy + SQLite in
           WAL mode, synchronous=FULL, an audit row in the same transaction, a token checked on each request), both with
           10,000 accounts, in interleaved rounds. Prints server CPU per request (user + system time of the server's
           process tree from /proc, divided by the completed requests), requests per second, p50 and p99, and the ratios.
           CPU per request is the figure to trust: the load generator shares the machine.
writes     64 writers on one organization, with group commit and with one commit per request.
import     the 8,800 rows of the sales extract through `POST /api/v1/imports`; a generated file of the same shape when
           ../shared/data is not there.
records    one organization with a million accounts (12 fields, 4 of them indexed, 2 searched): get, filtered lists at any
           depth, search, duplicate check, writes at 200/s, export, memory, and list throughput against an organization
           of 10,000. Takes about ten minutes; ends with an error when an aim is missed.
policy     what deciding costs: a point decision at 500 rules and 5 roles, a filter written, a policy of 2,000 rules built and
           weighed, a token known from before; and lists of people who see their own, their team's and both against the
           unfiltered list, among a million accounts of 40 people in 8 teams. Ends with an error when an aim is missed.

  --rounds N         rounds per measurement (3); the median is printed
  --seconds N        length of one round (3)
  --connections N    keep-alive connections (32; 64 for writes)
  --rows N           accounts in both servers before measuring (10000)
  --records N        accounts of the large organization of `records` and `policy` (1000000)
  --peer-workers N   uvicorn workers (2)
  --no-peer          Stoa alone; needs no Python

The peer needs python3 with venv; its pinned packages are installed into <target>/bench-venv at the first run.
";

/// What the command line may change.
pub(crate) struct Options {
    pub(crate) rounds: usize,
    pub(crate) length: Duration,
    /// Only when it was given; each measurement has its own usual number.
    pub(crate) connections: Option<usize>,
    pub(crate) rows: usize,
    pub(crate) records: usize,
    pub(crate) peer_workers: usize,
    pub(crate) peer: bool,
}

pub(crate) fn command(workspace: &Workspace, mut arguments: Arguments) -> Result<(), Fault> {
    let which = arguments.word();
    let connections = arguments.value("--connections", 0_usize)?;
    let options = Options {
        rounds: arguments.value("--rounds", 3_usize)?.max(1),
        length: Duration::from_secs(arguments.value("--seconds", 3_u64)?.max(1)),
        connections: (connections > 0).then_some(connections),
        rows: arguments.value("--rows", 10_000_usize)?.max(1),
        records: arguments.value("--records", 1_000_000_usize)?.max(1_000),
        peer_workers: arguments.value("--peer-workers", 2_usize)?.max(1),
        peer: !arguments.flag("--no-peer"),
    };
    arguments.done()?;
    match which.as_deref() {
        Some("requests") => requests::measure(workspace, &options),
        Some("writes") => writes::measure(workspace, &options),
        Some("import") => import::measure(workspace, &options),
        Some("records") => records::measure(workspace, &options),
        Some("policy") => policy::measure(workspace, &options),
        Some("plugins") => plugins::measure(workspace),
        Some(other) => Err(Fault::new(format!("no measurement is called `{other}`\n\n{HELP}"))),
        None => {
            requests::measure(workspace, &options)?;
            writes::measure(workspace, &options)?;
            import::measure(workspace, &options)
        }
    }
}

/// The middle of the values; of an even number, the lower middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}
