//! The parts of a manifest as they are written: actions, reports, grants, settings, seeds.

use serde::Deserialize;
use serde_json::Value as Json;

use crate::policy::Scope;

/// How an action touches records.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum ActionMode {
    /// On a snapshot.
    Read,
    /// In one transaction.
    Write,
    /// May use the network; not offered yet.
    Effect,
}

/// What an action is about.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum ActionTarget {
    /// One record.
    Record,
    /// An entity's records.
    Collection,
    /// The module.
    Module,
}

/// A named business operation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// `entity.verb`: how the plugin knows it.
    pub key: String,
    /// The entity, unless the target is the module.
    #[serde(default)]
    pub entity: Option<String>,
    /// Record, collection or module.
    pub target: ActionTarget,
    /// The word in the address and in policies.
    pub verb: String,
    /// Read, write or effect.
    pub mode: ActionMode,
    /// For people.
    #[serde(default)]
    pub label: String,
    /// For people.
    #[serde(default)]
    pub help: String,
    /// JSON Schema of the input.
    #[serde(default)]
    pub input: Json,
    /// JSON Schema of the output.
    #[serde(default)]
    pub output: Json,
}

/// One column of a report.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The member in each row.
    pub key: String,
    /// `text`, `integer`, `decimal`, `percent`, `money`, `boolean`, `date`, `date_time`, `reference`, `user`.
    #[serde(rename = "type")]
    pub kind: String,
    /// For decimals.
    #[serde(default)]
    pub scale: Option<u8>,
    /// For references.
    #[serde(default)]
    pub references: Option<String>,
    /// For people.
    #[serde(default)]
    pub label: String,
}

/// Figures that the plugin computes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The word in the address.
    pub key: String,
    /// Whoever may read this may run the report, on the records that he may read.
    pub object: String,
    /// For people.
    #[serde(default)]
    pub label: String,
    /// The definition, for people.
    #[serde(default)]
    pub help: String,
    /// JSON Schema of the parameters: an object.
    #[serde(default)]
    pub params: Json,
    /// What a row holds.
    pub columns: Vec<Column>,
}

/// A role's proposed rights.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantDeclaration {
    /// The role.
    pub role: String,
    /// `plugin.entity`
    pub object: String,
    /// Verbs.
    pub actions: Vec<String>,
    /// How far they reach.
    #[serde(deserialize_with = "scope")]
    pub scope: Scope,
}

fn scope<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Scope, D::Error> {
    let word = String::deserialize(deserializer)?;
    word.parse().map_err(|_| serde::de::Error::custom("a scope is own, team or org"))
}

/// A setting and its default.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Its key.
    pub key: String,
    /// JSON Schema.
    #[serde(default)]
    pub schema: Json,
    /// Its value until somebody sets one.
    #[serde(default)]
    pub default: Json,
}

/// Records that every organization starts with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// The entity's key.
    pub entity: String,
    /// Members of each record; `external_id` names it, and `{"external_id": …}` as a value refers to another seed.
    pub rows: Vec<serde_json::Map<String, Json>>,
}
