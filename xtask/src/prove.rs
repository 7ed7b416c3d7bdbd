//! `cargo xtask prove`: what takes too long for every change: the kill -9 stories many times, requests made at random.

use std::time::Instant;

use stoa_testkit::Setup;
use stoa_tests::kills::{kill_during_import, kill_during_writes};

use crate::arguments::Arguments;
use crate::fault::Fault;
use crate::host::{self, Profile};
use crate::suite;
use crate::workspace::{Workspace, run};

pub(crate) const HELP: &str = "\
cargo xtask prove [kill] [--rounds N]
cargo xtask prove strangers [--seconds N]

kill       kills the release host with SIGKILL where it hurts, restarts it and counts, N times (10):

  writes   64 writers on one organization; killed after another number of acknowledged writes in each round. Afterwards
           every acknowledged record must be there, and none that nobody sent.
  import   the 8,800 opportunities of the sales extract; killed four times at other rows in each round. Afterwards
           there must be exactly 8,800, each with its own external id.

           It stops at the first difference. `kill -9` ends the process, not the machine: what it shows is that nothing is
           acknowledged before it is handed to the kernel and that every restart recovers; power loss needs a machine to
           unplug.

strangers  schemathesis on every operation of the OpenAPI document, as in the tests, and then with requests made at random,
           N seconds in all (300; at most 500). Prints the seed of what it finds.
";

pub(crate) fn command(workspace: &Workspace, mut arguments: Arguments) -> Result<(), Fault> {
    match arguments.word().as_deref() {
        None | Some("kill") => kill(workspace, arguments),
        Some("strangers") => strangers(workspace, arguments),
        Some(other) => Err(Fault::new(format!("`{other}` cannot be proved\n\n{HELP}"))),
    }
}

fn strangers(workspace: &Workspace, mut arguments: Arguments) -> Result<(), Fault> {
    let seconds = arguments.value("--seconds", 300_u64)?.min(500);
    arguments.done()?;
    let mut story = suite::tests(workspace, &["a_stranger_finds_nothing".to_owned()])?;
    run(story.env("STOA_STRANGER_SECONDS", seconds.to_string()))
}

fn kill(workspace: &Workspace, mut arguments: Arguments) -> Result<(), Fault> {
    let rounds = arguments.value("--rounds", 10_u64)?;
    arguments.done()?;
    let binary = host::build(workspace, Profile::Release)?;
    for round in 1..=rounds {
        let began = Instant::now();
        let mut host = Setup::default().binary(&binary).fresh().start();
        let enough = 500 + usize::try_from(round * 377 % 4_000).unwrap_or_default();
        let kept = kill_during_writes(&mut host, "writers", enough);
        let moments = [
            round * 131 % 2_000,
            2_000 + round * 419 % 2_000,
            4_500 + round * 283 % 1_500,
            6_500 + round * 97 % 2_000,
        ];
        let kills = kill_during_import(&mut host, "importers", &moments);
        println!(
            "round {round} of {rounds}: {kept} acknowledged writes kept; {kills} kills during the import, 8,800 rows; {:.1} s",
            began.elapsed().as_secs_f64()
        );
    }
    Ok(())
}
