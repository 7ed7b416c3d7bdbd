//! One field of an entity, declared or the system's own.

use std::sync::Arc;

use super::SYSTEM_COLUMNS;
use super::kind::{Kind, OnDelete, Stored, Target};
use super::rule::Condition;
use crate::policy::Label;
use crate::records::json::json_key;

/// One declared field.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its key in JSON, filters and the table.
    pub key: Arc<str>,
    /// What it holds.
    pub kind: Kind,
    /// Where its (first) column stands in a row's values.
    pub column: usize,
    /// Whether a value is needed.
    pub required: bool,
    /// Of which records a value is needed: a rule of the organization.
    pub required_when: Option<Arc<Condition>>,
    /// Whether no two records may share a value.
    pub unique: bool,
    /// Whether the table has an index on it.
    pub indexed: bool,
    /// Weight in full-text search, 1 to 10; 0: not searched.
    pub searchable: u8,
    /// How private it is.
    pub class: Label,
    /// Whether only plugin code writes it.
    pub read_only: bool,
    /// Whether the organization made it, and no manifest: plugin code does not see it.
    pub custom: bool,
    /// What a reference is called from its other end; a plural, such as `contacts`.
    pub inverse: Option<Arc<str>>,
    /// Smallest value, in stored units.
    pub min: Option<i64>,
    /// Largest value, in stored units.
    pub max: Option<i64>,
    /// Fewest characters.
    pub min_length: Option<usize>,
    /// Most characters.
    pub max_length: usize,
    /// What a new record gets when the input says nothing.
    pub default: Option<serde_json::Value>,
    /// For people.
    pub label: String,
    /// For people: what it means.
    pub help: String,
    /// `"key":` as it stands in a JSON object.
    pub json_key: String,
}

/// The system columns that people see, as fields. `deleted_at` is the recycle bin's and not among them.
pub(super) fn system_fields(plugin: &str) -> Vec<Field> {
    let person = |key: &str| {
        let host = if key == "team_id" { "team" } else { "user" };
        Kind::Reference(Target { plugin: "host".into(), entity: host.into() }, OnDelete::Restrict)
    };
    let kind = |key: &str| match key {
        "id" => Kind::Reference(Target { plugin: plugin.into(), entity: "id".into() }, OnDelete::Restrict),
        "version" => Kind::Integer,
        "created_at" | "updated_at" => Kind::DateTime,
        "source" => Kind::Text,
        "external_ids" => Kind::Json,
        _ => person(key),
    };
    let shown = SYSTEM_COLUMNS.iter().enumerate().filter(|(_, key)| **key != "deleted_at");
    shown.map(|(column, key)| Field::system(key, kind(key), column)).collect()
}

impl Field {
    fn system(key: &str, kind: Kind, column: usize) -> Self {
        Self {
            key: key.into(),
            kind,
            column,
            required: matches!(
                key,
                "id" | "version" | "created_at" | "created_by" | "updated_at" | "updated_by" | "source"
            ),
            required_when: None,
            unique: false,
            indexed: true,
            searchable: 0,
            class: Label::Internal,
            custom: false,
            inverse: None,
            read_only: !matches!(key, "owner_id" | "team_id" | "external_ids"),
            min: None,
            max: None,
            min_length: None,
            max_length: 64,
            default: None,
            label: key.replace('_', " "),
            help: String::new(),
            json_key: json_key(key),
        }
    }

    /// Whether a list can be sorted by it: the last value of a page travels in the cursor, so it must be short.
    #[must_use]
    pub const fn sortable(&self) -> bool {
        let long = matches!(self.kind, Kind::Url | Kind::RichText) || self.max_length > 255;
        self.comparable() && !(long && matches!(self.kind.stored(), Stored::Text))
    }

    /// Whether every row has a value: true of system columns only. A field may have become required after rows without
    /// it were written.
    #[must_use]
    pub const fn always_set(&self) -> bool {
        self.required && self.column < SYSTEM_COLUMNS.len()
    }

    /// Whether values can be compared.
    #[must_use]
    pub const fn comparable(&self) -> bool {
        !self.kind.structured()
    }
}
