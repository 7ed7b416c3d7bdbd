//! The steps of `docs/tutorial.md`, over REST: its specs are read from `docs/tutorial/`, so the text cannot rot.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use stoa_testkit::Client;

use crate::{Extract, id};

/// Generous for a debug build on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(600);

/// The imports in the order of the tutorial: the spec's name and the file.
pub const BEFORE_OPPORTUNITIES: [(&str, &str); 4] = [
    ("accounts", "accounts.csv"),
    ("account-parents", "accounts.csv"),
    ("products", "products.csv"),
    ("people", "sales_teams.csv"),
];

/// Where a spec lies.
#[must_use]
pub fn spec_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tutorial").join(format!("{name}.json"))
}

/// A spec.
///
/// # Panics
/// When the file is not there or not JSON.
#[must_use]
pub fn spec(name: &str) -> Value {
    let path = spec_path(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first step: a pipeline with the stages of the extract.
///
/// # Panics
/// When the host refuses it.
pub fn pipeline(owner: &Client) -> String {
    let body: Value = json!({"name": "MavenTech", "external_ids": {"maven": "default"}});
    let pipeline = id(&owner.post("/api/v1/sales/pipelines", &body).created()).to_owned();
    for stage in spec("stages").as_array().into_iter().flatten() {
        let mut stage = stage.clone();
        stage["pipeline"] = pipeline.clone().into();
        owner.post("/api/v1/sales/stages", &stage).created();
    }
    pipeline
}

/// Everything before the opportunities: pipeline, accounts with parents, products, people.
///
/// # Panics
/// When a step does not succeed to the last row.
pub fn prepare(owner: &Client, extract: &Extract) {
    pipeline(owner);
    for (name, file) in BEFORE_OPPORTUNITIES {
        let job = owner.finished(&owner.import(&spec(name), &extract.file(file)), LIMIT);
        assert_eq!(
            (&job["state"], &job["progress"]["failed"]),
            (&json!("succeeded"), &json!(0)),
            "{name}: {job}"
        );
    }
}
