//! Declared entities, compiled once per plugin version: keys, kinds, columns, and where each field stands in a row.

mod between;
mod field;
mod kind;
mod rule;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Deserialize;

use super::duplicates::rule::Rule;
use super::tx::Hook;

pub use self::between::{Between, Published, Reading};
pub use self::field::Field;
use self::field::system_fields;
pub use self::kind::{Choice, Kind, OnDelete, Stored, Target};
pub use self::rule::{Condition, Validation};

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

/// The module of the objects that the organization made itself; no plugin has this id.
pub const CUSTOM_MODULE: &str = "custom";
/// What the keys of custom fields start with; no manifest declares such a key.
pub const CUSTOM: &str = "c_";

/// Words that stand behind an entity or a record in an address and belong to the host; no action has such a verb.
pub const HOST_VERBS: [&str; 18] = [
    "actions",
    "bulk",
    "comments",
    "deleted",
    "duplicates",
    "export",
    "files",
    "followers",
    "history",
    "import",
    "merge",
    "purge",
    "query",
    "restore",
    "search",
    "shares",
    "tags",
    "timeline",
];

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
#[derive(Clone, Debug)]
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
    /// What must hold of every record: rules of the organization.
    pub rules: Arc<[Validation]>,
    /// When two records are taken for one.
    pub duplicates: Arc<[Rule]>,
    /// Every column in order, quoted and joined: what a SELECT lists.
    pub select: String,
    /// Number of columns, system columns included.
    pub width: usize,
    /// Number of columns that plugin code knows: the system's and those of the manifest, which stand before the custom ones.
    pub plugin_width: usize,
    /// Those columns, quoted and joined.
    pub plugin_select: String,
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

    /// The fields that full-text search looks into.
    pub fn searched(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.searchable > 0)
    }

    /// The fields that plugin code knows, in manifest order.
    pub fn declared(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| !field.custom)
    }

    /// The names of all columns in order.
    pub fn columns(&self) -> impl Iterator<Item = String> + '_ {
        let declared = self.fields.iter().flat_map(|field| {
            let second = matches!(field.kind, Kind::Money).then(|| format!("{}_currency", field.key));
            std::iter::once(field.key.to_string()).chain(second)
        });
        SYSTEM_COLUMNS.iter().map(|name| (*name).to_owned()).chain(declared)
    }

    /// The entity as its manifest declares it, with these fields of the organization's own behind the declared ones.
    #[must_use]
    pub fn with_fields(&self, custom: impl IntoIterator<Item = Field>) -> Self {
        let parts = Parts {
            key: self.key.to_string(),
            plural: self.plural.to_string(),
            label: self.label.clone(),
            title: self.title.as_deref().map(str::to_owned),
            fields: self.declared().cloned().chain(custom).collect(),
            hooks: self.hooks.clone(),
            operations: self.operations,
            duplicates: self.duplicates.to_vec(),
        };
        Self::new(&self.plugin, parts)
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
        let plugin_width = fields.iter().find(|field| field.custom).map_or(column, |field| field.column);
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
            rules: Arc::default(),
            duplicates: parts.duplicates.into(),
            select: String::new(),
            width: column,
            plugin_width,
            plugin_select: String::new(),
            insert: String::new(),
        };
        let columns: Vec<String> = entity.columns().map(|name| format!("\"{name}\"")).collect();
        entity.select = columns.join(", ");
        entity.plugin_select = columns.get(..plugin_width).unwrap_or(&columns).join(", ");
        let places: Vec<String> = (1..=columns.len()).map(|n| format!("?{n}")).collect();
        entity.insert =
            format!("insert into \"{}\" ({}) values ({})", entity.key, entity.select, places.join(", "));
        entity
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
    /// Matching rules.
    pub duplicates: Vec<Rule>,
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
#[derive(Clone, Debug)]
pub struct Module {
    /// The plugin's id; also the name of its file.
    pub plugin: Arc<str>,
    /// The plugin's version; empty for what an organization made itself.
    pub version: Arc<str>,
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
    /// What it lets other plugins read, and what it reads of others.
    pub between: Between,
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
