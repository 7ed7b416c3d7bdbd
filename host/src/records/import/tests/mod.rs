//! Imports on real files: a job, a CSV file in its place, and the garden as its target.

mod files;
mod formats;
mod hostile;
mod keys;
mod kinds;
mod orchard;
mod resuming;
mod round_trip;
mod saved;
mod undoing;
mod uploads;

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::*;
use crate::organizations::{NewOrganization, Organizations};
use crate::records::tests::garden::garden;
use crate::records::tests::world::{Script, World, told};
use crate::storage::ControlPlane;

/// The garden with jobs.
struct Desk {
    world: World,
    jobs: Jobs,
    imports: Imports,
    scope: Scope,
    hooks: Arc<dyn Hooks + Send + Sync>,
    script: Arc<Script>,
}

impl Desk {
    fn new() -> Self {
        Self::of(garden())
    }

    /// An organization with this module.
    fn of(module: Arc<crate::records::schema::Module>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let clock = crate::clock::Clock::fixed(1_700_000_000_000);
        let control = runtime.block_on(ControlPlane::open(&folder.path().join("control.sqlite"))).unwrap();
        let text = str::to_owned;
        let new = NewOrganization {
            slug: text("acme"),
            name: text("Acme"),
            zone: text("UTC"),
            locale: text("en"),
            currency: text("EUR"),
        };
        let organization =
            runtime.block_on(Organizations::new(control.clone(), clock.clone()).create(new)).unwrap();
        let world = World::in_place((folder, runtime, clock), Arc::new((*organization).clone()), module);
        let jobs = Jobs::new(control, world.clock.clone());
        let imports = Imports::new(world.records.clone(), jobs.clone(), world.files.clone());
        let scope = world.scope(importing(&world.owner().scope.caller));
        let script = Script::silent();
        Self { jobs, imports, scope, hooks: Arc::clone(&script) as _, script, world }
    }

    /// Accepts the file and claims its job.
    fn submit(&self, spec: &Json, file: &[u8]) -> Result<Job, ImportError> {
        let upload = self.world.folder.path().join("upload.csv");
        std::fs::write(&upload, file).unwrap();
        let job =
            self.world.runtime.block_on(self.imports.submit(&self.scope, &spec.to_string(), &upload))?;
        Ok(self.world.runtime.block_on(self.jobs.claim(job.id)).unwrap())
    }

    /// Runs a job as its worker does, and answers its result.
    fn run(&self, job: &Job) -> Json {
        let _runtime = self.world.runtime.enter();
        let result = self.imports.run(job, &self.scope, &self.hooks).unwrap();
        serde_json::from_str(&result).unwrap()
    }

    /// Accepts, runs and ends an import: the job, and its result.
    fn whole(&self, spec: &Json, file: impl AsRef<[u8]>) -> (Job, Json) {
        let job = self.submit(spec, file.as_ref()).unwrap();
        let result = self.run(&job);
        self.world.runtime.block_on(self.jobs.finish(job.id, &result.to_string())).unwrap();
        (job, result)
    }

    /// The whole of an import: created, updated, failed.
    fn import(&self, spec: &Json, file: impl AsRef<[u8]>) -> [u64; 3] {
        let job = self.submit(spec, file.as_ref()).unwrap();
        counts(&self.run(&job))
    }

    /// The error file of a job that ran, its header left out.
    fn errors(&self, job: &Job) -> Vec<String> {
        let csv = self.world.runtime.block_on(self.imports.errors_csv(&self.scope, job.id)).unwrap();
        String::from_utf8(csv).unwrap().lines().skip(1).map(str::to_owned).collect()
    }

    /// The names of all trees, sorted.
    fn names(&self) -> Vec<String> {
        let page = self.world.owner().page("tree", &Json::Null, "name", 200, None).unwrap();
        page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tree| tree["name"].as_str().unwrap().to_owned())
            .collect()
    }

    fn trees(&self) -> i64 {
        self.world.number("select count(*) from tree where deleted_at is null")
    }
}

fn counts(result: &Json) -> [u64; 3] {
    ["created", "updated", "failed"].map(|key| result[key].as_u64().unwrap())
}

/// Names only, from the column `name`.
fn plain() -> Json {
    json!({ "entity": "garden.tree", "mapping": { "name": { "column": "name" } } })
}

/// Names and amounts by external id.
fn upsert() -> Json {
    json!({
        "entity": "garden.tree", "mode": "upsert", "external_id": { "source": "old", "column": "id" },
        "mapping": { "name": { "column": "name" }, "amount": { "column": "amount" } },
    })
}

/// Why a specification or file was not accepted.
fn refused(outcome: Result<Job, ImportError>) -> Vec<String> {
    match outcome {
        Err(ImportError::Records(RecordError::Invalid(faults))) => told(&faults),
        other => panic!("{other:?}"),
    }
}

/// A line for each fault, `line,column,code`.
fn brief(errors: &[String]) -> Vec<String> {
    errors.iter().map(|line| line.split(',').take(3).collect::<Vec<_>>().join(",")).collect()
}
