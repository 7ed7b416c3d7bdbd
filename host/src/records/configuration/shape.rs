//! The shape of the document: which members stand where and what form they have. Walked by hand, because a parser stops at
//! the first fault and cannot say where it stands; what passes here, serde reads.

use serde_json::Value as Json;

use super::document::{Document, FORMAT};
use crate::records::error::Fault;

/// Longest document, in bytes.
const LONGEST: usize = 1 << 20;
/// Deepest nesting.
const DEPTH: usize = 24;
/// Longest label.
const LABEL: usize = 200;
/// Longest help, message or format.
const TEXT: usize = 2_000;
/// Longest key.
const KEY: usize = 48;
/// Faults that are reported; a document with more is broken as a whole.
const FAULTS: usize = 100;

/// What a member must look like.
#[derive(Clone, Copy)]
pub enum Shape {
    /// `[a-z][a-z0-9_]*`
    Key,
    /// The same, perhaps with `-`: a word in addresses.
    Word,
    /// `plugin.entity`
    Target,
    /// Text of at most so many characters.
    Text(usize),
    /// True or false.
    Flag,
    /// A whole number up to this one.
    Count(u64),
    /// Anything.
    Any,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of such things, at most so many.
    List(&'static Self, usize),
    /// An object with these members; `true`: it must be there.
    Members(&'static [(&'static str, Self, bool)]),
    /// An object of such things under names of the first form.
    Map(&'static Self, &'static Self),
}

const ITEM: Shape = Shape::Members(&[
    ("key", Shape::Key, true),
    ("label", Shape::Text(LABEL), true),
    ("archived", Shape::Flag, false),
]);

const REPLACEMENT: Shape = Shape::Members(&[("from", Shape::Key, true), ("to", Shape::Key, true)]);

/// A shared list of options.
pub const OPTION_SET: Shape = Shape::Members(&[
    ("key", Shape::Key, true),
    ("label", Shape::Text(LABEL), true),
    ("options", Shape::List(&ITEM, 500), false),
    ("replace", Shape::List(&REPLACEMENT, 500), false),
]);

/// A field.
pub const FIELD: Shape = Shape::Members(&[
    ("key", Shape::Key, true),
    ("type", Shape::Key, true),
    ("label", Shape::Text(LABEL), false),
    ("help", Shape::Text(TEXT), false),
    (
        "class",
        Shape::OneOf(&["public", "internal", "personal", "restricted", "sensitive", "special", "secret"]),
        false,
    ),
    ("required", Shape::Flag, false),
    ("required_when", Shape::Any, false),
    ("unique", Shape::Flag, false),
    ("indexed", Shape::Flag, false),
    ("searchable", Shape::Count(10), false),
    ("min", Shape::Any, false),
    ("max", Shape::Any, false),
    ("min_length", Shape::Count(1_000_000), false),
    ("max_length", Shape::Count(1_000_000), false),
    ("scale", Shape::Count(9), false),
    ("format", Shape::Text(40), false),
    ("option_set", Shape::Key, false),
    ("options", Shape::List(&ITEM, 500), false),
    ("references", Shape::Target, false),
    ("inverse", Shape::Key, false),
    ("on_delete", Shape::OneOf(&["restrict", "detach", "cascade"]), false),
    ("default", Shape::Any, false),
    ("archived", Shape::Flag, false),
]);

/// A validation rule.
pub const RULE: Shape = Shape::Members(&[
    ("key", Shape::Key, true),
    ("label", Shape::Text(LABEL), false),
    ("condition", Shape::Any, true),
    ("message", Shape::Text(500), true),
    ("field", Shape::Key, false),
    ("active", Shape::Flag, false),
]);

/// What is added to an entity.
pub const EXTENSION: Shape = Shape::Members(&[
    ("fields", Shape::List(&FIELD, 200), false),
    ("rules", Shape::List(&RULE, 50), false),
    ("required_when", Shape::Map(&Shape::Key, &Shape::Any), false),
    ("duplicates", Shape::List(&Shape::Any, 10), false),
]);

const GRANT: Shape =
    Shape::Members(&[("actions", Shape::List(&Shape::Word, 40), true), ("scope", Shape::Key, true)]);

/// An object of the organization's own.
pub const OBJECT: Shape = Shape::Members(&[
    ("key", Shape::Key, true),
    ("plural", Shape::Word, true),
    ("label", Shape::Text(LABEL), true),
    ("title", Shape::Key, false),
    ("fields", Shape::List(&FIELD, 200), false),
    ("rules", Shape::List(&RULE, 50), false),
    ("duplicates", Shape::List(&Shape::Any, 10), false),
    ("grants", Shape::Map(&Shape::Word, &GRANT), false),
    ("archived", Shape::Flag, false),
]);

const DOCUMENT: Shape = Shape::Members(&[
    ("v", Shape::Count(255), false),
    ("option_sets", Shape::List(&OPTION_SET, 200), false),
    ("entities", Shape::Map(&Shape::Target, &EXTENSION), false),
    ("objects", Shape::List(&OBJECT, 100), false),
]);

/// Reads a document of the right shape.
///
/// # Errors
/// Every fault of its shape, up to a hundred.
pub fn document(json: &Json) -> Result<Document, Vec<Fault>> {
    let document: Document = read(&DOCUMENT, json, "")?;
    if document.v != FORMAT {
        return Err(vec![fault(
            "/v",
            "unknown_format",
            format!("this host reads documents of format {FORMAT}"),
        )]);
    }
    Ok(document)
}

/// Reads a part of a document that stands at `pointer`.
///
/// # Errors
/// Every fault of its shape, up to a hundred.
pub fn read<T: serde::de::DeserializeOwned>(
    shape: &Shape,
    json: &Json,
    pointer: &str,
) -> Result<T, Vec<Fault>> {
    let mut faults = Vec::new();
    if json.to_string().len() > LONGEST {
        faults.push(fault(pointer, "too_long", "the document is longer than 1 MiB"));
        return Err(faults);
    }
    shape.check(json, pointer, 0, &mut faults);
    if faults.is_empty() {
        match serde_json::from_value(without_nulls(json)) {
            Ok(value) => return Ok(value),
            Err(_) => faults.push(fault(pointer, "wrong_type", "this does not have the documented shape")),
        }
    }
    faults.truncate(FAULTS);
    Err(faults)
}

/// A member that is null is a member that is left out. What stands inside of filters and defaults stays as it is.
fn without_nulls(json: &Json) -> Json {
    match json {
        Json::Object(members) => members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| {
                let opaque =
                    matches!(name.as_str(), "condition" | "default" | "required_when" | "duplicates");
                (name.clone(), if opaque { value.clone() } else { without_nulls(value) })
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Json::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

pub(super) fn fault(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Fault {
    Fault { pointer: pointer.into(), code: code.into(), detail: detail.into() }
}

/// The pointer of a member.
#[must_use]
pub fn below(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Whether a text is a key: `[a-z][a-z0-9_]*`, and not too long for a column with a suffix.
#[must_use]
pub fn is_key(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= KEY
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

impl Shape {
    fn check(&self, json: &Json, at: &str, depth: usize, faults: &mut Vec<Fault>) {
        if faults.len() >= FAULTS {
            return;
        }
        if depth > DEPTH {
            faults.push(fault(at, "too_deep", format!("the document nests more than {DEPTH} deep")));
            return;
        }
        match (self, json) {
            (Self::Members(known), Json::Object(members)) => {
                for (name, _, needed) in *known {
                    if *needed && members.get(*name).is_none_or(Json::is_null) {
                        faults.push(fault(below(at, name), "required", format!("`{name}` is required")));
                    }
                }
                for (name, value) in members {
                    match known.iter().find(|(known, _, _)| known == name) {
                        Some((_, shape, _)) if !value.is_null() => {
                            shape.check(value, &below(at, name), depth + 1, faults);
                        }
                        Some(_) => {}
                        None => faults.push(fault(
                            below(at, name),
                            "unknown_field",
                            "no member of this name is known",
                        )),
                    }
                }
            }
            (Self::Map(names, inner), Json::Object(members)) => {
                for (name, value) in members {
                    names.check(&Json::String(name.clone()), &below(at, name), depth + 1, faults);
                    inner.check(value, &below(at, name), depth + 1, faults);
                }
            }
            (Self::List(inner, most), Json::Array(items)) => {
                if items.len() > *most {
                    faults.push(fault(at, "too_many", format!("at most {most} can stand here")));
                    return;
                }
                for (index, item) in items.iter().enumerate() {
                    inner.check(item, &format!("{at}/{index}"), depth + 1, faults);
                }
            }
            (Self::Any, _) => depth_of(json, at, depth, faults),
            (shape, value) => faults.extend(shape.plain(value, at)),
        }
    }

    /// What is wrong with a value that has no parts.
    fn plain(&self, json: &Json, at: &str) -> Option<Fault> {
        let wrong = |what: &str| Some(fault(at, "wrong_type", format!("must be {what}")));
        match (self, json) {
            (Self::Key, Json::String(text)) if is_key(text) => None,
            (Self::Word, Json::String(text)) if is_key(&text.replace('-', "_")) => None,
            (Self::Target, Json::String(text))
                if text.split_once('.').is_some_and(|(plugin, entity)| is_key(plugin) && is_key(entity)) =>
            {
                None
            }
            (Self::OneOf(words), Json::String(text)) if words.contains(&text.as_str()) => None,
            (Self::OneOf(words), _) => {
                Some(fault(at, "not_an_option", format!("one of {}", words.join(", "))))
            }
            (Self::Key, Json::String(_)) => {
                Some(fault(at, "invalid_key", format!("a key is [a-z][a-z0-9_]*, {KEY} characters at most")))
            }
            (Self::Word, Json::String(_)) => Some(fault(
                at,
                "invalid_key",
                format!(
                    "a word is a lower-case letter and then letters, digits, `-` or `_`, {KEY} characters at most"
                ),
            )),
            (Self::Target, Json::String(_)) => {
                Some(fault(at, "invalid_key", "this is written `plugin.entity`"))
            }
            (Self::Text(most), Json::String(text)) => text_fault(text, *most, at),
            (Self::Flag, Json::Bool(_)) => None,
            (Self::Count(most), Json::Number(number))
                if number.as_u64().is_some_and(|count| count <= *most) =>
            {
                None
            }
            (Self::Count(most), _) => wrong(&format!("a whole number from 0 to {most}")),
            (Self::Flag, _) => wrong("true or false"),
            (Self::List(..), _) => wrong("a list"),
            (Self::Members(_) | Self::Map(..), _) => wrong("a JSON object"),
            _ => wrong("a text"),
        }
    }
}

fn text_fault(text: &str, most: usize, at: &str) -> Option<Fault> {
    let length = text.chars().count();
    if text.trim().is_empty() {
        return Some(fault(at, "required", "this text must not be empty; leave the member out instead"));
    }
    if length > most {
        return Some(fault(at, "too_long", format!("at most {most} characters, these are {length}")));
    }
    // Characters that reorder what stands beside them make one label look like another.
    let odd = |sign: char| {
        (sign.is_control() && sign != '\n')
            || matches!(sign, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().any(odd).then(|| fault(at, "control_character", "control characters are not allowed"))
}

fn depth_of(json: &Json, at: &str, depth: usize, faults: &mut Vec<Fault>) {
    if depth > DEPTH {
        faults.push(fault(at, "too_deep", format!("the document nests more than {DEPTH} deep")));
        return;
    }
    match json {
        Json::Array(items) => items.iter().for_each(|item| depth_of(item, at, depth + 1, faults)),
        Json::Object(members) => members.values().for_each(|item| depth_of(item, at, depth + 1, faults)),
        _ => {}
    }
}
