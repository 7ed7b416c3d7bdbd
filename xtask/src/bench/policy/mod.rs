//! `bench policy`: what deciding costs, inside the host and over HTTP.
//!
//! `people.rs` makes the organization whose lists are compared; this file measures.

mod people;

use stoa_testkit::{Client, Connection, encode};

use self::people::Seers;
use super::Options;
use super::inside::{Figures, shown};
use super::load::{Kind, drive};
use super::processor::Tree;
use super::stoa::Stoa;
use super::table::Table;
use crate::fault::Fault;
use crate::host::{self, Profile};
use crate::workspace::Workspace;

/// A figure of `host/benches/policy.rs`: its name, what it is, and the most that p50 and p99 may be, in nanoseconds.
const INSIDE: [(&str, &str, u64, u64); 4] = [
    ("point", "point decision, 500 rules, 5 roles", 1_000, 10_000),
    ("filter", "filter written as SQL", 50_000, u64::MAX),
    ("build", "policy of 2,000 rules built", 50_000_000, u64::MAX),
    ("bearer", "token known from before", 1_000, u64::MAX),
];
/// What a policy of 2,000 rules may weigh.
const WEIGHT: u64 = 1024 * 1024;
/// What a filtered list may cost, as a multiple of the unfiltered one.
const MOST: f64 = 1.15;
const LIST: &str = "/api/v1/crm/accounts?limit=50";

pub(super) fn measure(workspace: &Workspace, options: &Options) -> Result<(), Fault> {
    let mut table = Table::default();
    inside(workspace, &mut table)?;
    lists(workspace, options, &mut table)?;
    table.end()
}

/// Runs the measurements on the library and takes their lines.
fn inside(workspace: &Workspace, table: &mut Table) -> Result<(), Fault> {
    let figures = Figures::measure(workspace, "policy", &[])?;
    for (name, what, middle, high) in INSIDE {
        let (p50, p99) = figures.of(name)?;
        let aim = match high {
            u64::MAX => format!("p50 {}", shown(middle)),
            high => format!("{} / {}", shown(middle), shown(high)),
        };
        table.add(what, format!("p50 {}, p99 {}", shown(p50), shown(p99)), aim, p50 <= middle && p99 <= high);
    }
    let (weight, _) = figures.of("memory")?;
    let kilobytes = |bytes: u64| format!("{} KiB", bytes / 1024);
    table.add("policy of 2,000 rules in memory", kilobytes(weight), kilobytes(WEIGHT), weight <= WEIGHT);
    Ok(())
}

/// The same list for somebody who sees everything and for those who see a part, in interleaved rounds.
fn lists(workspace: &Workspace, options: &Options, table: &mut Table) -> Result<(), Fault> {
    let binary = host::build(workspace, Profile::Release)?;
    let stoa = Stoa::start(&binary, &[]);
    let seers = Seers::make(&stoa, options.records)?;
    let places = seers.all.iter().map(|(name, client)| Ok((*name, client, deep(&stoa, client)?)));
    let places = places.collect::<Result<Vec<_>, Fault>>()?;
    for depth in ["first page", "a page deep inside"] {
        let mut times = vec![Vec::new(); places.len()];
        for _ in 0..options.rounds {
            for ((_, client, inside), times) in places.iter().zip(&mut times) {
                let path = if depth == "first page" { LIST } else { inside.as_str() };
                times.push(round(&stoa, client, path, options)?);
            }
        }
        let mut middles = times.into_iter().map(super::median);
        let whole = middles.next().unwrap_or(f64::NAN);
        for ((name, ..), middle) in places.iter().skip(1).zip(middles) {
            let ratio = middle / whole;
            let figure = format!("{middle:.2} ms against {whole:.2} ms: {ratio:.2}");
            table.add(format!("list of {name}, {depth}"), figure, format!("{MOST}"), ratio <= MOST);
        }
    }
    Ok(())
}

/// The median time of a list, in milliseconds.
fn round(stoa: &Stoa, client: &Client, path: &str, options: &Options) -> Result<f64, Fault> {
    let pid = stoa.host.pid().ok_or_else(|| Fault::new("the host has ended"))?;
    let request = client.call("GET", path).rendered(true);
    let kind = Kind { address: stoa.host.address(), status: 200, request: &|_| request.clone() };
    let round = drive(&kind, options.connections.unwrap_or(1), options.length, &Tree::of(pid)?)?;
    Ok(round.latency(50))
}

/// The list from somewhere behind its beginning: so many pages on.
fn deep(stoa: &Stoa, client: &Client) -> Result<String, Fault> {
    const PAGES: usize = 20;
    let mut connection = Connection::open(stoa.host.address()).map_err(Fault::at("connecting"))?;
    let wide = "/api/v1/crm/accounts?limit=200&fields=id";
    let mut path = LIST.to_owned();
    let mut next = wide.to_owned();
    for _ in 0..PAGES {
        let request = client.call("GET", &next).rendered(true);
        let response = connection.exchange(&request).map_err(Fault::at("listing"))?;
        let page: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
        if response.status != 200 {
            return Err(Fault::new(format!("listing: {} {page}", response.status)));
        }
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        next = format!("{wide}&cursor={}", encode(cursor));
        path = format!("{LIST}&cursor={}", encode(cursor));
    }
    Ok(path)
}
