//! From the document to the modules that the organization works with: the declared ones with its fields and rules, and the
//! one of its own objects. What does not fit is left out and reported; so an organization whose plugin dropped a field that
//! a rule names can still work, and a draft with the same fault is not published.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use super::Ground;
use super::document::{Document, Extension, FieldDocument, Object, RuleDocument};
use super::fields::{Reading, Targets, doubles, is_own};
use super::shape::{below, fault};
use super::{conditions, names};
use crate::clock::UnixMillis;
use crate::policy::Grant;
use crate::records::error::Fault;
use crate::records::schema::{CUSTOM_MODULE, Entity, Field, Kind, Module, Operations, Parts, Target};

/// The modules as the organization has them, the rights on its own objects, and what does not fit.
pub struct Compiled {
    /// Every module that the organization may use.
    pub modules: Arc<[Arc<Module>]>,
    /// Rights on the organization's own objects.
    pub grants: Vec<Grant>,
    /// What was left out, with its place in the document.
    pub faults: Vec<Fault>,
}

/// An entity that the document says something about.
pub(super) struct Site<'d> {
    pub(super) plugin: Arc<str>,
    pub(super) entity: Arc<str>,
    pub(super) at: String,
    pub(super) fields: &'d [FieldDocument],
    pub(super) rules: &'d [RuleDocument],
    pub(super) required_when: Option<&'d BTreeMap<String, Json>>,
    pub(super) duplicates: Option<&'d [Json]>,
}

impl Site<'_> {
    /// The entity among these modules.
    pub(super) fn entity(&self, modules: &[Arc<Module>]) -> Option<Arc<Entity>> {
        modules.iter().find(|module| module.plugin == self.plugin)?.entity(&self.entity)
    }
}

/// Makes the modules. `before` is what is in force: what stands there already may refer to modules whose licence ended.
#[must_use]
pub fn compile(ground: &Ground, document: &Document, before: &Document, now: UnixMillis) -> Compiled {
    let mut making = Making::new(ground, document, before);
    making.option_sets();
    let (mut modules, mut sites) = making.declared();
    if let Some((module, own)) = making.own() {
        modules.push(module);
        sites.extend(own);
    }
    names::inverses(&modules, &sites, &mut making.faults);
    let modules = conditions::match_by(&modules, &sites, &mut making.faults);
    let modules = conditions::attach(ground, &modules, &sites, now, &mut making.faults);
    let grants = names::grants(document);
    Compiled { modules: modules.into(), grants, faults: making.faults }
}

struct Making<'d> {
    ground: &'d Ground,
    document: &'d Document,
    before: &'d Document,
    /// `plugin.entity` of all entities that can be referred to.
    known: HashSet<String>,
    faults: Vec<Fault>,
}

/// What the fields of one entity may refer to.
struct Known<'d> {
    names: &'d HashSet<String>,
    before: &'d [FieldDocument],
}

impl Targets for Known<'_> {
    fn knows(&self, target: &Target, field: &FieldDocument) -> bool {
        let name = format!("{}.{}", target.plugin, target.entity);
        matches!(name.as_str(), "host.user" | "host.team")
            || self.names.contains(&name)
            || self.before.iter().any(|old| old.key == field.key && old.references == field.references)
    }
}

impl<'d> Making<'d> {
    fn new(ground: &'d Ground, document: &'d Document, before: &'d Document) -> Self {
        let declared = ground.declared.iter().flat_map(|module| &module.entities);
        let own = document.objects.iter().filter(|object| !object.archived);
        let known = declared
            .map(|entity| entity.object.to_string())
            .chain(own.map(|object| format!("{CUSTOM_MODULE}.{}", object.key)))
            .collect();
        Self { ground, document, before, known, faults: Vec::new() }
    }

    fn option_sets(&mut self) {
        let mut seen = HashSet::new();
        for (index, set) in self.document.option_sets.iter().enumerate() {
            let at = format!("/option_sets/{index}");
            if !seen.insert(&set.key) {
                let detail = format!("another option set is `{}`", set.key);
                self.faults.push(fault(below(&at, "key"), "duplicate_key", detail));
            }
            self.faults.extend(doubles(&set.options, &below(&at, "options")));
            self.faults.extend(names::replacements(set, &at));
        }
    }

    /// The declared modules with what is added to their entities.
    fn declared(&mut self) -> (Vec<Arc<Module>>, Vec<Site<'d>>) {
        let mut sites = Vec::new();
        let mut extended: HashMap<&str, Arc<Entity>> = HashMap::new();
        for (object, extension) in &self.document.entities {
            let at = below("/entities", object);
            let Some(entity) = self.entity(object, &at) else { continue };
            let before = self.before.entities.get(object).map_or(&[][..], |extension| &extension.fields);
            let taken = entity.columns().collect();
            let fields = self.fields(&entity.plugin, &extension.fields, before, &at, taken);
            extended.insert(object, Arc::new(entity.with_fields(fields)));
            sites.push(site(&entity, extension, at));
        }
        let modules = self.ground.declared.iter().map(|module| {
            let touched = module.entities.iter().any(|entity| extended.contains_key(&*entity.object));
            if !touched {
                return Arc::clone(module);
            }
            let entities =
                module.entities.iter().map(|entity| extended.get(&*entity.object).unwrap_or(entity)).cloned();
            rebuilt(module, entities.collect())
        });
        (modules.collect(), sites)
    }

    /// The declared entity that is added to.
    fn entity(&mut self, object: &str, at: &str) -> Option<Arc<Entity>> {
        let (plugin, key) = object.split_once('.')?;
        let module = self.ground.declared.iter().find(|module| &*module.plugin == plugin);
        let found = module.and_then(|module| module.entity(key));
        if found.is_none() && self.before.entities.get(object) != self.document.entities.get(object) {
            let (code, detail) = if is_own(plugin) {
                ("own_object", "the fields and rules of your own objects stand under `objects`".to_owned())
            } else {
                (
                    "unknown_entity",
                    format!("this organization has no `{object}` now; its modules are at /api/v1/modules"),
                )
            };
            self.faults.push(fault(at, code, detail));
        }
        found
    }

    /// The module of the organization's own objects; `None` while it has none in use.
    fn own(&mut self) -> Option<(Arc<Module>, Vec<Site<'d>>)> {
        let (mut entities, mut sites) = (Vec::new(), Vec::new());
        let (mut keys, mut plurals) = (HashSet::new(), HashSet::new());
        for (index, object) in self.document.objects.iter().enumerate() {
            let at = format!("/objects/{index}");
            self.faults.extend(names::object(object, &at, &mut keys, &mut plurals));
            if object.archived {
                continue;
            }
            let before = self.before.objects.iter().find(|old| old.key == object.key);
            let before = before.map_or(&[][..], |old| &old.fields);
            let taken = names::system();
            let fields = self.fields(CUSTOM_MODULE, &object.fields, before, &at, taken);
            if let Some(title) = object.title.as_deref().filter(|title| !titles(&fields, title)) {
                let detail = format!("`{title}` is no text field of this object");
                self.faults.push(fault(below(&at, "title"), "unknown_field", detail));
            }
            let entity = own_entity(object, fields);
            sites.push(own_site(&entity, object, at));
            entities.push(entity);
        }
        if entities.is_empty() {
            return None;
        }
        let module = Module {
            plugin: CUSTOM_MODULE.into(),
            version: "".into(),
            tables: Arc::new(entities.iter().map(|entity| entity.key.to_string()).collect()),
            entities: Vec::new(),
            private: Vec::new(),
            fingerprint: "".into(),
            may_act_as_plugin: false,
            between: crate::records::schema::Between::default(),
        };
        Some((rebuilt(&module, entities), sites))
    }

    /// The fields that are in use and well formed. `taken` are the columns that the table has besides.
    fn fields(
        &mut self,
        module: &str,
        written: &[FieldDocument],
        before: &[FieldDocument],
        at: &str,
        mut taken: HashSet<String>,
    ) -> Vec<Field> {
        let mut fields = Vec::new();
        for (index, field) in written.iter().enumerate() {
            let at = format!("{at}/fields/{index}");
            let clear = names::field(field, module, &at, &mut taken, &mut self.faults);
            if field.archived {
                continue;
            }
            let targets = Known { names: &self.known, before };
            let mut reading =
                Reading { document: self.document, module, targets: &targets, at, faults: Vec::new() };
            let read = reading.field(field);
            self.faults.append(&mut reading.faults);
            fields.extend(read.filter(|_| clear));
        }
        if taken.len() > names::COLUMNS {
            let most = names::COLUMNS;
            let detail = format!(
                "with these fields (money takes two columns, archived ones count) the table has more than {most} columns"
            );
            self.faults.push(fault(below(at, "fields"), "too_many", detail));
        }
        fields
    }
}

fn titles(fields: &[Field], title: &str) -> bool {
    fields.iter().any(|field| {
        &*field.key == title
            && matches!(field.kind, Kind::Text | Kind::Email | Kind::Phone | Kind::Url | Kind::AutoNumber(_))
    })
}

fn site<'d>(entity: &Entity, extension: &'d Extension, at: String) -> Site<'d> {
    Site {
        plugin: Arc::clone(&entity.plugin),
        entity: Arc::clone(&entity.key),
        at,
        fields: &extension.fields,
        rules: &extension.rules,
        required_when: Some(&extension.required_when),
        duplicates: extension.duplicates.as_deref(),
    }
}

fn own_site<'d>(entity: &Entity, object: &'d Object, at: String) -> Site<'d> {
    Site {
        plugin: Arc::clone(&entity.plugin),
        entity: Arc::clone(&entity.key),
        at,
        fields: &object.fields,
        rules: &object.rules,
        required_when: None,
        duplicates: object.duplicates.as_deref(),
    }
}

fn own_entity(object: &Object, fields: Vec<Field>) -> Arc<Entity> {
    let parts = Parts {
        key: object.key.clone(),
        plural: object.plural.clone(),
        label: object.label.clone(),
        title: object.title.clone(),
        fields,
        hooks: HashSet::new(),
        operations: Operations { create: true, update: true, delete: true },
        duplicates: Vec::new(),
    };
    Arc::new(Entity::new(CUSTOM_MODULE, parts))
}

/// The module with these entities, and a fingerprint that says so.
pub(super) fn rebuilt(module: &Module, entities: Vec<Arc<Entity>>) -> Arc<Module> {
    let mut digest = Sha256::new_with_prefix(module.fingerprint.as_bytes());
    for entity in &entities {
        digest.update(format!("{} {:?}\n", entity.key, entity.duplicates));
        for field in &entity.fields {
            let Field { key, kind, unique, indexed, searchable, .. } = field;
            digest.update(format!("{key} {kind:?} {unique} {indexed} {searchable}\n"));
        }
    }
    let fingerprint: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Arc::new(Module { entities, fingerprint: fingerprint.into(), ..module.clone() })
}
