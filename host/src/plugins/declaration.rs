//! The parts of a manifest as they are written: actions, reports, grants, settings, seeds.

use std::collections::HashSet;

use serde_json::{Map, Value as Json};

use super::manifest::Around;
use super::reading::{Part, is_key, is_word};
use crate::policy::Scope;
use crate::records::schema::{HOST_VERBS, Step};

/// How an action touches records.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ActionMode {
    /// On a snapshot.
    Read,
    /// In one transaction.
    Write,
    /// May use the network; not offered yet.
    Effect,
}

/// What an action is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ActionTarget {
    /// One record.
    Record,
    /// An entity's records.
    Collection,
    /// The module.
    Module,
}

/// A named business operation.
#[derive(Clone, Debug)]
pub struct Action {
    /// `entity.verb`: how the plugin knows it.
    pub key: String,
    /// The entity, unless the target is the module.
    pub entity: Option<String>,
    /// Record, collection or module.
    pub target: ActionTarget,
    /// The word in the address and in policies.
    pub verb: String,
    /// Read, write or effect.
    pub mode: ActionMode,
    /// For people.
    pub label: String,
    /// For people.
    pub help: String,
    /// JSON Schema of the input.
    pub input: Json,
    /// JSON Schema of the output.
    pub output: Json,
}

/// One column of a report.
#[derive(Clone, Debug)]
pub struct Column {
    /// The member in each row.
    pub key: String,
    /// `text`, `integer`, `decimal`, `percent`, `money`, `boolean`, `date`, `date_time`, `reference`, `user`.
    pub kind: String,
    /// For decimals.
    pub scale: Option<u8>,
    /// For references.
    pub references: Option<String>,
    /// For people.
    pub label: String,
}

/// Figures that the plugin computes.
#[derive(Clone, Debug)]
pub struct Report {
    /// The word in the address.
    pub key: String,
    /// Whoever may read this may run the report, on the records that he may read.
    pub object: String,
    /// For people.
    pub label: String,
    /// The definition, for people.
    pub help: String,
    /// JSON Schema of the parameters: an object.
    pub params: Json,
    /// What a row holds.
    pub columns: Vec<Column>,
}

/// A role's proposed rights.
#[derive(Clone, Debug)]
pub struct GrantDeclaration {
    /// The role.
    pub role: String,
    /// `plugin.entity`
    pub object: String,
    /// Verbs.
    pub actions: Vec<String>,
    /// How far they reach.
    pub scope: Scope,
}

/// A setting and its default.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its key.
    pub key: String,
    /// JSON Schema.
    pub schema: Json,
    /// Its value until somebody sets one.
    pub default: Json,
}

/// Records that every organization starts with.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The entity's key.
    pub entity: String,
    /// Members of each record; `external_id` names it, and `{"external_id": …}` as a value refers to another seed.
    pub rows: Vec<Map<String, Json>>,
}

/// Checks the actions.
pub(super) fn actions(root: &Part<'_>, around: &Around) -> Vec<Action> {
    let members = &["key", "entity", "target", "verb", "mode", "label", "help", "input", "output"];
    let (mut keys, mut places) = (HashSet::new(), HashSet::new());
    let mut actions = Vec::new();
    for part in root.parts("actions", members) {
        let entity = part.text("entity");
        let target = part.word("target", |word| match word {
            "record" => Some(ActionTarget::Record),
            "collection" => Some(ActionTarget::Collection),
            "module" => Some(ActionTarget::Module),
            _ => None,
        });
        let fits = match (target, entity) {
            (Some(ActionTarget::Module), None) => true,
            (Some(ActionTarget::Module), Some(_)) => false,
            (Some(_), None) => false,
            (_, Some(entity)) => around.entities.contains(entity),
            (None, None) => true,
        };
        if !fits {
            part.fault("entity", "must be an entity of this manifest, and none for the target `module`");
        }
        let mode = part.word("mode", |word| match word {
            "read" => Some(ActionMode::Read),
            "write" => Some(ActionMode::Write),
            "effect" => Some(ActionMode::Effect),
            _ => None,
        });
        for (member, given) in [("target", target.is_some()), ("mode", mode.is_some())] {
            if !given {
                part.fault(member, "must be one of the contract's words");
            }
        }
        let free = |verb: &str| is_word(verb) && !HOST_VERBS.contains(&verb);
        let verb = part.such("verb", free, "a lower-case word that the host does not use itself");
        if verb.is_some() && !places.insert((entity, target.map(|target| target as u8), verb)) {
            part.fault("verb", "another action has this verb in the same place");
        }
        let key = part.needed("key");
        if !keys.insert(key) {
            part.fault("key", "another action has this key");
        }
        let text = |member| part.text(member).unwrap_or_default().to_owned();
        let (label, help) = (text("label"), text("help"));
        let (input, output) = (part.schema("input"), part.schema("output"));
        if let (Some(target), Some(mode), Some(verb)) = (target, mode, verb) {
            let (key, entity, verb) = (key.to_owned(), entity.map(str::to_owned), verb.to_owned());
            actions.push(Action { key, entity, target, verb, mode, label, help, input, output });
        }
    }
    actions
}

/// Checks the reports.
pub(super) fn reports(root: &Part<'_>, around: &Around) -> Vec<Report> {
    let mut keys = HashSet::new();
    let mut reports = Vec::new();
    for part in root.parts("reports", &["key", "object", "label", "help", "params", "columns"]) {
        let key = part.such("key", is_key, "a lower-case key");
        if key.is_some_and(|key| !keys.insert(key)) {
            part.fault("key", "another report has this key");
        }
        let object = part.such("object", |object| around.owns(object), "an object of this plugin");
        let columns: Vec<Column> = part
            .parts("columns", &["key", "type", "scale", "references", "label"])
            .iter()
            .map(column)
            .collect();
        if columns.is_empty() {
            part.fault("columns", "a report has at least one column");
        }
        let text = |member| part.text(member).unwrap_or_default().to_owned();
        reports.push(Report {
            key: key.unwrap_or_default().to_owned(),
            object: object.unwrap_or_default().to_owned(),
            label: text("label"),
            help: text("help"),
            params: part.schema("params"),
            columns,
        });
    }
    reports
}

fn column(part: &Part<'_>) -> Column {
    let column = Column {
        key: part.needed("key").to_owned(),
        kind: part.needed("type").to_owned(),
        scale: part.count("scale").and_then(|scale| u8::try_from(scale).ok()),
        references: part.text("references").map(str::to_owned),
        label: part.text("label").unwrap_or_default().to_owned(),
    };
    if super::report::form(&column).is_none() {
        part.fault("type", format!("the type `{}` is not known", column.kind));
    }
    column
}

/// Checks the proposed rights. A plugin may have verbs of its own beside those of its actions, on its own objects only.
pub(super) fn grants(root: &Part<'_>, around: &Around) -> Vec<GrantDeclaration> {
    let mut seen = HashSet::new();
    let mut grants = Vec::new();
    for part in root.parts("grants", &["role", "object", "actions", "scope"]) {
        let role = part.such("role", is_word, "a lower-case name");
        let object = part.such("object", |object| around.owns(object), "an object of this plugin");
        let scope =
            part.word("scope", |word| word.parse::<Scope>().ok().filter(|scope| *scope != Scope::Shared));
        if scope.is_none() {
            part.fault("scope", "a scope is own, team, subteams or org");
        }
        let actions = part.words("actions", |action| {
            let known =
                if object.is_some() { is_word(action) } else { crate::policy::ACTIONS.contains(&action) };
            known.then(|| action.to_owned())
        });
        if part.list("actions").is_empty() {
            part.fault("actions", "a grant lists at least one action");
        }
        if let (Some(role), Some(object), Some(scope)) = (role, object, scope) {
            for action in &actions {
                if !seen.insert((role, object, action.clone(), scope)) {
                    part.fault("actions", format!("`{action}` is granted twice"));
                }
            }
            grants.push(GrantDeclaration {
                role: role.to_owned(),
                object: object.to_owned(),
                actions,
                scope,
            });
        }
    }
    grants
}

/// Checks the settings.
pub(super) fn settings(root: &Part<'_>) -> Vec<Setting> {
    let setting = |part: &Part<'_>| Setting {
        key: part.such("key", is_key, "a lower-case key").unwrap_or_default().to_owned(),
        schema: part.schema("schema"),
        default: part.json("default").cloned().unwrap_or_default(),
    };
    root.parts("settings", &["key", "schema", "default"]).iter().map(setting).collect()
}

/// Checks the steps that make private tables, as far as that goes without a file.
pub(super) fn steps(root: &Part<'_>) -> Vec<Step> {
    let mut names = HashSet::new();
    let mut steps = Vec::new();
    for part in root.parts("private", &["name", "sql"]) {
        let (name, sql) = (part.needed("name"), part.needed("sql"));
        if !names.insert(name) {
            part.fault("name", "another step has this name");
        }
        if sql.to_ascii_lowercase().contains("_stoa_") {
            part.fault("sql", "names that start with `_stoa_` are the host's");
        }
        steps.push(Step { name: name.to_owned(), sql: sql.to_owned() });
    }
    steps
}

/// Checks first records, those of `seed` or of `demo`.
pub(super) fn seeds(root: &Part<'_>, member: &str, around: &Around) -> Vec<Seed> {
    let mut seeds = Vec::new();
    for part in root.parts(member, &["entity", "rows"]) {
        let entity = part.needed("entity");
        if !entity.is_empty() && !around.entities.contains(entity) {
            part.fault("entity", format!("`{entity}` is no entity of this manifest"));
        }
        let mut rows = Vec::new();
        for (at, row) in part.list("rows") {
            let named = row.get("external_id").and_then(Json::as_str).is_some_and(|id| !id.is_empty());
            match row.as_object() {
                Some(row) if named => rows.push(row.clone()),
                _ => {
                    part.fault_at(at, "must be an object with an `external_id`, by which others refer to it")
                }
            }
        }
        seeds.push(Seed { entity: entity.to_owned(), rows });
    }
    seeds
}
