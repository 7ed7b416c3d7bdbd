//! The conditions of a document, read once against the modules as the organization has them: validation rules, and when a
//! field needs a value.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value as Json;

use super::Ground;
use super::compile::{Site, rebuilt};
use super::shape::{below, fault};
use crate::clock::UnixMillis;
use crate::records::duplicates::rule::Rule;
use crate::records::error::{Fault, RecordError};
use crate::records::filter::{self, Context};
use crate::records::schema::{Condition, Entity, Kind, Module, Validation};

/// The modules with the conditions of these sites.
pub(super) fn attach(
    ground: &Ground,
    modules: &[Arc<Module>],
    sites: &[Site<'_>],
    now: UnixMillis,
    faults: &mut Vec<Fault>,
) -> Vec<Arc<Module>> {
    let context = Context::rules(modules, &ground.organization, &ground.settings, now);
    let mut changed = Changed::new();
    for site in sites {
        let Some(entity) = site.entity(modules) else { continue };
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
    with(modules, &changed)
}

/// The modules with the matching rules of these sites in the place of those that plugins declare. A rule is judged when all
/// are known: one that looks into another entity needs one there.
pub(super) fn match_by(
    modules: &[Arc<Module>],
    sites: &[Site<'_>],
    faults: &mut Vec<Fault>,
) -> Vec<Arc<Module>> {
    let mut all = Changed::new();
    let mut read: Vec<(&Site<'_>, Vec<(String, Rule)>)> = Vec::new();
    for site in sites {
        let (Some(written), Some(entity)) = (site.duplicates, site.entity(modules)) else { continue };
        let rules = matching(written, &below(&site.at, "duplicates"), faults);
        let mut matched = (*entity).clone();
        matched.duplicates = rules.iter().map(|(_, rule)| rule.clone()).collect();
        all.insert(Arc::clone(&entity.object), Arc::new(matched));
        read.push((site, rules));
    }
    let candidates = with(modules, &all);
    for (site, rules) in read {
        let Some(entity) = site.entity(&candidates) else { continue };
        let good = rules.into_iter().filter(|(at, rule)| {
            let other = rule.against.as_deref().and_then(|object| find(&candidates, object));
            let mut wrong = rule.check(&entity, other.as_deref());
            if rule.against.is_some() && other.is_none() {
                wrong.push(fault("/against", "unknown_entity", "this organization has no such entity"));
            }
            let fine = wrong.is_empty();
            faults.extend(
                wrong.into_iter().map(|fault| Fault { pointer: format!("{at}{}", fault.pointer), ..fault }),
            );
            fine
        });
        let mut matched = (*entity).clone();
        matched.duplicates = good.map(|(_, rule)| rule).collect();
        all.insert(Arc::clone(&entity.object), Arc::new(matched));
    }
    with(modules, &all)
}

/// The rules of a list, each with its place.
fn matching(written: &[Json], at: &str, faults: &mut Vec<Fault>) -> Vec<(String, Rule)> {
    let (mut rules, mut seen) = (Vec::new(), HashSet::new());
    for (index, json) in written.iter().enumerate() {
        let at = format!("{at}/{index}");
        match serde_json::from_value::<Rule>(json.clone()) {
            Ok(rule) if seen.insert(rule.key.clone()) => rules.push((at, rule)),
            Ok(rule) => {
                faults.push(fault(
                    below(&at, "key"),
                    "duplicate_key",
                    format!("another rule is `{}`", rule.key),
                ));
            }
            // What serde says names members and words of this format only, and what was sent.
            Err(error) => {
                let said: String = error.to_string().chars().take(200).collect();
                faults.push(fault(at, "invalid_rule", format!("this is no matching rule: {said}")));
            }
        }
    }
    rules
}

/// Entities by `plugin.entity`.
type Changed = HashMap<Arc<str>, Arc<Entity>>;

fn with(modules: &[Arc<Module>], changed: &Changed) -> Vec<Arc<Module>> {
    let module = |module: &Arc<Module>| {
        if module.entities.iter().all(|entity| !changed.contains_key(&entity.object)) {
            return Arc::clone(module);
        }
        let entities =
            module.entities.iter().map(|entity| changed.get(&entity.object).unwrap_or(entity)).cloned();
        rebuilt(module, entities.collect())
    };
    modules.iter().map(module).collect()
}

fn find(modules: &[Arc<Module>], object: &str) -> Option<Arc<Entity>> {
    let (plugin, key) = object.split_once('.')?;
    modules.iter().find(|module| &*module.plugin == plugin)?.entity(key)
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

    fn rules(&mut self, site: &Site<'_>) -> Vec<Validation> {
        let (mut rules, mut seen) = (Vec::new(), HashSet::new());
        for (index, rule) in site.rules.iter().enumerate() {
            let at = format!("{}/rules/{index}", site.at);
            if !seen.insert(&rule.key) {
                let detail = format!("another rule is `{}`", rule.key);
                self.faults.push(fault(below(&at, "key"), "duplicate_key", detail));
                continue;
            }
            if let Some(field) = rule.field.as_deref().filter(|field| self.entity.attribute(field).is_none())
            {
                let detail = format!("`{field}` is not a field of {}", self.entity.object);
                self.faults.push(fault(below(&at, "field"), "unknown_field", detail));
            }
            let condition = self.condition(&rule.condition, &below(&at, "condition"));
            rules.extend(condition.filter(|_| rule.active).map(|condition| Validation {
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
