//! One entity of a manifest: from its declared form to what the record engine works with.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value as Json;

use super::manifest::{Faults, is_key};
use crate::records::input;
use crate::records::json::json_key;
use crate::records::money::parse_scaled;
use crate::records::schema::{
    Choice, Entity, Field, Kind, OnDelete, Operations, Parts, SYSTEM_COLUMNS, Target,
};
use crate::records::tx::Hook;

/// Characters of a text field that names no limit.
const TEXT: usize = 255;
/// Characters of a text with paragraphs that names no limit.
const RICH_TEXT: usize = 100_000;

/// An entity as the manifest writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntityDeclaration {
    key: String,
    plural: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    #[expect(
        dead_code,
        reason = "read by the privacy module when it exists; a manifest may already state it"
    )]
    subject: Option<String>,
    #[serde(default)]
    fields: Vec<Json>,
    #[serde(default)]
    hooks: Vec<String>,
    #[serde(default)]
    operations: Vec<String>,
}

/// A field as the manifest writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldDeclaration {
    key: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    unique: bool,
    #[serde(default)]
    indexed: bool,
    #[serde(default)]
    #[expect(
        dead_code,
        reason = "the search weight, used when search exists; a manifest may already state it"
    )]
    searchable: u8,
    #[serde(default)]
    read_only: bool,
    #[serde(default)]
    min: Json,
    #[serde(default)]
    max: Json,
    #[serde(default)]
    min_length: Option<usize>,
    #[serde(default)]
    max_length: Option<usize>,
    #[serde(default)]
    scale: Option<u8>,
    #[serde(default)]
    options: Vec<Choice>,
    #[serde(default)]
    references: Option<String>,
    #[serde(default)]
    on_delete: Option<OnDelete>,
    #[serde(default)]
    default: Json,
    #[serde(default)]
    label: String,
    #[serde(default)]
    #[expect(
        dead_code,
        reason = "the privacy class, used when field masks exist; a manifest may already state it"
    )]
    class: Option<String>,
    #[serde(default)]
    help: String,
}

/// Checks one entity; `None` when too little of it can be understood.
pub(super) fn entity(
    plugin: &str,
    pointer: &str,
    declared: EntityDeclaration,
    faults: &mut Faults,
) -> Option<Entity> {
    if !is_key(&declared.key) || declared.key.starts_with("visible_") {
        faults.add(
            format!("{pointer}/key"),
            "must be a lower-case key, [a-z][a-z0-9_]*, not starting with `visible_`",
        );
        return None;
    }
    let plural_fits = !declared.plural.is_empty()
        && declared
            .plural
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'));
    if !plural_fits || matches!(declared.plural.as_str(), "reports" | "actions") {
        faults.add(
            format!("{pointer}/plural"),
            "must be lower-case letters, digits, `-` or `_`, and not `reports` or `actions`",
        );
    }
    let fields = fields(plugin, pointer, &declared.fields, faults);
    if let Some(title) =
        declared.title.as_ref().filter(|title| !fields.iter().any(|field| *field.key == ***title))
    {
        faults.add(format!("{pointer}/title"), format!("`{title}` is no field of this entity"));
    }
    let hooks = words(&declared.hooks, &format!("{pointer}/hooks"), faults, |word| {
        Hook::ALL.into_iter().find(|hook| hook.as_str() == word)
    });
    let known = words(&declared.operations, &format!("{pointer}/operations"), faults, |word| {
        matches!(word, "create" | "update" | "delete").then(|| word.to_owned())
    });
    let has = |word: &str| known.iter().any(|known| known == word);
    let operations = Operations { create: has("create"), update: has("update"), delete: has("delete") };
    let label = if declared.label.is_empty() { declared.key.clone() } else { declared.label };
    let parts = Parts {
        key: declared.key,
        plural: declared.plural,
        label,
        title: declared.title,
        fields,
        hooks: hooks.into_iter().collect(),
        operations,
    };
    Some(Entity::new(plugin, parts))
}

/// Checks the fields; no two may share a column, with each other or with the system's.
fn fields(plugin: &str, pointer: &str, declared: &[Json], faults: &mut Faults) -> Vec<Field> {
    let mut taken: HashSet<String> = SYSTEM_COLUMNS.iter().map(|name| (*name).to_owned()).collect();
    taken.insert("_row".into());
    let mut fields = Vec::with_capacity(declared.len());
    for (at, json) in declared.iter().enumerate() {
        let pointer = format!("{pointer}/fields/{at}");
        let parsed = match FieldDeclaration::deserialize(json) {
            Ok(parsed) => field(plugin, &pointer, parsed, faults),
            Err(error) => {
                faults.add(pointer.clone(), error.to_string());
                None
            }
        };
        let Some(field) = parsed else { continue };
        let columns = [field.key.to_string(), format!("{}_currency", field.key)];
        let width = if matches!(field.kind, Kind::Money) { 2 } else { 1 };
        for column in columns.into_iter().take(width) {
            if !taken.insert(column.clone()) {
                faults.add(pointer.clone(), format!("the column `{column}` exists already"));
            }
        }
        fields.push(field);
    }
    fields
}

fn words<T>(
    list: &[String],
    pointer: &str,
    faults: &mut Faults,
    parse: impl Fn(&str) -> Option<T>,
) -> Vec<T> {
    let mut known = Vec::with_capacity(list.len());
    for word in list {
        match parse(word) {
            Some(value) => known.push(value),
            None => faults.add(pointer, format!("`{word}` is not known")),
        }
    }
    known
}

fn field(plugin: &str, pointer: &str, declared: FieldDeclaration, faults: &mut Faults) -> Option<Field> {
    if !is_key(&declared.key) {
        faults.add(format!("{pointer}/key"), "must be a lower-case key, [a-z][a-z0-9_]*");
        return None;
    }
    let kind = match kind(plugin, &declared) {
        Ok(kind) => kind,
        Err(detail) => {
            faults.add(pointer, detail);
            return None;
        }
    };
    let bound = |json: &Json, name: &str, faults: &mut Faults| match stored_bound(&kind, json) {
        Ok(value) => value,
        Err(()) => {
            faults.add(format!("{pointer}/{name}"), "does not fit the field's type");
            None
        }
    };
    let (min, max) = (bound(&declared.min, "min", faults), bound(&declared.max, "max", faults));
    let longest = if matches!(kind, Kind::RichText) { RICH_TEXT } else { TEXT };
    let label = if declared.label.is_empty() { declared.key.replace('_', " ") } else { declared.label };
    let field = Field {
        json_key: json_key(&declared.key),
        key: declared.key.into(),
        kind,
        column: 0,
        required: declared.required,
        unique: declared.unique,
        indexed: declared.indexed,
        read_only: declared.read_only,
        min,
        max,
        min_length: declared.min_length,
        max_length: declared.max_length.unwrap_or(longest),
        default: (!declared.default.is_null()).then_some(declared.default),
        label,
        help: declared.help,
    };
    if let Some(fault) = field.default.as_ref().and_then(|default| input::field(&field, default).err()) {
        faults.add(format!("{pointer}/default"), fault.detail);
    }
    Some(field)
}

fn kind(plugin: &str, declared: &FieldDeclaration) -> Result<Kind, String> {
    Ok(match declared.kind.as_str() {
        "text" => Kind::Text,
        "rich_text" => Kind::RichText,
        "integer" => Kind::Integer,
        "decimal" => match declared.scale {
            Some(scale) if scale <= 9 => Kind::Decimal(scale),
            _ => return Err("a decimal names its `scale`, 0 to 9".into()),
        },
        "money" => Kind::Money,
        "percent" => Kind::Percent,
        "boolean" => Kind::Boolean,
        "date" => Kind::Date,
        "date_time" => Kind::DateTime,
        "duration" => Kind::Duration,
        "option" if !declared.options.is_empty() => Kind::Option(declared.options.clone()),
        "option" => return Err("an option field lists its `options`".into()),
        "reference" => {
            let target = declared.references.as_deref().unwrap_or_default();
            let (of, entity) = target.split_once('.').unwrap_or((plugin, target));
            if entity.is_empty() {
                return Err("a reference names its target in `references`: `plugin.entity`".into());
            }
            Kind::Reference(
                Target { plugin: of.into(), entity: entity.into() },
                declared.on_delete.unwrap_or_default(),
            )
        }
        "email" => Kind::Email,
        "phone" => Kind::Phone,
        "url" => Kind::Url,
        "json" => Kind::Json,
        other => return Err(format!("the type `{other}` is not known")),
    })
}

/// A bound: an integer in stored units (minor units, parts per million, the number times 10^scale), or for decimals and
/// percent a text in the units that people write.
fn stored_bound(kind: &Kind, json: &Json) -> Result<Option<i64>, ()> {
    match (kind, json) {
        (_, Json::Null) => Ok(None),
        (Kind::Decimal(scale), Json::String(text)) => parse_scaled(text, *scale).map(Some).ok_or(()),
        (Kind::Percent, Json::String(text)) => parse_scaled(text, 4).map(Some).ok_or(()),
        (
            Kind::Integer | Kind::Duration | Kind::Money | Kind::Decimal(_) | Kind::Percent,
            Json::Number(number),
        ) => number.as_i64().map(Some).ok_or(()),
        _ => Err(()),
    }
}
