//! Declared entities, compiled once per plugin version: keys, kinds, columns, and where each field stands in a row.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::tx::Hook;

/// The columns that every table starts with, in this order. `_row` (not listed) is the integer key that breaks ties.
pub const SYSTEM_COLUMNS: [&str; 11] = [
    "id",
    "version",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
    "owner_id",
    "team_id",
    "deleted_at",
    "source",
    "external_ids",
];
/// Position of `id` in a row's values.
pub const ID: usize = 0;
/// Position of `version`.
pub const VERSION: usize = 1;
/// Position of `created_at`.
pub const CREATED_AT: usize = 2;
/// Position of `created_by`.
pub const CREATED_BY: usize = 3;
/// Position of `updated_at`.
pub const UPDATED_AT: usize = 4;
/// Position of `updated_by`.
pub const UPDATED_BY: usize = 5;
/// Position of `owner_id`.
pub const OWNER: usize = 6;
/// Position of `team_id`.
pub const TEAM: usize = 7;
/// Position of `deleted_at`.
pub const DELETED_AT: usize = 8;
/// Position of `source`.
pub const SOURCE: usize = 9;
/// Position of `external_ids`.
pub const EXTERNAL_IDS: usize = 10;

/// One choice of an option field.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// What is stored; never changes.
    pub key: String,
    /// What people read.
    pub label: String,
}

/// What happens to the record that refers when the record it refers to is deleted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// The deletion is refused.
    #[default]
    Restrict,
    /// The reference is emptied.
    Detach,
    /// The record goes to the recycle bin too.
    Cascade,
}

/// A reference's target, `plugin.entity`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// The plugin that declares the entity.
    pub plugin: Arc<str>,
    /// The entity's key.
    pub entity: Arc<str>,
}

/// What a field holds and how it is stored.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A line of text.
    Text,
    /// Text with paragraphs.
    RichText,
    /// A 64-bit integer.
    Integer,
    /// An exact number with this many places, stored times 10^scale.
    Decimal(u8),
    /// Minor units and an ISO 4217 code: two columns, `<key>` and `<key>_currency`.
    Money,
    /// Stored as parts per million; on the wire `"12.5"` is 12.5 %.
    Percent,
    /// Stored as 0 or 1.
    Boolean,
    /// `YYYY-MM-DD`.
    Date,
    /// UTC milliseconds; RFC 3339 on the wire.
    DateTime,
    /// Milliseconds.
    Duration,
    /// One of the choices, by key.
    Option(Vec<Choice>),
    /// The id of a record.
    Reference(Target, OnDelete),
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// An absolute http(s) address.
    Url,
    /// Any JSON, stored as text.
    Json,
}

/// The form of a column.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stored {
    /// 64 bits.
    Integer,
    /// UTF-8.
    Text,
    /// 16 bytes.
    Id,
}

impl Kind {
    /// The form of the (first) column.
    #[must_use]
    pub const fn stored(&self) -> Stored {
        match self {
            Self::Integer | Self::Decimal(_) | Self::Money | Self::Percent => Stored::Integer,
            Self::Boolean | Self::DateTime | Self::Duration => Stored::Integer,
            Self::Reference(..) => Stored::Id,
            Self::Text | Self::RichText | Self::Date | Self::Option(_) => Stored::Text,
            Self::Email | Self::Phone | Self::Url | Self::Json => Stored::Text,
        }
    }
}

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
    /// Whether no two records may share a value.
    pub unique: bool,
    /// Whether the table has an index on it.
    pub indexed: bool,
    /// Whether only plugin code writes it.
    pub read_only: bool,
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

/// What REST offers on an entity beyond reading it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Operations {
    /// POST.
    pub create: bool,
    /// PATCH.
    pub update: bool,
    /// DELETE.
    pub delete: bool,
}

/// A declared entity.
#[derive(Debug)]
pub struct Entity {
    /// The plugin that declares it.
    pub plugin: Arc<str>,
    /// Lower-case key; also the table's name.
    pub key: Arc<str>,
    /// The word in addresses.
    pub plural: Arc<str>,
    /// `plugin.key`: what policies speak of.
    pub object: Arc<str>,
    /// For people.
    pub label: String,
    /// The field that names a record to people.
    pub title: Option<Arc<str>>,
    /// The fields in manifest order.
    pub fields: Vec<Field>,
    /// The system columns as fields, for filters, sorting and JSON.
    pub system: Vec<Field>,
    /// Position in `fields` by key.
    pub by_key: HashMap<Arc<str>, usize>,
    /// Hooks that the plugin implements.
    pub hooks: HashSet<Hook>,
    /// What REST offers.
    pub operations: Operations,
    /// Every column in order, quoted and joined: what a SELECT lists.
    pub select: String,
    /// Number of columns, system columns included.
    pub width: usize,
    /// `insert into "…" (…) values (…)`.
    pub insert: String,
}

impl Entity {
    /// The field with this key.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&Field> {
        self.by_key.get(key).and_then(|at| self.fields.get(*at))
    }

    /// The declared or system field with this key.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&Field> {
        self.field(key).or_else(|| self.system.iter().find(|field| &*field.key == key))
    }

    /// The names of all columns in order.
    pub fn columns(&self) -> impl Iterator<Item = String> + '_ {
        let declared = self.fields.iter().flat_map(|field| {
            let second = matches!(field.kind, Kind::Money).then(|| format!("{}_currency", field.key));
            std::iter::once(field.key.to_string()).chain(second)
        });
        SYSTEM_COLUMNS.iter().map(|name| (*name).to_owned()).chain(declared)
    }

    /// Completes an entity from its parts: places the fields and prepares the statements.
    #[must_use]
    pub fn new(plugin: &str, parts: Parts) -> Self {
        let mut fields = parts.fields;
        let mut column = SYSTEM_COLUMNS.len();
        for field in &mut fields {
            field.column = column;
            column += if matches!(field.kind, Kind::Money) { 2 } else { 1 };
        }
        let by_key = fields.iter().enumerate().map(|(at, field)| (Arc::clone(&field.key), at)).collect();
        let mut entity = Self {
            plugin: plugin.into(),
            object: format!("{plugin}.{}", parts.key).into(),
            key: parts.key.into(),
            plural: parts.plural.into(),
            label: parts.label,
            title: parts.title.map(Into::into),
            fields,
            system: system_fields(plugin),
            by_key,
            hooks: parts.hooks,
            operations: parts.operations,
            select: String::new(),
            width: column,
            insert: String::new(),
        };
        let columns: Vec<String> = entity.columns().map(|name| format!("\"{name}\"")).collect();
        entity.select = columns.join(", ");
        let places: Vec<String> = (1..=columns.len()).map(|n| format!("?{n}")).collect();
        entity.insert =
            format!("insert into \"{}\" ({}) values ({})", entity.key, entity.select, places.join(", "));
        entity
    }
}

/// The system columns that people see, as fields. `deleted_at` is the recycle bin's and not among them.
fn system_fields(plugin: &str) -> Vec<Field> {
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
            unique: false,
            indexed: true,
            read_only: !matches!(key, "owner_id" | "team_id" | "external_ids"),
            min: None,
            max: None,
            min_length: None,
            max_length: 64,
            default: None,
            label: key.replace('_', " "),
            help: String::new(),
            json_key: super::json::json_key(key),
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
        !matches!(self.kind, Kind::Json)
    }
}

/// What the manifest says of an entity, checked.
#[derive(Debug)]
pub struct Parts {
    /// Key.
    pub key: String,
    /// Plural.
    pub plural: String,
    /// Label.
    pub label: String,
    /// Title field.
    pub title: Option<String>,
    /// Fields, their columns not yet placed.
    pub fields: Vec<Field>,
    /// Hooks.
    pub hooks: HashSet<Hook>,
    /// Operations.
    pub operations: Operations,
}

/// A private table (or index) of a plugin: one ordered, never edited step.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// `0001_counters`
    pub name: String,
    /// One or more DDL statements.
    pub sql: String,
}

/// What the record engine knows of one plugin.
#[derive(Debug)]
pub struct Module {
    /// The plugin's id; also the name of its file.
    pub plugin: Arc<str>,
    /// Its entities in manifest order.
    pub entities: Vec<Arc<Entity>>,
    /// Its private tables.
    pub private: Vec<Step>,
    /// The tables of its entities, for the authorizer.
    pub tables: Arc<HashSet<String>>,
    /// Changes when the declared schema does.
    pub fingerprint: Arc<str>,
    /// Whether its manifest may act with its own authority.
    pub may_act_as_plugin: bool,
}

impl Module {
    /// The entity with this key.
    #[must_use]
    pub fn entity(&self, key: &str) -> Option<Arc<Entity>> {
        self.entities.iter().find(|entity| &*entity.key == key).cloned()
    }

    /// The entity with this word in addresses.
    #[must_use]
    pub fn entity_by_plural(&self, plural: &str) -> Option<&Arc<Entity>> {
        self.entities.iter().find(|entity| &*entity.plural == plural)
    }
}
