//! What a plugin declares about itself, read from its package. A manifest that does not validate is refused with every
//! fault that can be found, not the first.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use super::declaration::{self, Action, ActionTarget, GrantDeclaration, Report, Seed, Setting};
use super::entity::{ENTITY, entity};
use super::limits::Limits;
use super::reading::{Faults, Part, is_key};
use super::views;
use crate::records::schema::{Entity, Module, Published, Reading};

/// The manifest format that this host reads.
const FORMAT: u64 = 1;
/// The contract that this host offers: any `1.x` manifest.
const CONTRACT: &str = "1.";
/// Ids that no plugin can have: the host's own files and areas of the API.
const RESERVED: &[&str] = &[
    "api",
    "audit",
    "auth",
    "authz",
    "configuration",
    "custom",
    "duplicates",
    "events",
    "exports",
    "files",
    "grants",
    "host",
    "identity",
    "imports",
    "jobs",
    "me",
    "merges",
    "modules",
    "organization",
    "platform",
    "policies",
    "policy",
    "privacy",
    "roles",
    "search",
    "settings",
    "teams",
    "users",
    "views",
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
    pub version: Arc<str>,
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
    /// What one call may use.
    pub limits: Limits,
}

/// What the parts of a manifest may refer to.
pub(super) struct Around {
    /// The plugin's id.
    pub(super) plugin: String,
    /// The keys of its entities, whatever else is wrong with them.
    pub(super) entities: HashSet<String>,
    /// The plugins that it requires.
    requires: Vec<String>,
}

impl Around {
    /// Whether fields may refer to entities of this other plugin.
    pub(super) fn reaches(&self, plugin: &str) -> bool {
        self.requires.iter().any(|required| required == plugin)
    }

    /// Whether policies may be asked about this object: an entity, or the module as a whole.
    pub(super) fn owns(&self, object: &str) -> bool {
        let named = object.split_once('.').filter(|(plugin, _)| *plugin == self.plugin);
        named.is_some_and(|(_, key)| key == "module" || self.entities.contains(key))
    }
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
    "views",
    "reads",
    "limits",
];

impl Manifest {
    /// Reads and checks a manifest by itself.
    ///
    /// # Errors
    /// Every fault.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<ManifestFault>> {
        Self::parse_among(bytes, None)
    }

    /// Reads and checks a manifest that will run beside the plugins with these ids.
    ///
    /// # Errors
    /// Every fault.
    pub(super) fn parse_among(
        bytes: &[u8],
        installed: Option<&HashSet<String>>,
    ) -> Result<Self, Vec<ManifestFault>> {
        let faults = Faults::default();
        let json: Json = serde_json::from_slice(bytes).unwrap_or_default();
        let manifest =
            Part::of(String::new(), &json, MEMBERS, &faults).map(|root| assemble(&root, bytes, installed));
        let faults = faults.into_list();
        manifest.filter(|_| faults.is_empty()).ok_or(faults)
    }

    /// The views that it lets other plugins read.
    #[must_use]
    pub fn views(&self) -> &[Published] {
        &self.records.between.published
    }

    /// The views of other plugins that it asks to read: what an organization consents to.
    #[must_use]
    pub fn reads(&self) -> &[Reading] {
        &self.records.between.reads
    }

    /// The action with this verb on the entity (`None`: the module) and target.
    #[must_use]
    pub fn action(&self, entity: Option<&str>, target: ActionTarget, verb: &str) -> Option<&Action> {
        self.actions.iter().find(|action| {
            action.verb == verb && action.target == target && action.entity.as_deref() == entity
        })
    }
}

/// Whether a plugin can be called so: a lower-case key that the host does not use itself.
pub(crate) fn is_plugin_id(text: &str) -> bool {
    is_key(text) && !RESERVED.contains(&text)
}

/// The id that a manifest states, whatever else is wrong with it.
pub(super) fn stated_id(bytes: &[u8]) -> Option<String> {
    let json: Json = serde_json::from_slice(bytes).ok()?;
    json.get("id")?.as_str().map(str::to_owned)
}

fn assemble(root: &Part<'_>, bytes: &[u8], installed: Option<&HashSet<String>>) -> Manifest {
    if root.json("v").and_then(Json::as_u64) != Some(FORMAT) {
        root.fault("v", format!("this host reads manifests of format {FORMAT}"));
    }
    let id = root.such("id", is_plugin_id, "a lower-case key that the host does not use itself");
    root.such("contract", offered, &format!("a version of the contract that this host offers: {CONTRACT}x"));
    let permissions = root.words("permissions", |word| PERMISSIONS.iter().find(|known| **known == word));
    let requires = root.words("requires", |plugin| {
        let there = is_key(plugin) && installed.is_none_or(|all| all.contains(plugin));
        there.then(|| plugin.to_owned())
    });
    let declared = root.parts("entities", ENTITY);
    let around = Around {
        plugin: id.unwrap_or_default().to_owned(),
        entities: declared.iter().filter_map(|part| part.text("key")).map(str::to_owned).collect(),
        requires,
    };
    let entities = entities(&declared, &around);
    let module = root.json("module").and_then(|_| {
        root.such("module", is_key, "a lower-case key, or null for a base plugin, which is always on")
    });
    let version: Arc<str> =
        root.such("version", is_version, "a semantic version, as in 1.0.0").unwrap_or_default().into();
    Manifest {
        id: around.plugin.as_str().into(),
        name: root.needed("name").to_owned(),
        module: module.map(str::to_owned),
        records: Arc::new(Module {
            plugin: around.plugin.as_str().into(),
            tables: Arc::new(entities.iter().map(|entity| entity.key.to_string()).collect()),
            between: views::between(root, &around, &entities),
            entities,
            version: Arc::clone(&version),
            private: declaration::steps(root),
            fingerprint: fingerprint(bytes),
            may_act_as_plugin: !permissions.is_empty(),
        }),
        actions: declaration::actions(root, &around),
        reports: declaration::reports(root, &around),
        grants: declaration::grants(root, &around),
        settings: declaration::settings(root),
        seed: declaration::seeds(root, "seed", &around),
        demo: declaration::seeds(root, "demo", &around),
        limits: Limits::read(root),
        requires: around.requires,
        version,
    }
}

fn entities(declared: &[Part<'_>], around: &Around) -> Vec<Arc<Entity>> {
    let (mut keys, mut plurals) = (HashSet::new(), HashSet::new());
    for part in declared {
        for (member, seen) in [("key", &mut keys), ("plural", &mut plurals)] {
            if part.text(member).is_some_and(|word| !seen.insert(word)) {
                part.fault(member, "another entity has this word");
            }
        }
    }
    declared.iter().filter_map(|part| entity(part, around).map(Arc::new)).collect()
}

fn fingerprint(bytes: &[u8]) -> Arc<str> {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `1.` and a number.
fn offered(contract: &str) -> bool {
    contract.strip_prefix(CONTRACT).is_some_and(is_number)
}

/// As <https://semver.org> has it: by it one version is newer than another.
fn is_version(text: &str) -> bool {
    semver::Version::parse(text).is_ok()
}
