//! What an import is told: which entity, which column becomes which field, and how.

mod check;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::source::{Format, Wishes};
use crate::records::error::{Fault, RecordError};

/// The entity of an import of people.
pub const USERS: &str = "users";

/// Members that say how a file is to be read; a saved mapping has none of them.
pub(super) const FILE_MEMBERS: [&str; 7] =
    ["format", "encoding", "delimiter", "quote", "sheet", "dry_run", "mapping_id"];

/// What happens to rows whose record is there already, and to those whose is not.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Every row is a new record.
    #[default]
    Create,
    /// Every row changes a record that is there.
    Update,
    /// A row whose key is known changes that record, another one makes it.
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

/// By what a row finds its record: an external id, or a unique field.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The id in another system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<ExternalId>,
    /// A unique field, an auto-number, or `id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The column that holds the field's value; the field's mapping says it otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

/// How a text becomes the id of a record.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// The field of the target that holds the text, or `external_id:SOURCE`; for people `name` or `email`, for teams
    /// `name`.
    pub by: String,
    /// Whether letters of either case are the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignore_case: bool,
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
    /// For money: the currency of the column, or of rows whose currency column is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// For money: the column with the currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency_column: Option<String>,
    /// For several options or references: what stands between them; `;` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
    /// For numbers: the decimal sign, `.` or `,`; the other one, blanks and `'` then group digits and are dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimal: Option<char>,
    /// For dates and instants: how they are written, such as `%d.%m.%Y`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// For percent: the column holds `0.125` where 12.5 % is meant, as cells of spreadsheets do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fraction: bool,
    /// `null` (the default): an empty cell is no value; `skip`: an empty cell leaves the field as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty: Option<String>,
}

impl Mapping {
    /// The columns that it takes.
    pub(super) fn columns(&self) -> impl Iterator<Item = &String> {
        self.column.iter().chain(&self.currency_column)
    }

    /// What stands between the parts of a cell.
    pub(super) fn separator(&self) -> &str {
        self.separator.as_deref().filter(|separator| !separator.is_empty()).unwrap_or(";")
    }
}

/// The whole specification.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// `plugin.entity`, or `users`.
    pub entity: String,
    /// Create, update or upsert.
    #[serde(default)]
    pub mode: Mode,
    /// The id that another system gave the row; also the key when `key` names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<ExternalId>,
    /// By what rows find their records, for update and upsert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// Field key (`address.city` for a part of one, `external_ids.SOURCE` for an id elsewhere) to its source.
    #[serde(default)]
    pub mapping: BTreeMap<String, Mapping>,
    /// Columns that are left out on purpose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// Executes everything and keeps nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Instead of what the content says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// The text's encoding, such as `windows-1252`, instead of what the content says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// What separates cells, instead of what the content says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// What quotes cells, instead of what the content says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<char>,
    /// The sheet of a workbook; the first one otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
}

/// Whether cells can be separated or quoted by the sign: the parser takes one byte.
const fn separates(sign: char) -> bool {
    sign.is_ascii() && !matches!(sign, '\r' | '\n' | '\0')
}

impl Spec {
    /// Parses the JSON.
    ///
    /// # Errors
    /// [`RecordError::Invalid`] that names the member.
    pub fn parse(json: &str) -> Result<Self, RecordError> {
        let spec: Self =
            serde_json::from_str(json).map_err(|error| fault("", "invalid_spec", not_understood(&error)))?;
        spec.sensible()
    }

    /// The specification of a JSON object.
    ///
    /// # Errors
    /// Those of [`Spec::parse`].
    pub fn from_members(members: Map<String, Json>) -> Result<Self, RecordError> {
        let spec: Self = serde_json::from_value(Json::Object(members))
            .map_err(|error| fault("", "invalid_spec", not_understood(&error)))?;
        spec.sensible()
    }

    fn sensible(mut self) -> Result<Self, RecordError> {
        if self.delimiter.is_some_and(|sign| !separates(sign) || sign == '"') {
            let detail = "use one ASCII character that is no quote, no end of line and not NUL, such as `;`";
            return Err(fault("/delimiter", "invalid_delimiter", detail.into()));
        }
        let clash = |sign: char| !separates(sign) || self.delimiter == Some(sign);
        if self.quote.is_some_and(clash) {
            let detail =
                "use one ASCII character that is not the delimiter, no end of line and not NUL, such as `'`";
            return Err(fault("/quote", "invalid_quote", detail.into()));
        }
        if let Some(key) = &self.key {
            match (&key.external_id, &key.field) {
                (Some(id), None) if key.column.is_none() => self.external_id = Some(id.clone()),
                (None, Some(_)) => {}
                _ => {
                    let detail = "write {\"external_id\": {\"source\": …, \"column\": …}} or {\"field\": …}";
                    return Err(fault("/key", "invalid_key", detail.into()));
                }
            }
        }
        Ok(self)
    }

    /// The unique field that rows are found by; none: the external id.
    pub(super) fn key_field(&self) -> Option<&str> {
        self.key.as_ref()?.field.as_deref()
    }

    /// The column with the value of the key field.
    pub(super) fn key_column(&self) -> Option<&String> {
        let key = self.key.as_ref()?;
        key.column.as_ref().or_else(|| self.mapping.get(key.field.as_deref()?)?.column.as_ref())
    }

    /// What the specification says of the file.
    pub(super) fn wishes(&self) -> Wishes<'_> {
        Wishes {
            format: self.format,
            encoding: self.encoding.as_deref(),
            delimiter: self.delimiter.and_then(|sign| u8::try_from(sign).ok()),
            quote: self.quote.and_then(|sign| u8::try_from(sign).ok()),
            sheet: self.sheet.as_deref(),
        }
    }

    /// Every column that it takes or leaves out on purpose.
    pub(super) fn mentions(&self, column: &String) -> bool {
        self.ignore.contains(column)
            || self.external_id.as_ref().is_some_and(|id| id.column == *column)
            || self.key.as_ref().is_some_and(|key| key.column.as_ref() == Some(column))
            || self.mapping.values().any(|mapping| mapping.columns().any(|one| one == column))
    }

    /// The columns that it takes.
    pub(super) fn takes(&self) -> impl Iterator<Item = &String> {
        let key = self.key.as_ref().and_then(|key| key.column.as_ref());
        let ids = self.external_id.as_ref().map(|id| &id.column);
        self.mapping.values().flat_map(Mapping::columns).chain(key).chain(ids)
    }
}

fn fault(at: &str, code: &'static str, detail: String) -> RecordError {
    RecordError::Invalid(vec![Fault { pointer: format!("/spec{at}"), code: code.into(), detail }])
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
        "the import specification is not understood: {text}; its members are `entity`, `mode`, `key`, `external_id`, \
         `mapping`, `mapping_id`, `ignore`, `dry_run`, `format`, `encoding`, `delimiter`, `quote` and `sheet`"
    )
}
