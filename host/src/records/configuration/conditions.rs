//! The conditions of a document, read once against the modules as the organization has them: validation rules, and when a
//! field needs a value.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value as Json;

use super::Ground;
use super::compile::Site;
use super::shape::{below, fault};
use crate::clock::UnixMillis;
use crate::records::error::{Fault, RecordError};
use crate::records::filter::{self, Context};
use crate::records::schema::{Condition, Entity, Kind, Module, Rule};

/// The modules with the conditions of these sites.
pub(super) fn attach(
    ground: &Ground,
    modules: &[Arc<Module>],
    sites: &[Site<'_>],
    now: UnixMillis,
    faults: &mut Vec<Fault>,
) -> Vec<Arc<Module>> {
    let context = Context::rules(modules, &ground.organization, &ground.settings, now);
    let mut changed: HashMap<Arc<str>, Arc<Entity>> = HashMap::new();
    for site in sites {
        let module = modules.iter().find(|module| module.plugin == site.plugin);
        let Some(entity) = module.and_then(|module| module.entity(&site.entity)) else { continue };
        let mut reading = Reading { context: &context, entity: &entity, faults };
        let (rules, needed) = (reading.rules(site), reading.needed(site));
        if rules.is_empty() && needed.is_empty() {
            continue;
        }
        let mut ruled = (*entity).clone();
        ruled.rules = rules.into();
        for field in &mut ruled.fields {
            field.required_when = needed.get(&*field.key).cloned();
        }
        changed.insert(Arc::clone(&entity.object), Arc::new(ruled));
    }
    let ruled = |module: &Arc<Module>| {
        if module.entities.iter().all(|entity| !changed.contains_key(&entity.object)) {
            return Arc::clone(module);
        }
        let entities = module.entities.iter().map(|entity| changed.get(&entity.object).unwrap_or(entity)).cloned();
        Arc::new(Module { entities: entities.collect(), ..(**module).clone() })
    };
    modules.iter().map(ruled).collect()
}

struct Reading<'r> {
    context: &'r Context<'r>,
    entity: &'r Entity,
    faults: &'r mut Vec<Fault>,
}

impl Reading<'_> {
    fn condition(&mut self, json: &Json, at: &str) -> Option<Condition> {
        match filter::parse_json(self.context, self.entity, json) {
            Ok(filter) => Some(Condition(filter)),
            Err(RecordError::BadRequest { code, detail }) => {
                self.faults.push(fault(at, code, detail));
                None
            }
            Err(error) => {
                self.faults.push(fault(at, "invalid_filter", error.to_string()));
                None
            }
        }
    }

    fn rules(&mut self, site: &Site<'_>) -> Vec<Rule> {
        let (mut rules, mut seen) = (Vec::new(), HashSet::new());
        for (index, rule) in site.rules.iter().enumerate() {
            let at = format!("{}/rules/{index}", site.at);
            if !seen.insert(&rule.key) {
                let detail = format!("another rule is `{}`", rule.key);
                self.faults.push(fault(below(&at, "key"), "duplicate_key", detail));
                continue;
            }
            if let Some(field) = rule.field.as_deref().filter(|field| self.entity.attribute(field).is_none()) {
                let detail = format!("`{field}` is not a field of {}", self.entity.object);
                self.faults.push(fault(below(&at, "field"), "unknown_field", detail));
            }
            let condition = self.condition(&rule.condition, &below(&at, "condition"));
            rules.extend(condition.filter(|_| rule.active).map(|condition| Rule {
                key: rule.key.as_str().into(),
                field: rule.field.as_deref().map(Into::into),
                message: rule.message.clone(),
                condition,
            }));
        }
        rules
    }

    /// When which field needs a value.
    fn needed(&mut self, site: &Site<'_>) -> HashMap<String, Arc<Condition>> {
        let mut needed = HashMap::new();
        for (index, field) in site.fields.iter().enumerate().filter(|(_, field)| !field.archived) {
            let Some(json) = &field.required_when else { continue };
            let at = format!("{}/fields/{index}/required_when", site.at);
            let condition = self.condition(json, &at).map(Arc::new);
            needed.extend(condition.map(|condition| (field.key.clone(), condition)));
        }
        for (key, json) in site.required_when.into_iter().flatten() {
            let at = below(&below(&site.at, "required_when"), key);
            match self.entity.field(key) {
                Some(field) if field.custom => {
                    let detail = "this is your own field: say `required_when` in the field itself";
                    self.faults.push(fault(at, "own_field", detail));
                }
                Some(field) if !field.read_only && !matches!(field.kind, Kind::AutoNumber(_)) => {
                    let condition = self.condition(json, &at).map(Arc::new);
                    needed.extend(condition.map(|condition| (key.clone(), condition)));
                }
                _ => {
                    let detail = format!("`{key}` is no field of {} that people write", self.entity.object);
                    self.faults.push(fault(at, "unknown_field", detail));
                }
            }
        }
        needed
    }
}
