//! One entity of a manifest: from its declared form to what the record engine works with.

use std::collections::HashSet;

use serde::Deserialize as _;
use serde_json::Value as Json;

use super::manifest::Around;
use super::reading::{Part, is_key, is_word};
use crate::policy::Label;
use crate::records::duplicates::rule::{self, Rule};
use crate::records::input;
use crate::records::json::json_key;
use crate::records::money::parse_scaled;
use crate::records::number;
use crate::records::schema::{
    CUSTOM, Choice, Entity, Field, Kind, OnDelete, Operations, Parts, SYSTEM_COLUMNS, Target,
};
use crate::records::tx::Hook;

/// Characters of a text field that names no limit.
const TEXT: usize = 255;
/// Characters of a text with paragraphs that names no limit.
const RICH_TEXT: usize = 100_000;
/// Most places of a decimal.
const SCALE: usize = 9;
/// Heaviest weight in full-text search.
const HEAVIEST: u8 = 10;

/// The members of an entity. `subject` is for the privacy module to come; a manifest may already state it.
pub(super) const ENTITY: &[&str] =
    &["key", "plural", "label", "title", "subject", "fields", "hooks", "operations", "duplicates"];

/// The members of a field.
const FIELD: &[&str] = &[
    "key",
    "type",
    "required",
    "unique",
    "indexed",
    "searchable",
    "read_only",
    "min",
    "max",
    "min_length",
    "max_length",
    "scale",
    "options",
    "references",
    "inverse",
    "format",
    "on_delete",
    "default",
    "label",
    "class",
    "help",
];

/// Checks one entity; `None` when its key cannot be one.
pub(super) fn entity(part: &Part<'_>, around: &Around) -> Option<Entity> {
    let is_table = |key: &str| is_key(key) && !key.starts_with("visible_");
    let key = part.such("key", is_table, "a lower-case key, [a-z][a-z0-9_]*, not starting with `visible_`");
    let plural = part.such(
        "plural",
        |plural| is_word(plural) && !matches!(plural, "reports" | "actions"),
        "lower-case letters, digits, `-` or `_`, and not `reports` or `actions`",
    );
    let declared = part.parts("fields", FIELD);
    let title = part.text("title");
    if let Some(title) = title.filter(|title| !declared.iter().any(|field| field.text("key") == Some(*title)))
    {
        part.fault("title", format!("`{title}` is no field of this entity"));
    }
    let fields = fields(&declared, around);
    part.text("subject");
    let hooks = part.words("hooks", |word| Hook::ALL.into_iter().find(|hook| hook.as_str() == word));
    let offered = part.words("operations", |word| {
        ["create", "update", "delete"].into_iter().find(|operation| *operation == word)
    });
    let label = part.text("label").filter(|label| !label.is_empty());
    let (key, plural) = (key?.to_owned(), plural.unwrap_or_default().to_owned());
    let parts = Parts {
        label: label.map_or_else(|| key.clone(), str::to_owned),
        key,
        plural,
        title: title.map(str::to_owned),
        fields,
        hooks: hooks.into_iter().collect(),
        operations: Operations {
            create: offered.contains(&"create"),
            update: offered.contains(&"update"),
            delete: offered.contains(&"delete"),
        },
        duplicates: duplicates(part),
    };
    let entity = Entity::new(&around.plugin, parts);
    for fault in rule::check_all(&entity.duplicates, &entity, |_| None) {
        part.fault_at(format!("{}{}", part.at("duplicates"), fault.pointer), &fault.detail);
    }
    Some(entity)
}

/// The matching rules that can be read; what they say is checked once the entity is there.
fn duplicates(part: &Part<'_>) -> Vec<Rule> {
    let read = |(pointer, json): (String, &Json)| {
        Rule::deserialize(json).map_err(|error| part.fault_at(pointer, &error.to_string())).ok()
    };
    part.list("duplicates").into_iter().filter_map(read).collect()
}

/// Checks the fields; no two may share a column, with each other or with the system's.
fn fields(declared: &[Part<'_>], around: &Around) -> Vec<Field> {
    let mut taken: HashSet<String> = SYSTEM_COLUMNS.iter().map(|name| (*name).to_owned()).collect();
    let mut fields = Vec::with_capacity(declared.len());
    for part in declared {
        let key = part.such("key", is_key, "a lower-case key, [a-z][a-z0-9_]*");
        let second =
            (part.text("type") == Some("money")).then(|| format!("{}_currency", key.unwrap_or_default()));
        for column in key.map(str::to_owned).into_iter().chain(second) {
            if !taken.insert(column.clone()) {
                part.fault("key", format!("the column `{column}` exists already"));
            }
        }
        fields.extend(field(part, key, around));
    }
    fields
}

fn field(part: &Part<'_>, key: Option<&str>, around: &Around) -> Option<Field> {
    let kind = kind(part, around);
    let class = part.word("class", Label::of_class).unwrap_or_default();
    let searchable = searchable(part, kind.as_ref());
    let inverse = part
        .json("inverse")
        .and_then(|_| part.such("inverse", is_key, "a lower-case key, such as `contacts`"));
    let (min, max) = (bound(part, "min", kind.as_ref()), bound(part, "max", kind.as_ref()));
    if min.zip(max).is_some_and(|(min, max)| min > max) {
        part.fault("min", "is above `max`");
    }
    let longest = if matches!(kind, Some(Kind::RichText)) { RICH_TEXT } else { TEXT };
    let (min_length, max_length) = (part.count("min_length"), part.count("max_length").unwrap_or(longest));
    if min_length.is_some_and(|min| min > max_length) {
        part.fault("min_length", "is above `max_length`");
    }
    let (required, unique, indexed) = (part.flag("required"), part.flag("unique"), part.flag("indexed"));
    let (read_only, label) = (part.flag("read_only"), part.text("label").filter(|label| !label.is_empty()));
    let help = part.text("help").unwrap_or_default().to_owned();
    let (key, kind) = (key?, kind?);
    let numbered = matches!(kind, Kind::AutoNumber(_));
    if key.starts_with(CUSTOM) {
        part.fault(
            "key",
            format!("keys that start with `{CUSTOM}` are for the fields that organizations make"),
        );
    }
    let field = Field {
        json_key: json_key(key),
        key: key.into(),
        kind,
        column: 0,
        required,
        required_when: None,
        unique: unique || numbered,
        indexed,
        searchable,
        class,
        custom: false,
        inverse: inverse.map(Into::into),
        read_only: read_only || numbered,
        min,
        max,
        min_length,
        max_length,
        default: part.json("default").cloned(),
        label: label.map_or_else(|| key.replace('_', " "), str::to_owned),
        help,
    };
    if let Some(fault) = field.default.as_ref().and_then(|default| input::field(&field, default).err()) {
        part.fault("default", fault.detail);
    }
    Some(field)
}

/// The weight in full-text search; only what is read as text can be searched.
fn searchable(part: &Part<'_>, kind: Option<&Kind>) -> u8 {
    let weight = part.count("searchable").unwrap_or(0);
    if weight > 0 && kind.is_some_and(|kind| !kind.searchable()) {
        part.fault(
            "searchable",
            "only text, e-mail, phone, url, address and auto_number fields are searched",
        );
    }
    u8::try_from(weight).ok().filter(|weight| *weight <= HEAVIEST).unwrap_or_else(|| {
        part.fault("searchable", format!("is a weight from 0 to {HEAVIEST}"));
        0
    })
}

/// What a field holds; `None` after a fault.
fn kind(part: &Part<'_>, around: &Around) -> Option<Kind> {
    // Read for every type: what is wrong with them is wrong under any.
    let on_delete = part.word("on_delete", |word| match word {
        "restrict" => Some(OnDelete::Restrict),
        "detach" => Some(OnDelete::Detach),
        "cascade" => Some(OnDelete::Cascade),
        _ => None,
    });
    let (scale, options) = (part.count("scale"), options(part));
    let simple = match part.needed("type") {
        "text" => Kind::Text,
        "rich_text" => Kind::RichText,
        "integer" => Kind::Integer,
        "money" => Kind::Money,
        "percent" => Kind::Percent,
        "boolean" => Kind::Boolean,
        "date" => Kind::Date,
        "date_time" => Kind::DateTime,
        "duration" => Kind::Duration,
        "email" => Kind::Email,
        "phone" => Kind::Phone,
        "url" => Kind::Url,
        "json" => Kind::Json,
        "decimal" => {
            let scale = scale.filter(|scale| *scale <= SCALE).and_then(|scale| u8::try_from(scale).ok());
            if scale.is_none() {
                part.fault("scale", format!("a decimal names its `scale`, 0 to {SCALE}"));
            }
            Kind::Decimal(scale?)
        }
        "address" => Kind::Address,
        "file" => Kind::File,
        "auto_number" => Kind::AutoNumber(part.such("format", number::is_format, number::FORMAT)?.into()),
        "option" | "options" if options.is_empty() => {
            part.fault("options", "an option field lists its `options`");
            return None;
        }
        "option" => Kind::Option(options),
        "options" => Kind::Options(options),
        "reference" => Kind::Reference(target(part, around)?, on_delete.unwrap_or_default()),
        "references" => Kind::References(target(part, around)?, on_delete.unwrap_or_default()),
        other => {
            part.fault("type", format!("the type `{other}` is not known"));
            return None;
        }
    };
    Some(simple)
}

fn options(part: &Part<'_>) -> Vec<Choice> {
    let mut seen = HashSet::new();
    let choice = |choice: &Part<'_>| {
        let key = choice.needed("key");
        if !seen.insert(key.to_owned()) {
            choice.fault("key", "another option has this key");
        }
        Choice { key: key.to_owned(), label: choice.needed("label").to_owned(), archived: false }
    };
    part.parts("options", &["key", "label"]).iter().map(choice).collect()
}

/// What a reference points at: an entity of this manifest, of a plugin that it requires, or of the host.
fn target(part: &Part<'_>, around: &Around) -> Option<Target> {
    let text = part.needed("references");
    let (plugin, entity) = text.split_once('.').unwrap_or((&around.plugin, text));
    let known = match plugin {
        _ if !is_key(entity) => false,
        "host" => matches!(entity, "user" | "team"),
        own if own == &*around.plugin => around.entities.contains(entity),
        other => around.reaches(other),
    };
    if !known {
        part.fault(
            "references",
            "must be `plugin.entity`, declared here or of a plugin that is installed and in `requires`",
        );
        return None;
    }
    Some(Target { plugin: plugin.into(), entity: entity.into() })
}

/// A bound: an integer in stored units (minor units, parts per million, the number times 10^scale), or for decimals and
/// percent a text in the units that people write.
fn bound(part: &Part<'_>, member: &str, kind: Option<&Kind>) -> Option<i64> {
    let (json, kind) = (part.json(member)?, kind?);
    let value = match (kind, json) {
        (Kind::Decimal(scale), Json::String(text)) => parse_scaled(text, *scale),
        (Kind::Percent, Json::String(text)) => parse_scaled(text, 4),
        (
            Kind::Integer | Kind::Duration | Kind::Money | Kind::Decimal(_) | Kind::Percent,
            Json::Number(number),
        ) => number.as_i64(),
        _ => None,
    };
    if value.is_none() {
        part.fault(member, "does not fit the field's type");
    }
    value
}
