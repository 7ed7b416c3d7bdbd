//! An organization of 40 people in 8 teams, its records spread evenly over them, and three of them who may see a part.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stoa_testkit::Client;

use crate::bench::records::rows;
use crate::bench::stoa::Stoa;
use crate::fault::Fault;
use crate::workspace::say;

const PEOPLE: usize = 40;
const TEAMS: usize = 8;
/// Rows of one file: the host takes 64 MiB.
const FILE: usize = 200_000;
/// Longest that one file may take.
const LIMIT: Duration = Duration::from_secs(1_200);
const PASSWORD: &str = "a lantern over 9 rivers";

/// Who asks for the list: somebody who sees everything first, then those who see a part.
pub(super) struct Seers {
    pub(super) all: Vec<(&'static str, Client)>,
}

impl Seers {
    /// Makes the organization and so many records in it.
    pub(super) fn make(stoa: &Stoa, records: usize) -> Result<Self, Fault> {
        let owner = &stoa.client;
        let roles: [(&str, &[&str]); 4] = [
            ("bench_all", &["org"]),
            ("bench_own", &["own"]),
            ("bench_team", &["team"]),
            ("bench_both", &["own", "team"]),
        ];
        let names = ["everything", "their own", "their team's", "their own and their team's"];
        for (role, scopes) in roles {
            owner.post("/api/v1/roles", &json!({ "name": role, "label": role })).created();
            for (scope, action) in scopes.iter().flat_map(|scope| [(scope, "list"), (scope, "read")]) {
                let row = json!({
                    "subject": format!("role:{role}"), "object": "crm.account", "action": action,
                    "scope": scope, "effect": "allow", "reason": "measured",
                });
                owner.post("/api/v1/policies", &row).created();
            }
        }
        let teams: Vec<Value> = (0..TEAMS)
            .map(|at| {
                owner.post("/api/v1/teams", &json!({ "name": format!("Team {at}") })).created()["id"].clone()
            })
            .collect();
        let mut held_by = Vec::new();
        for (at, team) in (0..PEOPLE).map(|at| (at, teams.get(at % TEAMS).cloned().unwrap_or_default())) {
            // The first people of each team hold the roles: every part is a fortieth, or an eighth, of the records.
            let held = roles.into_iter().zip(names).nth(at);
            let role = held.map_or("rep", |((role, _), _)| role);
            let email = email(at);
            let user =
                json!({ "name": format!("Person {at}"), "email": email, "roles": [role], "team": team });
            let user = owner.post("/api/v1/users", &user).created();
            if let Some((_, name)) = held {
                held_by.push((name, user, email));
            }
        }
        fill(stoa, records)?;
        // Tokens live ten minutes: they are asked for when the records are there.
        let sign =
            |(name, user, email): (_, Value, String)| Ok((name, signed_in(stoa, owner, &user, &email)?));
        Ok(Self { all: held_by.into_iter().map(sign).collect::<Result<_, Fault>>()? })
    }
}

fn email(person: usize) -> String {
    format!("person{person}@bench.example")
}

fn signed_in(stoa: &Stoa, owner: &Client, user: &Value, email: &str) -> Result<Client, Fault> {
    let id = user["id"].as_str().unwrap_or_default();
    let invitation = owner.post(&format!("/api/v1/users/{id}/invitation"), &json!({})).created();
    let link = invitation["setup_url"].as_str().unwrap_or_default();
    let (_, token) = link.split_once("#token=").ok_or_else(|| Fault::new("an invitation has no token"))?;
    let door = Client::new(stoa.host.address(), "/t/bench", None);
    door.post("/api/v1/auth/setup", &json!({ "token": token, "password": PASSWORD })).success();
    let session = door.post("/api/v1/auth/login", &json!({ "email": email, "password": PASSWORD })).ok();
    Ok(door.with_token(session["access_token"].as_str().unwrap_or_default()))
}

/// Imports the records, each to the next of the people.
fn fill(stoa: &Stoa, total: usize) -> Result<(), Fault> {
    let mut spec = rows::spec();
    spec["mapping"]["owner_id"] = json!({ "column": "owner", "lookup": { "by": "email" } });
    let began = Instant::now();
    for start in (0..total).step_by(FILE) {
        let numbers = start..total.min(start + FILE);
        let plain = rows::csv(numbers.clone());
        let mut csv = String::with_capacity(plain.len() + numbers.len() * 28);
        let mut lines = plain.lines();
        let _ = writeln!(csv, "{},owner", lines.next().unwrap_or_default());
        for (number, line) in numbers.clone().zip(lines) {
            let _ = writeln!(csv, "{line},{}", email(number % PEOPLE));
        }
        let job = stoa.client.finished(&stoa.client.import(&spec, csv.as_bytes()), LIMIT);
        if job["state"] != "succeeded" || job["progress"]["failed"] != json!(0) {
            return Err(Fault::new(format!("the import did not succeed: {job}")));
        }
        say(format_args!("{} of {total} records after {:.0} s", numbers.end, began.elapsed().as_secs_f64()));
    }
    Ok(())
}
