//! What an import is told: which entity, which column becomes which field, and how.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::records::Scope;
use crate::records::error::{Fault, RecordError};
use crate::records::schema::{Entity, Field, Kind, Target};

/// Most columns that are listed because nothing is said of them.
const LISTED: usize = 100;

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
    /// The text field of the target that holds the text, or `external_id:SOURCE`; for people `name` or `email`, for teams
    /// `name`.
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
        let fault = |at: &str, code: &'static str, detail: String| {
            RecordError::Invalid(vec![Fault { pointer: format!("/spec{at}"), code: code.into(), detail }])
        };
        let spec: Self =
            serde_json::from_str(json).map_err(|error| fault("", "invalid_spec", not_understood(&error)))?;
        let separates = |sign: char| sign.is_ascii() && !matches!(sign, '"' | '\r' | '\n' | '\0');
        match spec.delimiter.filter(|sign| !separates(*sign)) {
            Some(_) => {
                let detail =
                    "use one ASCII character that is no quote, no end of line and not NUL, such as `;`";
                Err(fault("/delimiter", "invalid_delimiter", detail.into()))
            }
            None => Ok(spec),
        }
    }

    /// Checks the specification against the entity and the file's header. All faults at once.
    ///
    /// # Errors
    /// [`RecordError::Invalid`].
    pub fn check(
        &self,
        scope: &Scope,
        entity: Option<&Entity>,
        header: &[String],
    ) -> Result<(), RecordError> {
        let mut faults = Vec::new();
        let mut fault = |at: &str, code: &'static str, detail: String| {
            faults.push(Fault { pointer: format!("/spec/{at}"), code: code.into(), detail });
        };
        let has = |column: &String| header.contains(column);
        if let Some(whose) = self.lacks_external_id(entity) {
            let detail = format!("{whose} by their external id; name its source and column");
            fault("external_id", "required", detail);
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
            let at = format!("mapping/{}", key.replace('~', "~0").replace('/', "~1"));
            if let Some(column) = mapping.column.as_ref().filter(|column| !has(column)) {
                fault(&at, "unknown_column", format!("the file has no column `{column}`"));
            }
            if mapping.column.is_none() == mapping.constant.is_none() {
                fault(&at, "invalid_mapping", "a field comes from either a `column` or a `constant`".into());
            }
            if mapping.empty.as_deref().is_some_and(|rule| !matches!(rule, "null" | "skip")) {
                fault(&at, "invalid_mapping", "`empty` is `null` or `skip`".into());
            }
            if let Some(detail) = field_fault(scope, entity, key, mapping) {
                fault(&at, "invalid_mapping", detail);
            }
        }
        let unmapped: Vec<&String> = header.iter().filter(|column| !self.uses(column)).collect();
        for column in unmapped.iter().take(LISTED) {
            let more = unmapped.len().saturating_sub(LISTED);
            let more =
                if more > 0 { format!(" ({more} columns more are not listed)") } else { String::new() };
            let detail = format!(
                "column `{column}` is neither mapped nor in `ignore`; nothing is dropped silently{more}"
            );
            fault("mapping", "unmapped_column", detail);
        }
        if faults.is_empty() { Ok(()) } else { Err(RecordError::Invalid(faults)) }
    }

    /// Who needs an external id that is not named.
    fn lacks_external_id(&self, entity: Option<&Entity>) -> Option<&'static str> {
        match (&self.external_id, entity) {
            (None, None) => Some("people are imported"),
            (None, Some(_)) if self.mode == Mode::Upsert => Some("mode `upsert` finds records"),
            _ => None,
        }
    }

    fn uses(&self, column: &String) -> bool {
        self.ignore.contains(column)
            || self.external_id.as_ref().is_some_and(|id| id.column == *column)
            || self.mapping.values().any(|mapping| mapping.column.as_ref() == Some(column))
    }
}

/// What is wrong with the JSON, in the words of the specification.
fn not_understood(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    // The parser names types of this program where a value has the wrong form.
    if ["struct ", "enum ", "variant identifier"].iter().any(|word| text.contains(word)) {
        text = format!("a value has the wrong form at line {} column {}", error.line(), error.column());
    }
    let text: String = text.chars().take(300).collect();
    format!(
        "the import specification is not understood: {text}; its members are `entity`, `mode`, `external_id`, \
         `mapping`, `ignore`, `dry_run` and `delimiter`"
    )
}

fn field_fault(scope: &Scope, entity: Option<&Entity>, key: &str, mapping: &Mapping) -> Option<String> {
    let Some(entity) = entity else {
        let known = ["name", "email", "team", "roles"];
        return (!known.contains(&key))
            .then(|| format!("people have no `{key}`; known are {}", known.join(", ")));
    };
    let Some(field) = entity.attribute(key).filter(|field| writable(field)) else {
        return Some(format!("{} has no field `{key}` that an import may set", entity.object));
    };
    if let Some(lookup) = &mapping.lookup {
        let Kind::Reference(target, _) = &field.kind else {
            return Some(format!("`{key}` is not a reference; it needs no `lookup`"));
        };
        if let Some(detail) = lookup_fault(scope, target, &lookup.by) {
            return Some(detail);
        }
    }
    if matches!(field.kind, Kind::Money) && mapping.column.is_some() && mapping.currency.is_none() {
        return Some(format!("`{key}` is money; name its `currency`"));
    }
    None
}

fn lookup_fault(scope: &Scope, target: &Target, by: &str) -> Option<String> {
    let known = match (&*target.plugin, &*target.entity) {
        ("host", "team") => "`name`",
        ("host", _) => "`name` or `email`",
        (plugin, key) => {
            let Some(entity) = scope.entity(plugin, key) else {
                return Some(format!("the organization has no {plugin}.{key} to look up"));
            };
            let text = |kind: &Kind| matches!(kind, Kind::Text | Kind::Email | Kind::Phone | Kind::Url);
            let source = by.strip_prefix("external_id:").is_some_and(|source| !source.is_empty());
            if source || entity.field(by).is_some_and(|field| text(&field.kind)) {
                return None;
            }
            return Some(format!(
                "{} is looked up by one of its text fields or by `external_id:SOURCE`, not by `{by}`",
                entity.object
            ));
        }
    };
    let quoted = format!("`{by}`");
    (!known.split(" or ").any(|name| name == quoted))
        .then(|| format!("a {} is looked up by {known}, not by {quoted}", target.entity))
}

fn writable(field: &Field) -> bool {
    !field.read_only && &*field.key != "external_ids"
}
