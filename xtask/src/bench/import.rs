//! `bench import`: the sales extract through the import endpoint.

use std::time::{Duration, Instant};

use stoa_tests::{Extract, tutorial};

use super::stoa::Stoa;
use super::{Options, median};
use crate::fault::Fault;
use crate::host::{self, Profile};
use crate::workspace::{Workspace, say};

const LIMIT: Duration = Duration::from_secs(300);
/// The aim of the first issue, in rows per second.
const AIM: f64 = 5_000.0;

pub(super) fn measure(workspace: &Workspace, options: &Options) -> Result<(), Fault> {
    let binary = host::build(workspace, Profile::Release)?;
    let extract = match Extract::real() {
        Some(extract) => extract,
        None => {
            say("no ../shared/data: a generated extract of the same shape is imported");
            Extract::generated().map_err(Fault::at("generating an extract"))?
        }
    };
    let mut rates = Vec::new();
    for _ in 0..options.rounds {
        let stoa = Stoa::start(&binary, &[]);
        tutorial::prepare(&stoa.client, &extract);
        let began = Instant::now();
        let path = stoa.client.import(&tutorial::spec("opportunities"), &extract.file("sales_pipeline.csv"));
        let job = stoa.client.finished(&path, LIMIT);
        let seconds = began.elapsed().as_secs_f64();
        let done = job["progress"]["done"].as_f64().unwrap_or_default();
        if job["state"] != "succeeded" || job["progress"]["failed"].as_f64() != Some(0.0) {
            return Err(Fault::new(format!("the import did not succeed: {job}")));
        }
        println!("import: {done} rows in {seconds:.2} s");
        rates.push(done / seconds);
    }
    println!("\nimport with hooks, median of {}: {:.0} rows/s (aim {AIM:.0})", options.rounds, median(rates));
    Ok(())
}
