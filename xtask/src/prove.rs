//! `cargo xtask prove`: the kill -9 stories, many times and on the release binary.

use std::time::Instant;

use stoa_testkit::Setup;
use stoa_tests::kills::{kill_during_import, kill_during_writes};

use crate::arguments::Arguments;
use crate::fault::Fault;
use crate::host::{self, Profile};
use crate::workspace::Workspace;

pub(crate) const HELP: &str = "\
cargo xtask prove [kill] [--rounds N]

Kills the release host with SIGKILL where it hurts, restarts it and counts, N times (10):

  writes   64 writers on one organization; killed after another number of acknowledged writes in each round. Afterwards
           every acknowledged record must be there, and none that nobody sent.
  import   the 8,800 opportunities of the sales extract; killed four times at other rows in each round. Afterwards
           there must be exactly 8,800, each with its own external id.

It stops at the first difference. `kill -9` ends the process, not the machine: what it shows is that nothing is
acknowledged before it is handed to the kernel and that every restart recovers; power loss needs a machine to unplug.
";

pub(crate) fn command(workspace: &Workspace, mut arguments: Arguments) -> Result<(), Fault> {
    if let Some(other) = arguments.word().filter(|word| word != "kill") {
        return Err(Fault::new(format!("`{other}` cannot be proved\n\n{HELP}")));
    }
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
