//! Fields as schemas: what a record shows, what an input takes.

use serde_json::{Map, Value as Json, json};

use super::part::{Place, schema};
use crate::records::input::ADDRESS;
use crate::records::money::write_scaled;
use crate::records::number;
use crate::records::schema::{Entity, Field, Kind, Target};

/// The schemas of an entity: its records, its inputs, a page of it.
pub(super) fn schemas(place: &Place<'_>) -> Vec<(String, Json)> {
    let entity = place.entity;
    let page = json!({
        "type": "object",
        "required": ["data", "next_cursor"],
        "properties": {
            "data": { "type": "array", "items": place.record() },
            "next_cursor": { "type": ["string", "null"], "description": "For the next page; null on the last" },
            "count": { "type": "integer", "description": "Only when it was asked for" },
        },
    });
    let needed: Vec<&str> = needed(entity).map(|field| &*field.key).collect();
    let new = json!({ "allOf": [place.input()], "type": "object", "required": needed });
    vec![
        (entity.object.to_string(), record(place)),
        (format!("{}.input", entity.object), input(entity)),
        (format!("{}.new", entity.object), new),
        (format!("{}.page", entity.object), page),
    ]
}

/// What a new record cannot do without.
pub(super) fn needed(entity: &Entity) -> impl Iterator<Item = &Field> {
    entity.fields.iter().filter(|field| field.required && !field.read_only && field.default.is_none())
}

fn record(place: &Place<'_>) -> Json {
    let mut properties = Map::new();
    for field in place.entity.system.iter().chain(&place.entity.fields) {
        let mut value = if field.always_set() { value(field).into() } else { nullable(field) };
        if let Some(members) = value.as_object_mut() {
            if let Some(target) = expandable(field) {
                allow_expanded(place, target, &field.kind, members);
            }
            if field.read_only {
                members.insert("readOnly".to_owned(), true.into());
            }
        }
        properties.insert(field.key.to_string(), value);
    }
    let masked = json!({
        "type": "array", "items": { "type": "string" }, "readOnly": true,
        "description": "The fields that you may not read; absent when there are none",
    });
    properties.insert("_masked".to_owned(), masked);
    for (name, of) in [("owner", "owner_id"), ("team", "team_id")] {
        let said = format!("`{of}` as a record with its name, when `expand` asks for it");
        properties.insert(name.to_owned(), json!({ "type": ["object", "null"], "description": said }));
    }
    json!({
        "type": "object",
        "title": place.entity.label,
        "required": ["id", "version"],
        "properties": properties,
    })
}

fn expandable(field: &Field) -> Option<&Target> {
    match &field.kind {
        Kind::Reference(target, _) | Kind::References(target, _) if &*field.key != "id" => Some(target),
        _ => None,
    }
}

/// An expanded reference is a record in the place of its id.
fn allow_expanded(place: &Place<'_>, target: &Target, kind: &Kind, members: &mut Map<String, Json>) {
    let known = place
        .offers
        .iter()
        .any(|offer| *offer.module.plugin == *target.plugin && offer.module.entity(&target.entity).is_some());
    let expanded = if known {
        schema(&format!("{}.{}", target.plugin, target.entity))
    } else {
        json!({ "type": "object" })
    };
    let either = json!([{ "type": "string", "format": "uuid" }, expanded]);
    if matches!(kind, Kind::References(..)) {
        members.insert("items".to_owned(), json!({ "anyOf": either }));
        return;
    }
    let nullable = members.get("type").is_some_and(Json::is_array);
    members.remove("type");
    members.remove("format");
    let mut any = either.as_array().cloned().unwrap_or_default();
    if nullable {
        any.push(json!({ "type": "null" }));
    }
    members.insert("anyOf".to_owned(), any.into());
}

fn input(entity: &Entity) -> Json {
    let mut properties = Map::new();
    for field in entity.fields.iter().filter(|field| !field.read_only) {
        let mut value = if field.required { value(field).into() } else { nullable(field) };
        if let (Some(members), Some(default)) = (value.as_object_mut(), &field.default) {
            members.insert("default".to_owned(), default.clone());
        }
        properties.insert(field.key.to_string(), value);
    }
    let host = |title: &str, said: &str| json!({ "title": title, "description": said });
    let mut add = |key: &str, mut schema: Json, more: Json| {
        if let (Some(members), Json::Object(more)) = (schema.as_object_mut(), more) {
            members.extend(more);
        }
        properties.insert(key.to_owned(), schema);
    };
    let id = json!({ "type": "string", "format": "uuid", "x-references": "host.user" });
    add("owner_id", id, host("owner", "Whose record it is; the caller's when left out"));
    let id = json!({ "type": ["string", "null"], "format": "uuid", "x-references": "host.team" });
    add("team_id", id, host("team", "The owner's first team when left out"));
    let ids = json!({
        "type": ["object", "null"],
        "maxProperties": 8,
        "additionalProperties": { "type": ["string", "null"], "minLength": 1, "maxLength": 200 },
    });
    add("external_ids", ids, host("external ids", "Ids in other systems: {\"source\":\"id\"}"));
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

/// A value of the field, with what people read about it.
fn value(field: &Field) -> Map<String, Json> {
    let mut schema = kind(field).as_object().cloned().unwrap_or_default();
    let help = match bounds(field) {
        Some(bounds) if field.help.is_empty() => bounds,
        Some(bounds) => format!("{} {bounds}", field.help),
        None => field.help.clone(),
    };
    if !help.is_empty() {
        schema.insert("description".to_owned(), help.into());
    }
    schema.insert("title".to_owned(), field.label.clone().into());
    if field.unique {
        schema.insert("x-unique".to_owned(), true.into());
    }
    schema
}

fn kind(field: &Field) -> Json {
    let id = |target: &str| json!({ "type": "string", "format": "uuid", "x-references": target });
    let named = |target: &Target| format!("{}.{}", target.plugin, target.entity);
    match &field.kind {
        Kind::Text | Kind::RichText => text(field),
        Kind::Phone => json!({ "type": "string", "maxLength": 40 }),
        Kind::Integer | Kind::Duration => integer(field),
        Kind::Decimal(scale) => decimal(*scale),
        Kind::Percent => decimal(4),
        Kind::Money => json!({
            "type": "object",
            "required": ["amount", "currency"],
            "additionalProperties": false,
            "properties": {
                "amount": { "type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$" },
                "currency": { "type": "string", "pattern": "^[A-Z]{3}$" },
            },
        }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Date => json!({ "type": "string", "format": "date" }),
        Kind::DateTime => json!({ "type": "string", "format": "date-time" }),
        Kind::Option(choices) => {
            json!({ "type": "string", "enum": choices.iter().map(|choice| choice.key.as_str()).collect::<Vec<_>>() })
        }
        Kind::Options(choices) => {
            let keys: Vec<&str> = choices.iter().map(|choice| choice.key.as_str()).collect();
            json!({ "type": "array", "items": { "type": "string", "enum": keys } })
        }
        Kind::Reference(..) if &*field.key == "id" => json!({ "type": "string", "format": "uuid" }),
        Kind::Reference(target, _) => id(&named(target)),
        Kind::File => id("host.file"),
        Kind::References(target, _) => {
            json!({ "type": "array", "maxItems": 100, "items": id(&named(target)) })
        }
        Kind::Address => {
            let part = |key: &str| match key {
                "country" => {
                    json!({ "type": ["string", "null"], "maxLength": 2, "description": "ISO 3166-1 alpha-2" })
                }
                _ => json!({ "type": ["string", "null"], "maxLength": 200 }),
            };
            let parts: Map<String, Json> = ADDRESS.iter().map(|key| ((*key).to_owned(), part(key))).collect();
            json!({ "type": "object", "additionalProperties": false, "properties": parts })
        }
        Kind::AutoNumber(format) => {
            json!({ "type": "string", "examples": [number::written(format, 2026, 1)] })
        }
        Kind::Email => json!({ "type": "string", "format": "email", "maxLength": 254 }),
        Kind::Url => json!({ "type": "string", "format": "uri", "maxLength": 2048 }),
        Kind::Json => json!({}),
    }
}

fn text(field: &Field) -> Json {
    let mut schema = json!({ "type": "string", "maxLength": field.max_length });
    if let (Some(least), Some(members)) = (field.min_length, schema.as_object_mut()) {
        members.insert("minLength".to_owned(), least.into());
    }
    schema
}

fn integer(field: &Field) -> Json {
    let mut schema = json!({ "type": "integer", "format": "int64" });
    if let Some(members) = schema.as_object_mut() {
        for (name, bound) in [("minimum", field.min), ("maximum", field.max)] {
            members.extend(bound.map(|bound| (name.to_owned(), bound.into())));
        }
    }
    schema
}

fn decimal(scale: u8) -> Json {
    let places = if scale == 0 { String::new() } else { format!(r"(\.[0-9]{{1,{scale}}})?") };
    json!({ "type": "string", "pattern": format!("^-?[0-9]+{places}$") })
}

/// The bounds of an exact number in words: it is text, which a schema cannot bound.
fn bounds(field: &Field) -> Option<String> {
    let scale = match field.kind {
        Kind::Decimal(scale) => scale,
        Kind::Percent => 4,
        _ => return None,
    };
    let said = |word: &str, bound: i64| {
        let mut text = String::new();
        write_scaled(bound, scale, &mut text);
        format!("{word} {text}")
    };
    match (field.min, field.max) {
        (None, None) => None,
        (Some(min), Some(max)) => Some(format!("{} {}.", said("From", min), said("to", max))),
        (Some(min), None) => Some(said("At least", min) + "."),
        (None, Some(max)) => Some(said("At most", max) + "."),
    }
}

/// The same value or nothing.
fn nullable(field: &Field) -> Json {
    let mut schema = value(field);
    if let Some(Json::String(kind)) = schema.get("type").cloned() {
        schema.insert("type".to_owned(), json!([kind, "null"]));
    }
    if let Some(Json::Array(choices)) = schema.get_mut("enum") {
        choices.push(Json::Null);
    }
    schema.into()
}
