//! `bench requests`: the same three requests against Stoa and the peer, in interleaved rounds.

use std::time::Duration;

use serde_json::json;
use stoa_testkit::Client;

use super::load::{Kind, Round, drive, scattered};
use super::peer::Peer;
use super::processor::Tree;
use super::stoa::Stoa;
use super::{Options, median};
use crate::fault::Fault;
use crate::host::{self, Profile};
use crate::workspace::{Workspace, say};

const OPERATIONS: [Operation; 3] = [Operation::Get, Operation::List, Operation::Create];
const WARM_UP: Duration = Duration::from_millis(700);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Operation {
    Get,
    List,
    Create,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "get one",
            Self::List => "list 25 of 1/8",
            Self::Create => "create",
        }
    }

    /// The aim of the first issue: this many times less CPU than the peer.
    fn aim(self) -> f64 {
        match self {
            Self::Get => 30.0,
            Self::List => 12.0,
            Self::Create => 15.0,
        }
    }
}

/// One of the two servers, with what a request needs.
struct Server<'a> {
    name: &'static str,
    address: &'a str,
    client: &'a Client,
    base: &'static str,
    ids: &'a [String],
    tree: Tree,
}

impl Server<'_> {
    fn request(&self, operation: Operation, number: u64) -> Vec<u8> {
        match operation {
            Operation::Get => {
                let id = self.ids.get(scattered(number, self.ids.len())).map_or("", String::as_str);
                self.client.call("GET", &format!("{}/{id}", self.base)).rendered(true)
            }
            Operation::List => {
                let path = format!("{}?industry=retail&limit=25&sort=-created_at", self.base);
                self.client.call("GET", &path).rendered(true)
            }
            Operation::Create => {
                // Not `retail`: the list stays what it was.
                let body = json!({
                    "name": format!("Created {number}"), "industry": "software", "kind": "prospect",
                    "website": "https://created.example", "employees": 25, "country": "Germany",
                });
                self.client.call("POST", self.base).json(&body).rendered(true)
            }
        }
    }

    fn round(&self, operation: Operation, connections: usize, length: Duration) -> Result<Round, Fault> {
        let status = if operation == Operation::Create { 201 } else { 200 };
        let request = |number| self.request(operation, number);
        let kind = Kind { address: self.address, status, request: &request };
        drive(&kind, connections, length, &self.tree).map_err(Fault::at(self.name))
    }
}

pub(super) fn measure(workspace: &Workspace, options: &Options) -> Result<(), Fault> {
    let binary = host::build(workspace, Profile::Release)?;
    say(format_args!("seeding {} accounts", options.rows));
    let mut stoa = Stoa::start(&binary, &[]);
    stoa.seed(options.rows)?;
    let peer =
        if options.peer { Some(Peer::start(workspace, options.rows, options.peer_workers)?) } else { None };
    let pid = stoa.host.pid().ok_or_else(|| Fault::new("the host has ended"))?;
    let mut servers = vec![Server {
        name: "stoa",
        address: stoa.host.address(),
        client: &stoa.client,
        base: "/api/v1/crm/accounts",
        ids: &stoa.ids,
        tree: Tree::of(pid)?,
    }];
    if let Some(peer) = &peer {
        let (address, client, ids) = (peer.address.as_str(), &peer.client, peer.ids.as_slice());
        servers.push(Server { name: "fastapi", address, client, base: "/accounts", ids, tree: peer.tree()? });
    }
    let connections = options.connections.unwrap_or(32);
    println!(
        "\n{connections} connections, {} accounts, median of {} rounds of {} s each",
        options.rows,
        options.rounds,
        options.length.as_secs()
    );
    println!("{:<16}{:<10}{:>14}{:>12}{:>12}{:>12}", "", "", "CPU us/req", "req/s", "p50 ms", "p99 ms");
    OPERATIONS.into_iter().try_for_each(|operation| compare(&servers, operation, connections, options))
}

fn compare(
    servers: &[Server<'_>],
    operation: Operation,
    connections: usize,
    options: &Options,
) -> Result<(), Fault> {
    let mut rounds: Vec<Vec<Round>> = servers.iter().map(|_| Vec::new()).collect();
    for server in servers {
        server.round(operation, connections, WARM_UP)?;
    }
    for _ in 0..options.rounds {
        for (server, rounds) in servers.iter().zip(&mut rounds) {
            rounds.push(server.round(operation, connections, options.length)?);
        }
    }
    let middle =
        |rounds: &[Round], figure: &dyn Fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
    for (server, rounds) in servers.iter().zip(&rounds) {
        println!(
            "{:<16}{:<10}{:>14.1}{:>12.0}{:>12.2}{:>12.2}",
            operation.name(),
            server.name,
            middle(rounds, &Round::cost),
            middle(rounds, &Round::per_second),
            middle(rounds, &|round| round.latency(50)),
            middle(rounds, &|round| round.latency(99))
        );
    }
    if let [stoa, peer] = rounds.as_slice() {
        let cost = middle(peer, &Round::cost) / middle(stoa, &Round::cost);
        let speed = middle(stoa, &Round::per_second) / middle(peer, &Round::per_second);
        println!(
            "{:<16}{:<10}{:>11.1} x{:>10.1} x   less CPU (aim {:.0} x), more requests",
            "",
            "ratio",
            cost,
            speed,
            operation.aim()
        );
    }
    Ok(())
}
