//! The configuration document: what an organization adds to the modules it uses, in the form in which people write it and
//! in which it is kept. Whether it makes sense is asked elsewhere (`compile.rs`, `history.rs`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::records::schema::OnDelete;

/// The format of the document.
pub const FORMAT: u8 = 1;

/// Everything that an organization arranges about its schema.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The format: 1.
    #[serde(default = "format")]
    pub v: u8,
    /// Lists of options that fields share.
    #[serde(default)]
    pub option_sets: Vec<OptionSet>,
    /// What is added to entities of plugins, by `plugin.entity`.
    #[serde(default)]
    pub entities: BTreeMap<String, Extension>,
    /// The organization's own objects.
    #[serde(default)]
    pub objects: Vec<Object>,
}

const fn format() -> u8 {
    FORMAT
}

impl Default for Document {
    fn default() -> Self {
        Self { v: FORMAT, option_sets: Vec::new(), entities: BTreeMap::new(), objects: Vec::new() }
    }
}

/// Options that several fields share.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OptionSet {
    /// Names it in fields; never changes.
    pub key: String,
    /// For people.
    pub label: String,
    /// In the order in which they are shown.
    #[serde(default)]
    pub options: Vec<Item>,
    /// Options that give way to others when this is published. Not kept in what is published.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replace: Vec<Replacement>,
}

/// One option.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// What is stored; never changes.
    pub key: String,
    /// What people read.
    pub label: String,
    /// Whether it is no longer chosen.
    #[serde(default, skip_serializing_if = "is_false")]
    pub archived: bool,
}

/// Every record that holds one option gets the other.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Replacement {
    /// The option that goes; it is archived.
    pub from: String,
    /// The option that takes its place.
    pub to: String,
}

/// What is added to an entity of a plugin.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Extension {
    /// Fields; their keys start with `c_`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldDocument>,
    /// What must hold of every record that is written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleDocument>,
    /// When fields that the plugin declares need a value: a filter by field.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub required_when: BTreeMap<String, Json>,
    /// When two records are taken for one. Replaces the rules of the plugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicates: Option<Vec<Json>>,
}

/// An object of the organization's own.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// Names it in references and policies, as `custom.{key}`; never changes.
    pub key: String,
    /// The word in addresses.
    pub plural: String,
    /// For people.
    pub label: String,
    /// The field that names a record to people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its fields.
    #[serde(default)]
    pub fields: Vec<FieldDocument>,
    /// What must hold of every record that is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleDocument>,
    /// When two records are taken for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicates: Option<Vec<Json>>,
    /// What roles other than the owner's may do, by role.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub grants: BTreeMap<String, GrantDocument>,
    /// Whether it is out of use. Its records are kept.
    #[serde(default, skip_serializing_if = "is_false")]
    pub archived: bool,
}

/// What a role may do with an object.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GrantDocument {
    /// `read`, `create`, …
    pub actions: Vec<String>,
    /// `own`, `team` or `org`.
    pub scope: String,
}

/// A validation rule.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RuleDocument {
    /// Part of the fault's code, `rule_{key}`; never changes.
    pub key: String,
    /// For people who maintain it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// What must hold: a filter.
    pub condition: Json,
    /// What people read when it does not hold.
    pub message: String,
    /// The field that the fault is reported at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Whether it is in force.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub active: bool,
}

/// A field of the organization's own.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FieldDocument {
    /// Its name in JSON, filters and the table; never changes.
    pub key: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: String,
    /// For people; the key in words when left out.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// What it means.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub help: String,
    /// How private it is; `personal` when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Whether a value is needed.
    #[serde(skip_serializing_if = "is_false")]
    pub required: bool,
    /// When a value is needed: a filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_when: Option<Json>,
    /// Whether no two records may share a value.
    #[serde(skip_serializing_if = "is_false")]
    pub unique: bool,
    /// Whether filters and sorting are to be fast.
    #[serde(skip_serializing_if = "is_false")]
    pub indexed: bool,
    /// Weight in full-text search, 1 to 10; 0: not searched.
    #[serde(skip_serializing_if = "is_zero")]
    pub searchable: u8,
    /// Smallest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<Json>,
    /// Largest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Json>,
    /// Fewest characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u32>,
    /// Most characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// Places of a decimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<u8>,
    /// Format of an auto-number: `INV-{YYYY}-{00000}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The options of an option field: a shared set …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub option_set: Option<String>,
    /// … or its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<Item>,
    /// What a reference points at: `plugin.entity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub references: Option<String>,
    /// What a reference is called from its other end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inverse: Option<String>,
    /// What happens to the record when the one it points at is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_delete: Option<OnDelete>,
    /// What a new record gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Json>,
    /// Whether it is out of use. Its values are kept.
    #[serde(skip_serializing_if = "is_false")]
    pub archived: bool,
}

impl FieldDocument {
    /// What people call it.
    #[must_use]
    pub fn label(&self) -> String {
        if self.label.is_empty() {
            self.key.trim_start_matches("c_").replace('_', " ")
        } else {
            self.label.clone()
        }
    }
}

impl Document {
    /// The option set with this key.
    #[must_use]
    pub fn option_set(&self, key: &str) -> Option<&OptionSet> {
        self.option_sets.iter().find(|set| set.key == key)
    }

    /// The options of a field, its own or those of its set.
    #[must_use]
    pub fn options<'d>(&'d self, field: &'d FieldDocument) -> &'d [Item] {
        let set = field.option_set.as_deref().and_then(|key| self.option_set(key));
        set.map_or(&field.options, |set| &set.options)
    }

    /// The document as it is kept once it is in force: what was to be done once is done.
    #[must_use]
    pub fn settled(mut self) -> Self {
        for set in &mut self.option_sets {
            set.replace.clear();
        }
        self.entities.retain(|_, extension| *extension != Extension::default());
        self
    }
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_true(flag: &bool) -> bool {
    *flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(weight: &u8) -> bool {
    *weight == 0
}
