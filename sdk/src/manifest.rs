//! The manifest: what a plugin declares, as the host reads it. Version 1; `sdk/manifest.schema.json` is its JSON Schema.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

mod limits;
mod view;

pub use self::limits::{Limits, Times};
pub use self::view::{Reading, View};

/// What a plugin is and offers.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this form.
    pub v: u32,
    /// `sales`: the plugin's name in addresses, policies and file names.
    pub id: String,
    /// For people.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// Version of the contract that it was built for.
    pub contract: String,
    /// What an organization licenses; `None` for a base plugin that is always on.
    pub module: Option<String>,
    /// Plugins whose entities this one refers to.
    pub requires: Vec<String>,
    /// What the plugin asks for beyond the usual: `records.as-plugin`.
    pub permissions: Vec<String>,
    /// Entities.
    pub entities: Vec<Entity>,
    /// Private tables.
    pub private: Vec<Step>,
    /// Actions.
    pub actions: Vec<Action>,
    /// Reports.
    pub reports: Vec<Report>,
    /// What shipped roles are allowed.
    pub grants: Vec<Grant>,
    /// Settings.
    pub settings: Vec<Setting>,
    /// Records that every organization starts with.
    pub seed: Vec<Seed>,
    /// Records that a demo organization has to look at, beside the seed; written as seeds are.
    pub demo: Vec<Seed>,
    /// What other plugins may ask to read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<View>,
    /// What it reads of other plugins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Reading>,
    /// What one call may use, where it is not the usual.
    #[serde(default, skip_serializing_if = "Limits::is_usual")]
    pub limits: Limits,
}

impl Manifest {
    /// The manifest as it is checked in: indented JSON with a line end.
    #[must_use]
    pub fn to_pretty_json(&self) -> String {
        // Strings, numbers and string-keyed maps: there is nothing that could fail.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// The grants as casbin policy, the way `policies/plugins/<id>.csv` shows them to reviewers.
    #[must_use]
    pub fn to_policy_csv(&self) -> String {
        let mut text = format!("# Generated from the manifest of {}; reviewed, never edited.\n", self.id);
        text.push_str("#  role, organization, object, action, scope, condition, effect\n");
        for grant in &self.grants {
            for action in &grant.actions {
                text.push_str(&format!(
                    "p, role:{}, *, {}, {action}, {}, , allow\n",
                    grant.role, grant.object, grant.scope
                ));
            }
        }
        text
    }

    /// Completes references to the plugin's own entities, which know their keys but not the plugin's id.
    #[must_use]
    pub(crate) fn qualified(mut self) -> Self {
        let own = |target: &mut Option<String>| {
            if let Some(key) = target.as_deref().and_then(|target| target.strip_prefix('.')) {
                *target = Some(format!("{}.{key}", self.id));
            }
        };
        self.entities
            .iter_mut()
            .flat_map(|entity| &mut entity.fields)
            .for_each(|field| own(&mut field.references));
        self.reports
            .iter_mut()
            .flat_map(|report| &mut report.columns)
            .for_each(|column| own(&mut column.references));
        for report in &mut self.reports {
            report.object = format!("{}{}", self.id, report.object);
        }
        self
    }
}

/// A kind of record.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entity {
    /// `opportunity`: also the table's name.
    pub key: String,
    /// `opportunities`: the word in addresses.
    pub plural: String,
    /// For people.
    pub label: String,
    /// The field that names a record to people.
    pub title: Option<String>,
    /// The field through which a record reaches a person.
    pub subject: Option<String>,
    /// Fields; their order is the order of cells.
    pub fields: Vec<Field>,
    /// Hooks that the plugin implements.
    pub hooks: Vec<String>,
    /// What REST offers beyond reading: `create`, `update`, `delete`.
    pub operations: Vec<String>,
    /// Matching rules: when two records are taken for one, and what then happens to a write.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub duplicates: Vec<Value>,
}

/// A field of an entity.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Key in JSON, filters and the table.
    pub key: String,
    /// `text`, `integer`, `money`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether a value is needed.
    pub required: bool,
    /// Whether no two records may share a value.
    pub unique: bool,
    /// Whether the table has an index on it.
    pub indexed: bool,
    /// Weight in full-text search, 1 to 10; 0 for none.
    pub searchable: u8,
    /// Whether only plugin code writes it.
    pub read_only: bool,
    /// Smallest value, in stored units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// Largest value, in stored units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// Fewest characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u32>,
    /// Most characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// Places of a decimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<u8>,
    /// The choices of an option field.
    pub options: Vec<Choice>,
    /// Target of a reference, or of each of several: `crm.account`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references: Option<String>,
    /// What the reference is called from its other end; a plural, such as `contacts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inverse: Option<String>,
    /// How an auto-number is written: `INV-{YYYY}-{00000}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// What happens here when the target is deleted: `restrict`, `detach` or `cascade`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_delete: Option<String>,
    /// What a new record gets when the input says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// For people.
    pub label: String,
    /// `public`, `internal`, `personal`, `sensitive`, `special` or `secret`.
    pub class: String,
    /// For people: what it means.
    pub help: String,
}

impl Field {
    /// Whether bounds of this field count characters.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.kind.as_str(), "text" | "rich_text" | "email" | "phone" | "url")
    }

    /// Sets the upper bound: characters of a text, else the stored value.
    pub fn limit_to(&mut self, max: i64) {
        if self.is_text() { self.max_length = u32::try_from(max).ok() } else { self.max = Some(max) }
    }

    /// Sets the lower bound: characters of a text, else the stored value.
    pub fn at_least(&mut self, min: i64) {
        if self.is_text() { self.min_length = u32::try_from(min).ok() } else { self.min = Some(min) }
    }

    /// Makes it a choice of these keys and labels; of several where it is one of several already.
    pub fn choose_from(&mut self, options: &[(&str, &str)]) {
        if self.kind != "options" {
            "option".clone_into(&mut self.kind);
        }
        self.options = options
            .iter()
            .map(|(key, label)| Choice { key: (*key).into(), label: (*label).into() })
            .collect();
    }
}

/// A choice of an option field.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// What is stored; never changes.
    pub key: String,
    /// What people read.
    pub label: String,
}

/// A step that makes private tables.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// `0001_counters`; steps run in order, each once, and are never edited.
    pub name: String,
    /// DDL.
    pub sql: String,
}

impl Step {
    /// A step.
    #[must_use]
    pub fn new(name: &str, sql: &str) -> Self {
        Self { name: name.into(), sql: sql.into() }
    }
}

/// A named business operation.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// `opportunity.move`
    pub key: String,
    /// The entity that it belongs to; `None` for the module's own.
    pub entity: Option<String>,
    /// `record`, `collection` or `module`.
    pub target: String,
    /// What policies call it.
    pub verb: String,
    /// `read`, `write` or `effect`.
    pub mode: String,
    /// For people.
    pub label: String,
    /// For people: what it does.
    pub help: String,
    /// JSON Schema.
    pub input: Value,
    /// JSON Schema.
    pub output: Option<Value>,
}

/// A report.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// `win_rate`
    pub key: String,
    /// The object that one must be allowed to read: `sales.opportunity`.
    pub object: String,
    /// For people.
    pub label: String,
    /// The definition, for people.
    pub help: String,
    /// JSON Schema.
    pub params: Value,
    /// Columns; their order is the order of cells.
    pub columns: Vec<Column>,
}

/// A column of a report.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Key in JSON.
    pub key: String,
    /// `text`, `integer`, `decimal`, `percent`, `money`, `boolean`, `date`, `date_time`, `duration`, `option`,
    /// `reference`, `user` or `team`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Places of a decimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<u8>,
    /// Target of a reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references: Option<String>,
    /// For people.
    pub label: String,
}

/// What a shipped role is allowed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// `owner`, `manager`, `rep` or `readonly`.
    pub role: String,
    /// `sales.opportunity`
    pub object: String,
    /// `list`, `read`, `create`, `update`, `delete`, `import`, `export`, `merge`, `restore`, `purge`, and verbs of
    /// actions.
    pub actions: Vec<String>,
    /// `own`, `team` or `org`.
    pub scope: String,
}

impl Grant {
    /// A grant.
    #[must_use]
    pub fn new(role: &str, scope: &str, object: &str, actions: &[&str]) -> Self {
        let actions = actions.iter().map(|action| (*action).into()).collect();
        Self { role: role.into(), object: object.into(), actions, scope: scope.into() }
    }
}

/// A setting.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Key.
    pub key: String,
    /// JSON Schema.
    pub schema: Value,
    /// The value when the organization says nothing.
    pub default: Value,
}

/// Records of one entity that every organization starts with.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// The entity's key.
    pub entity: String,
    /// Inputs, each with an `external_id`; a reference to another seeded record is `{"external_id": "..."}`.
    pub rows: Vec<Map<String, Value>>,
}

impl Seed {
    /// Seed rows; what is not a JSON object is left out.
    #[must_use]
    pub fn new(entity: &str, rows: Vec<Value>) -> Self {
        let rows = rows.into_iter().filter_map(|row| match row {
            Value::Object(members) => Some(members),
            _ => None,
        });
        Self { entity: entity.into(), rows: rows.collect() }
    }
}

#[cfg(test)]
mod tests;
