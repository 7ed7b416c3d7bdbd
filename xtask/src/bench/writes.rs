//! `bench writes`: many writers on one organization, with group commit and with one commit per request.

use serde_json::json;

use super::load::{Kind, Round, drive};
use super::processor::Tree;
use super::stoa::Stoa;
use super::{Options, median};
use crate::fault::Fault;
use crate::host::{self, Profile};
use crate::workspace::Workspace;

/// The host's own switch, there for this comparison.
const ONE_BY_ONE: (&str, &str) = ("STOA_GROUP_COMMIT_MAX", "1");

pub(super) fn measure(workspace: &Workspace, options: &Options) -> Result<(), Fault> {
    let binary = host::build(workspace, Profile::Release)?;
    let writers = options.connections.unwrap_or(64);
    let servers = [
        ("group commit", Stoa::start(&binary, &[])),
        ("one commit each", Stoa::start(&binary, &[ONE_BY_ONE])),
    ];
    let mut rounds: [Vec<Round>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..options.rounds {
        for ((_, stoa), rounds) in servers.iter().zip(&mut rounds) {
            rounds.push(round(stoa, writers, options)?);
        }
    }
    println!(
        "\n{writers} writers on one organization, hook + change log, synchronous=FULL, every answer 201"
    );
    println!("{:<18}{:>12}{:>12}{:>12}{:>14}", "", "writes/s", "p50 ms", "p99 ms", "CPU us/req");
    for ((name, _), rounds) in servers.iter().zip(&rounds) {
        let middle = |figure: &dyn Fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
        println!(
            "{name:<18}{:>12.0}{:>12.2}{:>12.2}{:>14.1}",
            middle(&Round::per_second),
            middle(&|round| round.latency(50)),
            middle(&|round| round.latency(99)),
            middle(&Round::cost)
        );
    }
    let [grouped, single] = rounds.map(|rounds| median(rounds.iter().map(Round::per_second).collect()));
    println!("{:<18}{:>11.1} x", "ratio", grouped / single);
    Ok(())
}

fn round(stoa: &Stoa, writers: usize, options: &Options) -> Result<Round, Fault> {
    let pid = stoa.host.pid().ok_or_else(|| Fault::new("the host has ended"))?;
    let request = |number: u64| {
        let body = json!({"name": format!("Written {number}"), "industry": "software"});
        stoa.client.call("POST", "/api/v1/crm/accounts").json(&body).rendered(true)
    };
    let kind = Kind { address: stoa.host.address(), status: 201, request: &request };
    drive(&kind, writers, options.length, &Tree::of(pid)?)
}
