//! What an import is told: which entity, which column becomes which field, and how.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::records::error::{Fault, RecordError};
use crate::records::schema::{Entity, Field, Kind};

/// The entity of an import of people.
pub const USERS: &str = "users";

/// What happens to rows whose record is there already.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Every row is a new record.
    #[default]
    Create,
    /// A row whose external id is known changes that record.
    Upsert,
}

/// Where a row's id in the other system stands.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalId {
    /// The other system: `maven`.
    pub source: String,
    /// The column.
    pub column: String,
}

/// How a text becomes the id of a record.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// The field of the target that holds the text (for people: `name` or `email`); or `external_id:SOURCE`.
    pub by: String,
}

/// Where a field's value comes from.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// A value for every row, instead of a column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constant: Option<Json>,
    /// Texts of the file and what they mean: `{"technolgy": "technology"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// For references: how to find the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<Lookup>,
    /// For empty cells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Json>,
    /// For money: the currency of the column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// `null` (the default): an empty cell is no value; `skip`: an empty cell leaves the field as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty: Option<String>,
}

/// The whole specification.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// `plugin.entity`, or `users`.
    pub entity: String,
    /// Create or upsert.
    #[serde(default)]
    pub mode: Mode,
    /// Needed for upsert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<ExternalId>,
    /// Field key to its source.
    pub mapping: BTreeMap<String, Mapping>,
    /// Columns that are left out on purpose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// Executes everything and keeps nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// What separates cells; `,` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
}

impl Spec {
    /// Parses the JSON.
    ///
    /// # Errors
    /// [`RecordError::Invalid`] that names the member.
    pub fn parse(json: &str) -> Result<Self, RecordError> {
        serde_json::from_str(json).map_err(|error| {
            // serde names the member and what was expected; it quotes only names from the specification itself.
            let detail = format!("the import specification is not understood: {error}");
            RecordError::Invalid(vec![Fault { pointer: "/spec".into(), code: "invalid_spec".into(), detail }])
        })
    }

    /// Checks the specification against the entity and the file's header. All faults at once.
    ///
    /// # Errors
    /// [`RecordError::Invalid`].
    pub fn check(&self, entity: Option<&Entity>, header: &[String]) -> Result<(), RecordError> {
        let mut faults = Vec::new();
        let mut fault = |at: &str, code: &'static str, detail: String| {
            faults.push(Fault { pointer: format!("/spec/{at}"), code: code.into(), detail });
        };
        let has = |column: &String| header.contains(column);
        if self.mode == Mode::Upsert && self.external_id.is_none() {
            fault(
                "external_id",
                "required",
                "mode `upsert` finds records by their external id; name its source and column".into(),
            );
        }
        let separates = |sign: char| sign.is_ascii() && !matches!(sign, '"' | '\n' | '\r');
        if self.delimiter.is_some_and(|sign| !separates(sign)) {
            fault(
                "delimiter",
                "invalid_delimiter",
                "cells are separated by one ASCII character, not a quote or a line end".into(),
            );
        }
        if let Some(id) = self.external_id.as_ref().filter(|id| !has(&id.column)) {
            fault("external_id/column", "unknown_column", format!("the file has no column `{}`", id.column));
        }
        for (key, mapping) in &self.mapping {
            let at = format!("mapping/{key}");
            if let Some(column) = mapping.column.as_ref().filter(|column| !has(column)) {
                fault(&at, "unknown_column", format!("the file has no column `{column}`"));
            }
            if mapping.column.is_none() == mapping.constant.is_none() {
                fault(&at, "invalid_mapping", "a field comes from either a `column` or a `constant`".into());
            }
            if mapping.empty.as_deref().is_some_and(|rule| !matches!(rule, "null" | "skip")) {
                fault(&at, "invalid_mapping", "`empty` is `null` or `skip`".into());
            }
            if let Some(detail) = field_fault(entity, key, mapping) {
                fault(&at, "invalid_mapping", detail);
            }
        }
        for column in header.iter().filter(|column| !self.uses(column)) {
            fault(
                "mapping",
                "unmapped_column",
                format!("column `{column}` is neither mapped nor in `ignore`; nothing is dropped silently"),
            );
        }
        if faults.is_empty() { Ok(()) } else { Err(RecordError::Invalid(faults)) }
    }

    fn uses(&self, column: &String) -> bool {
        self.ignore.contains(column)
            || self.external_id.as_ref().is_some_and(|id| id.column == *column)
            || self.mapping.values().any(|mapping| mapping.column.as_ref() == Some(column))
    }
}

fn field_fault(entity: Option<&Entity>, key: &str, mapping: &Mapping) -> Option<String> {
    let Some(entity) = entity else {
        let known = ["name", "email", "team", "roles"];
        return (!known.contains(&key))
            .then(|| format!("people have no `{key}`; known are {}", known.join(", ")));
    };
    let Some(field) = entity.attribute(key).filter(|field| writable(field)) else {
        return Some(format!("{} has no field `{key}` that an import may set", entity.object));
    };
    let reference = matches!(field.kind, Kind::Reference(..));
    if mapping.lookup.is_some() && !reference {
        return Some(format!("`{key}` is not a reference; it needs no `lookup`"));
    }
    if matches!(field.kind, Kind::Money) && mapping.column.is_some() && mapping.currency.is_none() {
        return Some(format!("`{key}` is money; name its `currency`"));
    }
    None
}

fn writable(field: &Field) -> bool {
    !field.read_only && &*field.key != "external_ids"
}
