//! Single changes of a draft: a field, a rule, an object, an option set. Each reads its part strictly; what it means among
//! the others is asked when the draft is checked or published.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::document::{Document, FieldDocument, Item, Object, OptionSet, Replacement, RuleDocument};
use super::shape::{self, EXTENSION, FIELD, OBJECT, OPTION_SET, RULE, Shape};
use crate::records::error::{Fault, RecordError};
use crate::records::schema::CUSTOM_MODULE;

type Edited = Result<(), RecordError>;

fn refused(member: &str, code: &'static str, detail: String) -> RecordError {
    RecordError::Invalid(vec![Fault::at(member, code, detail)])
}

fn read<T: DeserializeOwned>(shape: &Shape, json: &Json) -> Result<T, RecordError> {
    shape::read(shape, json, "").map_err(RecordError::Invalid)
}

/// Something that has a key.
trait Keyed {
    fn key(&self) -> &str;
}

macro_rules! keyed {
    ($($kind:ty),*) => { $(impl Keyed for $kind { fn key(&self) -> &str { &self.key } })* };
}
keyed!(FieldDocument, RuleDocument, Object, OptionSet, Item);

fn add<T: Keyed>(list: &mut Vec<T>, item: T) -> Edited {
    if list.iter().any(|other| other.key() == item.key()) {
        return Err(refused("key", "duplicate_key", format!("there is a `{}` already", item.key())));
    }
    list.push(item);
    Ok(())
}

fn find<'l, T: Keyed>(list: &'l mut [T], key: &str) -> Result<&'l mut T, RecordError> {
    list.iter_mut().find(|item| item.key() == key).ok_or(RecordError::NotFound)
}

/// Merges members into a part as JSON Merge Patch (RFC 7396) says, and reads it anew.
fn merge<T: Keyed + Serialize + DeserializeOwned>(part: &mut T, patch: &Json, shape: &Shape) -> Edited {
    let mut json = serde_json::to_value(&*part).unwrap_or_default();
    let (Some(members), Some(changes)) = (json.as_object_mut(), patch.as_object()) else {
        return Err(refused("", "wrong_type", "send a JSON object with the members that change".into()));
    };
    for (name, value) in changes {
        // Filters and lists are replaced as a whole: a filter half of which is an older one means nothing.
        match value {
            Json::Null => drop(members.remove(name)),
            value => drop(members.insert(name.clone(), value.clone())),
        }
    }
    let merged: T = read(shape, &json)?;
    if merged.key() != part.key() {
        let detail = format!("a key never changes; this is `{}`", part.key());
        return Err(refused("key", "immutable", detail));
    }
    *part = merged;
    Ok(())
}

/// The fields of an entity: `plugin.entity`, or `custom.object`. The entity need not be there yet.
fn fields<'d>(document: &'d mut Document, object: &str) -> Result<&'d mut Vec<FieldDocument>, RecordError> {
    Ok(match own(object) {
        Some(key) => &mut find(&mut document.objects, key)?.fields,
        None => &mut document.entities.entry(named(object)?).or_default().fields,
    })
}

fn rules<'d>(document: &'d mut Document, object: &str) -> Result<&'d mut Vec<RuleDocument>, RecordError> {
    Ok(match own(object) {
        Some(key) => &mut find(&mut document.objects, key)?.rules,
        None => &mut document.entities.entry(named(object)?).or_default().rules,
    })
}

fn own(object: &str) -> Option<&str> {
    object.strip_prefix(CUSTOM_MODULE)?.strip_prefix('.')
}

fn named(object: &str) -> Result<String, RecordError> {
    let good =
        object.split_once('.').is_some_and(|(plugin, key)| shape::is_key(plugin) && shape::is_key(key));
    if good { Ok(object.to_owned()) } else { Err(RecordError::NotFound) }
}

/// Adds a field.
///
/// # Errors
/// Its shape, or its key is taken.
pub fn add_field(document: &mut Document, object: &str, json: &Json) -> Edited {
    let field = read(&FIELD, json)?;
    add(fields(document, object)?, field)
}

/// Changes a field.
///
/// # Errors
/// There is none, or its shape.
pub fn change_field(document: &mut Document, object: &str, key: &str, patch: &Json) -> Edited {
    merge(find(fields(document, object)?, key)?, patch, &FIELD)
}

/// Takes a field out of use: out of the draft, when it was never in force, else it is archived.
///
/// # Errors
/// There is none.
pub fn archive_field(document: &mut Document, in_force: &Document, object: &str, key: &str) -> Edited {
    let old = match own(object) {
        Some(own) => in_force.objects.iter().find(|object| object.key == own).map(|object| &object.fields),
        None => in_force.entities.get(object).map(|extension| &extension.fields),
    };
    let stays = old.is_some_and(|old| old.iter().any(|field| field.key == key));
    let fields = fields(document, object)?;
    find(fields, key)?.archived = true;
    if !stays {
        fields.retain(|field| field.key != key);
    }
    Ok(())
}

/// Adds a rule.
///
/// # Errors
/// Its shape, or its key is taken.
pub fn add_rule(document: &mut Document, object: &str, json: &Json) -> Edited {
    let rule = read(&RULE, json)?;
    add(rules(document, object)?, rule)
}

/// Changes a rule.
///
/// # Errors
/// There is none, or its shape.
pub fn change_rule(document: &mut Document, object: &str, key: &str, patch: &Json) -> Edited {
    merge(find(rules(document, object)?, key)?, patch, &RULE)
}

/// Removes a rule: nothing is stored under its key.
///
/// # Errors
/// There is none.
pub fn remove_rule(document: &mut Document, object: &str, key: &str) -> Edited {
    let rules = rules(document, object)?;
    let before = rules.len();
    rules.retain(|rule| rule.key != key);
    if rules.len() == before { Err(RecordError::NotFound) } else { Ok(()) }
}

/// Changes what is said of an entity as a whole: `required_when`, `duplicates`.
///
/// # Errors
/// Its shape, or it is an object of the organization's own.
pub fn change_entity(document: &mut Document, object: &str, patch: &Json) -> Edited {
    let extension = document.entities.entry(named(object)?).or_default();
    let mut json = serde_json::to_value(&*extension).unwrap_or_default();
    let (Some(members), Some(changes)) = (json.as_object_mut(), patch.as_object()) else {
        return Err(refused("", "wrong_type", "send a JSON object with the members that change".into()));
    };
    for (name, value) in changes {
        match value {
            Json::Null => drop(members.remove(name)),
            value => drop(members.insert(name.clone(), value.clone())),
        }
    }
    *extension = read(&EXTENSION, &json)?;
    Ok(())
}

/// Adds an object.
///
/// # Errors
/// Its shape, or its key is taken.
pub fn add_object(document: &mut Document, json: &Json) -> Edited {
    let object = read(&OBJECT, json)?;
    add(&mut document.objects, object)
}

/// Changes an object.
///
/// # Errors
/// There is none, or its shape.
pub fn change_object(document: &mut Document, key: &str, patch: &Json) -> Edited {
    merge(find(&mut document.objects, key)?, patch, &OBJECT)
}

/// Takes an object out of use: out of the draft, when it was never in force, else it is archived.
///
/// # Errors
/// There is none.
pub fn archive_object(document: &mut Document, in_force: &Document, key: &str) -> Edited {
    find(&mut document.objects, key)?.archived = true;
    if in_force.objects.iter().all(|object| object.key != key) {
        document.objects.retain(|object| object.key != key);
    }
    Ok(())
}

/// Adds an option set.
///
/// # Errors
/// Its shape, or its key is taken.
pub fn add_option_set(document: &mut Document, json: &Json) -> Edited {
    let set = read(&OPTION_SET, json)?;
    add(&mut document.option_sets, set)
}

/// Changes an option set. Options are matched by their keys: those that are named change or are added, the others stay.
///
/// # Errors
/// There is none, or its shape.
pub fn change_option_set(document: &mut Document, key: &str, patch: &Json) -> Edited {
    let set = find(&mut document.option_sets, key)?;
    let mut patch = patch.clone();
    if let Some(options) = patch.get_mut("options") {
        let items: Vec<Json> = options.as_array().cloned().unwrap_or_default();
        let known = set.options.iter().map(|item| {
            let mut json = serde_json::to_value(item).unwrap_or_default();
            let named =
                items.iter().find(|other| other.get("key") == json.get("key")).and_then(Json::as_object);
            if let (Some(members), Some(changes)) = (json.as_object_mut(), named) {
                members.extend(changes.clone());
            }
            json
        });
        let new = items.iter().filter(|item| {
            let key = item.get("key").and_then(Json::as_str);
            set.options.iter().all(|known| Some(known.key.as_str()) != key)
        });
        if options.is_array() {
            *options = known.chain(new.cloned()).collect();
        }
    }
    merge(set, &patch, &OPTION_SET)
}

/// Has every record that holds one option get another when the draft is published, and archives the one.
///
/// # Errors
/// There is no such set or option, or the new one is archived.
pub fn replace_option(document: &mut Document, key: &str, from: &str, to: &str) -> Edited {
    let set = find(&mut document.option_sets, key)?;
    let known = |option: &str| set.options.iter().find(|item| item.key == option);
    for (member, option) in [("from", from), ("to", to)] {
        if known(option).is_none() {
            return Err(refused(member, "unknown_option", format!("`{option}` is no option of `{key}`")));
        }
    }
    if from == to || known(to).is_some_and(|item| item.archived) {
        return Err(refused("to", "archived_option", "name another option, one that is not archived".into()));
    }
    if set.replace.iter().any(|other| other.to == from) {
        let detail = format!("another option is to become `{from}`; change that first");
        return Err(refused("from", "option_in_use", detail));
    }
    set.replace.retain(|other| other.from != from);
    set.replace.push(Replacement { from: from.to_owned(), to: to.to_owned() });
    set.options.iter_mut().filter(|item| item.key == from).for_each(|item| item.archived = true);
    Ok(())
}
