//! `stoa plugin test`: the author's own tests, then what every plugin must pass on the real host, in a temporary folder and
//! on a clock that stands still between requests.
//!
//! Reading order: this file, `stage.rs` (the host), `caller.rs`, `world.rs` (valid values), `records.rs`, `travel.rs`, `whole.rs`,
//! `apart.rs`, `upgrade.rs` (the checks).
#![expect(clippy::indexing_slicing, reason = "reading a member that a JSON value does not have gives null")]

mod apart;
mod caller;
mod records;
mod stage;
mod travel;
mod upgrade;
mod whole;
mod world;

use std::future::Future;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use self::records::Entity;
use self::stage::Stage;
use self::upgrade::Earlier;
use self::world::World;
use super::cargo::Project;
use super::{Scratch, UNPUBLISHED, build, refused};
use crate::cli::arguments::TestProject;
use crate::cli::{CliError, output};
use crate::plugins::{Archive, Maker, Trust};

/// Where the author says what valid values are.
const EXAMPLES: &str = "tests/examples.json";

pub(super) async fn run(options: TestProject) -> Result<ExitCode, CliError> {
    let scratch = Scratch::new()?;
    let (folder, here) = (options.folder.clone(), scratch.0.clone());
    let making = tokio::task::spawn_blocking(move || made(&folder, &Scratch::maker_in(here)?));
    let (files, examples) =
        making.await.map_err(|_| CliError::Author("the build ended abnormally".into()))??;
    let archive = Archive::pack(files.clone(), UNPUBLISHED, None).map_err(refused)?;
    let manifest: Value = serde_json::from_slice(files.get("manifest.json").map_or(&[][..], Vec::as_slice))
        .map_err(CliError::Answer)?;
    let stage = Stage::open(&scratch.0.join("data"), archive.package(Trust::Local)).await?;
    let (plugins, stated, from) = (stage.app.plugins.clone(), manifest.clone(), options.from);
    let finding =
        tokio::task::spawn_blocking(move || Earlier::find(&plugins, &files, &stated, from.as_deref()));
    let earlier = finding.await.map_err(|_| CliError::Author("the check ended abnormally".into()))??;
    let mut report = Report { json: options.json, checks: Vec::new() };
    all(&stage, &manifest, &earlier, examples, &mut report).await?;
    let limits = whole::limits(&stage, manifest["id"].as_str().unwrap_or_default());
    stage.close();
    Ok(report.end(&limits))
}

/// The package's files, and the author's examples. A project is built and its own tests are run first.
fn made(
    folder: &Path,
    maker: &Maker,
) -> Result<(std::collections::BTreeMap<String, Vec<u8>>, Value), CliError> {
    let files = build::files(folder, maker)?;
    if folder.join("Cargo.toml").is_file() {
        Project::find(folder)?.test()?;
    }
    let path = folder.join(EXAMPLES);
    let examples = match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| CliError::Author(format!("{}: {error}", path.display())))?,
        Err(_) => json!({}),
    };
    Ok((files, examples))
}

/// Every check, in an order in which each finds what it needs.
async fn all(
    stage: &Stage,
    manifest: &Value,
    earlier: &Earlier,
    examples: Value,
    report: &mut Report,
) -> Result<(), CliError> {
    let mut people = Vec::new();
    for role in ["manager", "rep", "readonly"] {
        people.push((role, stage.with_role(role).await?));
    }
    let document = async { stage.owner.get("/openapi.json").await?.expect(200) };
    let document = document.await.map_err(CliError::Author)?;
    let world = World::new(stage.owner.clone(), document, examples.clone());
    let entities = Entity::all(manifest);
    report.add("the document has every address", async { whole::is_documented(&world, &entities) }).await;
    let made = |entity: &&Entity<'_>| entity.offers("create");
    for entity in entities.iter().filter(made) {
        let name = |what: &str| format!("{} {what}", entity.object);
        report.add(&name("is created, read, listed, changed"), records::lives(&world, entity)).await;
        if entity.offers("delete") {
            report
                .add(&name("is deleted, restored, purged, and leaves nothing"), records::goes(&world, entity))
                .await;
        }
        report.add(&name("refuses unknown fields"), records::knows_its_fields(&world, entity)).await;
        let guarded = records::is_guarded(&world, entity, manifest, &people);
        report.add(&name("is for those who have rights"), guarded).await;
        report.add(&name("is filtered by its fields"), records::is_filtered(&world, entity)).await;
        report.add(&name("is found"), records::is_found(&world, entity)).await;
        if entity.offers("delete") {
            report
                .add(&name("goes out as a file and comes in again"), travel::comes_back(&world, entity))
                .await;
        }
    }
    report.add("actions refuse unknown input", whole::actions_know_their_input(&world, manifest)).await;
    report.add("reports answer", whole::reports_answer(&world, manifest)).await;
    report.add("other methods are refused", whole::refuses_other_methods(&world, &entities)).await;
    for entity in entities.iter().filter(made) {
        let name = format!("{} comes in bulk, 1,000 rows at once", entity.object);
        report.add(&name, records::comes_in_bulk(&world, entity)).await;
    }
    report.add("reports answer on many rows", whole::reports_answer(&world, manifest)).await;
    let apart = apart::are_apart(stage, &world, &entities, manifest);
    report.add("two organizations see nothing of each other", apart).await;
    let name = format!("after {}, an upgrade and a roll-back keep what each version wrote", earlier.words);
    report.add(&name, upgrade::goes_up_and_back(stage, manifest, earlier, &examples)).await;
    Ok(())
}

/// What was found.
struct Report {
    json: bool,
    checks: Vec<(String, Result<(), String>)>,
}

impl Report {
    /// Does a check and tells its line.
    async fn add(&mut self, name: &str, check: impl Future<Output = Result<(), String>>) {
        let outcome = check.await;
        if !self.json {
            match &outcome {
                Ok(()) => output::say(&format!("ok      {name}")),
                Err(why) => output::say(&format!("FAILED  {name}\n        {why}")),
            }
        }
        self.checks.push((name.to_owned(), outcome));
    }

    fn end(self, limits: &[String]) -> ExitCode {
        let failed = self.checks.iter().filter(|(_, outcome)| outcome.is_err()).count();
        if self.json {
            let check = |(name, outcome): &(String, Result<(), String>)| json!({ "check": name, "fault": outcome.as_ref().err() });
            let checks: Vec<Value> = self.checks.iter().map(check).collect();
            output::json(&json!({ "checks": checks, "failed": failed, "limits": limits }));
        } else {
            for line in limits {
                output::say(&format!("used    {line}"));
            }
            output::say(&format!("{} checks, {failed} failed", self.checks.len()));
        }
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
