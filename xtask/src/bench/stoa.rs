//! Stoa under measurement: the release binary on a temporary folder with one organization and seeded accounts.

use std::path::Path;

use serde_json::json;
use stoa_testkit::{Client, Connection, Host, Setup};

use super::peer::account;
use crate::fault::Fault;

/// A running Stoa with accounts in it.
pub(super) struct Stoa {
    pub(super) host: Host,
    pub(super) client: Client,
    pub(super) ids: Vec<String>,
}

impl Stoa {
    /// Starts it; `environment` as for the process.
    pub(super) fn start(binary: &Path, environment: &[(&str, &str)]) -> Self {
        let mut setup = Setup::default().binary(binary).fresh();
        // One key does here what many do elsewhere: its limit is not what is measured.
        for name in [
            "STOA_RATE_PERSON",
            "STOA_RATE_PROGRAM",
            "STOA_RATE_ORGANIZATION",
            "STOA_RATE_HEAVY",
            "STOA_RATE_JOBS",
        ] {
            setup = setup.environment(name, "10000000");
        }
        for (name, value) in environment {
            setup = setup.environment(name, value);
        }
        let host = setup.start();
        let client = host.organization("bench", &["sales"]).owner();
        Self { host, client, ids: Vec::new() }
    }

    /// Creates `rows` accounts through the API.
    pub(super) fn seed(&mut self, rows: usize) -> Result<(), Fault> {
        let per_thread = rows.div_ceil(8);
        let (client, address) = (&self.client, self.host.address());
        let made: Vec<Result<Vec<String>, Fault>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|thread| {
                    let numbers = (thread * per_thread)..((thread + 1) * per_thread).min(rows);
                    scope.spawn(move || create(client, address, numbers))
                })
                .collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
        });
        for ids in made {
            self.ids.extend(ids?);
        }
        if self.ids.len() == rows {
            Ok(())
        } else {
            Err(Fault::new(format!("seeded {} accounts only", self.ids.len())))
        }
    }
}

fn create(client: &Client, address: &str, numbers: std::ops::Range<usize>) -> Result<Vec<String>, Fault> {
    let mut connection = Connection::open(address).map_err(Fault::at("connecting"))?;
    numbers
        .map(|number| {
            let call = client.call("POST", "/api/v1/crm/accounts").json(&account(number));
            let response =
                connection.exchange(&call.rendered(true)).map_err(Fault::at("creating an account"))?;
            let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or(json!(null));
            let id = body["id"].as_str().filter(|_| response.status == 201);
            id.map(str::to_owned)
                .ok_or_else(|| Fault::new(format!("creating an account: {} {body}", response.status)))
        })
        .collect()
}
