//! What a plugin declares about itself, read from its package. A manifest that does not validate is refused with every
//! fault that can be found, not the first.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use super::declaration::{Action, ActionTarget, GrantDeclaration, Report, Seed, Setting};
use super::entity::{EntityDeclaration, entity};
use crate::records::schema::{Entity, Kind, Module, Step};

/// The manifest format that this host reads.
const FORMAT: u64 = 1;
/// The contract that this host offers: any `1.x` manifest.
const CONTRACT: &str = "1.";
/// Ids that no plugin can have: the host's own files and areas of the API.
const RESERVED: &[&str] = &[
    "api",
    "audit",
    "auth",
    "events",
    "grants",
    "host",
    "identity",
    "imports",
    "jobs",
    "me",
    "modules",
    "organization",
    "platform",
    "policy",
    "privacy",
    "roles",
    "search",
    "settings",
    "teams",
    "users",
    "webhooks",
];
/// Authorities that a manifest can ask for now.
const PERMISSIONS: &[&str] = &["records.as-plugin"];

/// One fault of a manifest.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ManifestFault {
    /// JSON Pointer into the manifest.
    pub pointer: String,
    /// What is wrong and what to do.
    pub detail: String,
}

/// A checked manifest.
#[derive(Debug)]
pub struct Manifest {
    /// The plugin's id.
    pub id: Arc<str>,
    /// For people.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The module that must be licensed; `None` for a base plugin, which is always on.
    pub module: Option<String>,
    /// Plugins that it refers to.
    pub requires: Vec<String>,
    /// What the record engine knows of it.
    pub records: Arc<Module>,
    /// Actions.
    pub actions: Vec<Action>,
    /// Reports.
    pub reports: Vec<Report>,
    /// Proposed rights.
    pub grants: Vec<GrantDeclaration>,
    /// Settings.
    pub settings: Vec<Setting>,
    /// Seeds in order.
    pub seed: Vec<Seed>,
    /// What a demo organization has to look at.
    pub demo: Vec<Seed>,
}

/// Collects faults while the manifest is walked.
#[derive(Default)]
pub(super) struct Faults(pub(super) Vec<ManifestFault>);

impl Faults {
    pub(super) fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.0.push(ManifestFault { pointer: pointer.into(), detail: detail.into() });
    }

    /// One part of the manifest in its declared form.
    fn part<T: DeserializeOwned>(&mut self, pointer: &str, json: &Json) -> Option<T> {
        match T::deserialize(json) {
            Ok(part) => Some(part),
            Err(error) => {
                self.add(pointer, error.to_string());
                None
            }
        }
    }

    fn list<T: DeserializeOwned>(&mut self, root: &Json, key: &str) -> Vec<(String, T)> {
        let items = match root.get(key) {
            None | Some(Json::Null) => return Vec::new(),
            Some(Json::Array(items)) => items,
            Some(_) => {
                self.add(format!("/{key}"), "must be a list");
                return Vec::new();
            }
        };
        let pointed = items.iter().enumerate().map(|(at, item)| (format!("/{key}/{at}"), item));
        pointed.filter_map(|(pointer, item)| self.part(&pointer, item).map(|part| (pointer, part))).collect()
    }

    fn text(&mut self, root: &Json, key: &str) -> String {
        match root.get(key).and_then(Json::as_str) {
            Some(text) if !text.is_empty() => text.to_owned(),
            _ => {
                self.add(format!("/{key}"), "must be a text that is not empty");
                String::new()
            }
        }
    }
}

/// Whether a key is `[a-z][a-z0-9_]*`, 63 characters at most, and outside the host's names.
pub(super) fn is_key(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 63
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

const MEMBERS: &[&str] = &[
    "v",
    "id",
    "name",
    "version",
    "contract",
    "module",
    "requires",
    "permissions",
    "entities",
    "private",
    "actions",
    "reports",
    "grants",
    "settings",
    "seed",
    "demo",
];

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// Every fault.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<ManifestFault>> {
        let mut faults = Faults::default();
        let root: Json = match serde_json::from_slice(bytes) {
            Ok(root @ Json::Object(_)) => root,
            _ => {
                faults.add("", "the manifest is not a JSON object");
                return Err(faults.0);
            }
        };
        for member in root.as_object().into_iter().flat_map(serde_json::Map::keys) {
            if !MEMBERS.contains(&member.as_str()) {
                faults.add(format!("/{member}"), "no member of this name is known");
            }
        }
        let manifest = assemble(&root, bytes, &mut faults);
        if faults.0.is_empty() { Ok(manifest) } else { Err(faults.0) }
    }

    /// The action with this verb on the entity (`None`: the module) and target.
    #[must_use]
    pub fn action(&self, entity: Option<&str>, target: ActionTarget, verb: &str) -> Option<&Action> {
        self.actions.iter().find(|action| {
            action.verb == verb && action.target == target && action.entity.as_deref() == entity
        })
    }
}

fn assemble(root: &Json, bytes: &[u8], faults: &mut Faults) -> Manifest {
    if root.get("v").and_then(Json::as_u64) != Some(FORMAT) {
        faults.add("/v", format!("this host reads manifests of format {FORMAT}"));
    }
    let id = faults.text(root, "id");
    if !id.is_empty() && (!is_key(&id) || RESERVED.contains(&id.as_str())) {
        faults.add("/id", "must be a lower-case key that the host does not use itself");
    }
    if !faults.text(root, "contract").starts_with(CONTRACT) {
        faults.add("/contract", format!("this host offers contract {CONTRACT}x"));
    }
    let permissions: Vec<(String, String)> = faults.list(root, "permissions");
    for (pointer, permission) in &permissions {
        if !PERMISSIONS.contains(&permission.as_str()) {
            faults.add(
                pointer,
                format!("`{permission}` is no permission of this host; known are {}", PERMISSIONS.join(", ")),
            );
        }
    }
    let declarations: Vec<(String, EntityDeclaration)> = faults.list(root, "entities");
    let entities: Vec<Arc<Entity>> = declarations
        .into_iter()
        .filter_map(|(pointer, declared)| entity(&id, &pointer, declared, faults).map(Arc::new))
        .collect();
    let records = Module {
        plugin: id.as_str().into(),
        tables: Arc::new(entities.iter().map(|entity| entity.key.to_string()).collect()),
        entities,
        private: faults.list::<Step>(root, "private").into_iter().map(|(_, step)| step).collect(),
        fingerprint: Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
            .into(),
        may_act_as_plugin: permissions.iter().any(|(_, permission)| permission == "records.as-plugin"),
    };
    let strings = |list: Vec<(String, String)>| list.into_iter().map(|(_, text)| text).collect::<Vec<_>>();
    let manifest = Manifest {
        id: id.as_str().into(),
        name: faults.text(root, "name"),
        version: faults.text(root, "version"),
        module: module(root, faults),
        requires: strings(faults.list(root, "requires")),
        records: Arc::new(records),
        actions: faults.list(root, "actions").into_iter().map(|(_, action)| action).collect(),
        reports: faults.list(root, "reports").into_iter().map(|(_, report)| report).collect(),
        grants: faults.list(root, "grants").into_iter().map(|(_, grant)| grant).collect(),
        settings: faults.list(root, "settings").into_iter().map(|(_, setting)| setting).collect(),
        seed: faults.list(root, "seed").into_iter().map(|(_, seed)| seed).collect(),
        demo: faults.list(root, "demo").into_iter().map(|(_, seed)| seed).collect(),
    };
    cross_check(&manifest, faults);
    manifest
}

/// The module; absent or null for a base plugin.
fn module(root: &Json, faults: &mut Faults) -> Option<String> {
    match root.get("module") {
        None | Some(Json::Null) => None,
        Some(Json::String(module)) if is_key(module) => Some(module.clone()),
        Some(_) => {
            faults.add("/module", "must be a lower-case key, or null for a base plugin, which is always on");
            None
        }
    }
}

/// What must fit together across the parts.
fn cross_check(manifest: &Manifest, faults: &mut Faults) {
    let entity = |key: &str| manifest.records.entities.iter().any(|entity| &*entity.key == key);
    let mut plurals = HashSet::new();
    let mut keys = HashSet::new();
    for (at, declared) in manifest.records.entities.iter().enumerate() {
        if !plurals.insert(Arc::clone(&declared.plural)) || !keys.insert(Arc::clone(&declared.key)) {
            faults.add(
                format!("/entities/{at}"),
                format!("`{}` or its plural is declared twice", declared.key),
            );
        }
        for field in &declared.fields {
            let Kind::Reference(target, _) = &field.kind else {
                continue;
            };
            let own = target.plugin == manifest.id;
            let known = if own {
                entity(&target.entity)
            } else {
                &*target.plugin == "host" || manifest.requires.iter().any(|id| **id == *target.plugin)
            };
            if !known {
                faults.add(
                    format!("/entities/{at}"),
                    format!(
                        "`{}` refers to {}.{}, which is neither declared here nor of a plugin in `requires`",
                        field.key, target.plugin, target.entity
                    ),
                );
            }
        }
    }
    for (at, action) in manifest.actions.iter().enumerate() {
        let fits = match (action.target, &action.entity) {
            (ActionTarget::Module, None) => true,
            (ActionTarget::Record | ActionTarget::Collection, Some(key)) => entity(key),
            _ => false,
        };
        if !fits || action.verb.is_empty() {
            faults.add(
                format!("/actions/{at}"),
                "names an entity of this manifest (none for target `module`) and a verb",
            );
        }
    }
    check_reports(manifest, faults);
    let mut granted = HashSet::new();
    for (at, grant) in manifest.grants.iter().enumerate() {
        let own = grant.object.split_once('.').is_some_and(|(plugin, _)| plugin == &*manifest.id);
        if !own || grant.actions.is_empty() {
            faults.add(format!("/grants/{at}"), "grants actions, on an object of this plugin");
        }
        for action in &grant.actions {
            if !granted.insert((&grant.role, &grant.object, action, grant.scope)) {
                faults.add(format!("/grants/{at}"), format!("`{action}` is granted twice"));
            }
        }
    }
    for (at, seed) in
        manifest.seed.iter().chain(&manifest.demo).enumerate().filter(|(_, seed)| !entity(&seed.entity))
    {
        faults.add(format!("/seed/{at}"), format!("`{}` is no entity of this manifest", seed.entity));
    }
}

fn check_reports(manifest: &Manifest, faults: &mut Faults) {
    let mut columns: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, report) in manifest.reports.iter().enumerate() {
        *columns.entry(report.key.as_str()).or_default() += 1;
        if report.columns.is_empty() || columns.get(report.key.as_str()) > Some(&1) {
            faults.add(format!("/reports/{at}"), "has a key of its own and at least one column");
        }
        for column in report.columns.iter().filter(|column| super::report::form(column).is_none()) {
            faults.add(
                format!("/reports/{at}"),
                format!("column `{}` has the unknown type `{}`", column.key, column.kind),
            );
        }
    }
}
