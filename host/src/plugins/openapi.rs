//! A plugin's part of the OpenAPI document, made from its manifest: entities, actions, reports.

use serde_json::{Map, Value as Json, json};

use super::declaration::{Action, ActionMode, ActionTarget, Report};
use super::manifest::Manifest;
use crate::records::input::ADDRESS;
use crate::records::number;
use crate::records::schema::{Entity, Field, Kind};

/// `{"paths":…,"components":{"schemas":…},"tags":[…]}`, as of OpenAPI 3.1.
pub(super) fn document(manifest: &Manifest) -> Json {
    let base = format!("/api/v1/{}", manifest.id);
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for entity in &manifest.records.entities {
        schemas.insert(schema_name(entity), record_schema(entity));
        schemas.insert(format!("{}.input", schema_name(entity)), input_schema(entity));
        paths.insert(format!("{base}/{}", entity.plural), collection(manifest, entity));
        paths.insert(format!("{base}/{}/{{id}}", entity.plural), record(manifest, entity));
    }
    for action in &manifest.actions {
        let entity = action.entity.as_deref().and_then(|key| manifest.records.entity(key));
        let path = match (action.target, &entity) {
            (ActionTarget::Record, Some(entity)) => {
                format!("{base}/{}/{{id}}/{}", entity.plural, action.verb)
            }
            (ActionTarget::Collection, Some(entity)) => format!("{base}/{}/{}", entity.plural, action.verb),
            _ => format!("{base}/{}", action.verb),
        };
        paths.insert(path, action_path(manifest, action, entity.as_deref()));
    }
    for report in &manifest.reports {
        paths.insert(format!("{base}/reports/{}", report.key), report_path(manifest, report));
    }
    json!({
        "paths": paths,
        "components": { "schemas": schemas },
        "tags": [{ "name": &*manifest.id, "description": manifest.name }],
    })
}

fn schema_name(entity: &Entity) -> String {
    entity.object.to_string()
}

fn reference(name: &str) -> Json {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn json_body(schema: Json) -> Json {
    json!({ "application/json": { "schema": schema } })
}

fn responses(status: &str, description: &str, schema: Json) -> Json {
    json!({
        status: { "description": description, "content": json_body(schema) },
        "default": {
            "description": "Refused or failed (RFC 9457)",
            "content": { "application/problem+json": { "schema": reference("Problem") } },
        },
    })
}

/// An operation. Its id is a name in the languages of those who generate clients from the document.
fn operation(id: String, tag: &str, summary: String) -> Map<String, Json> {
    let mut operation = Map::new();
    operation.insert("operationId".into(), id.replace(['.', '-'], "_").into());
    operation.insert("tags".into(), json!([tag]));
    operation.insert("summary".into(), summary.into());
    operation.insert("security".into(), json!([{ "Bearer": [] }]));
    operation
}

fn query(name: &str, schema: Json, description: &str) -> Json {
    json!({ "name": name, "in": "query", "required": false, "schema": schema, "description": description })
}

fn id_parameter() -> Json {
    json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string", "format": "uuid" } })
}

fn if_match() -> Json {
    json!({ "name": "If-Match", "in": "header", "required": false, "schema": { "type": "string" }, "description": "The version that the change was decided on, in quotes; 412 when the record has moved on" })
}

fn dry_run() -> Json {
    query(
        "dry_run",
        json!({ "type": "boolean", "default": false }),
        "Execute everything, answer as usual, keep nothing",
    )
}

fn collection(manifest: &Manifest, entity: &Entity) -> Json {
    let name = schema_name(entity);
    let mut list = operation(
        format!("list_{}_{}", manifest.id, entity.plural),
        &manifest.id,
        format!("List {}", entity.plural),
    );
    let mut parameters = vec![
        query(
            "limit",
            json!({ "type": "integer", "minimum": 1, "maximum": 200, "default": 50 }),
            "Records per page",
        ),
        query("cursor", json!({ "type": "string" }), "`next_cursor` of the page before"),
        query(
            "sort",
            json!({ "type": "string" }),
            "Fields, most significant first; `-` for descending: `-created_at`",
        ),
        query("fields", json!({ "type": "string" }), "Only these fields; `id` and `version` always"),
        query("expand", json!({ "type": "string" }), "References to show as records"),
        query(
            "count",
            json!({ "type": "string", "enum": ["none", "capped", "exact"], "default": "none" }),
            "Whether to count the matching records",
        ),
    ];
    for field in entity.fields.iter().filter(|field| field.comparable()) {
        parameters.push(query(&field.key, json!({ "type": "string" }), &format!("Filter: `{0}=value`, or `{0}[op]=value` with op in eq ne gt gte lt lte in nin contains starts empty", field.key)));
    }
    list.insert("parameters".into(), parameters.into());
    let page = json!({
        "type": "object",
        "required": ["data", "next_cursor"],
        "properties": {
            "data": { "type": "array", "items": reference(&name) },
            "next_cursor": { "type": ["string", "null"] },
            "count": { "type": "integer" },
        },
    });
    list.insert("responses".into(), responses("200", "A page", page));
    let mut path = Map::new();
    path.insert("get".into(), list.into());
    if entity.operations.create {
        let mut create = operation(
            format!("create_{}_{}", manifest.id, entity.key),
            &manifest.id,
            format!("Create {}", entity.label),
        );
        create.insert(
            "requestBody".into(),
            json!({ "required": true, "content": json_body(required(entity)) }),
        );
        create.insert("responses".into(), responses("201", "Created", reference(&name)));
        path.insert("post".into(), create.into());
    }
    path.into()
}

/// The input's schema with what a new record cannot do without.
fn required(entity: &Entity) -> Json {
    let needed =
        entity.fields.iter().filter(|field| field.required && !field.read_only && field.default.is_none());
    let needed: Vec<&str> = needed.map(|field| &*field.key).collect();
    let input = reference(&format!("{}.input", schema_name(entity)));
    if needed.is_empty() { input } else { json!({ "allOf": [input], "required": needed }) }
}

fn record(manifest: &Manifest, entity: &Entity) -> Json {
    let name = schema_name(entity);
    let mut path = Map::new();
    let mut get = operation(
        format!("get_{}_{}", manifest.id, entity.key),
        &manifest.id,
        format!("Get {}", entity.label),
    );
    get.insert(
        "parameters".into(),
        json!([
            id_parameter(),
            query("fields", json!({ "type": "string" }), "Only these fields"),
            query("expand", json!({ "type": "string" }), "References to show as records"),
        ]),
    );
    get.insert("responses".into(), responses("200", "The record", reference(&name)));
    path.insert("get".into(), get.into());
    if entity.operations.update {
        let mut update = operation(
            format!("update_{}_{}", manifest.id, entity.key),
            &manifest.id,
            format!("Change {}", entity.label),
        );
        update.insert("parameters".into(), json!([id_parameter(), if_match(), dry_run()]));
        update.insert(
            "requestBody".into(),
            json!({ "required": true, "content": json_body(reference(&format!("{name}.input"))) }),
        );
        update.insert("responses".into(), responses("200", "The record as it is now", reference(&name)));
        path.insert("patch".into(), update.into());
    }
    if entity.operations.delete {
        let mut delete = operation(
            format!("delete_{}_{}", manifest.id, entity.key),
            &manifest.id,
            format!("Move {} to the recycle bin", entity.label),
        );
        delete.insert("parameters".into(), json!([id_parameter(), if_match(), dry_run()]));
        delete.insert("responses".into(), json!({
            "204": { "description": "Moved" },
            "default": { "description": "Refused or failed (RFC 9457)", "content": { "application/problem+json": { "schema": reference("Problem") } } },
        }));
        path.insert("delete".into(), delete.into());
    }
    path.into()
}

fn action_path(manifest: &Manifest, action: &Action, entity: Option<&Entity>) -> Json {
    let mut operation =
        operation(format!("{}_{}", manifest.id, action.key), &manifest.id, action.label.clone());
    operation.insert("description".into(), action.help.clone().into());
    let schema = |json: &Json| {
        if json.is_null() { json!({ "type": "object" }) } else { json.clone() }
    };
    let output = match (&action.output, entity) {
        (Json::Null, Some(entity)) if action.target == ActionTarget::Record => {
            reference(&schema_name(entity))
        }
        (output, _) => schema(output),
    };
    let mut parameters = Vec::new();
    if action.target == ActionTarget::Record {
        parameters.push(id_parameter());
    }
    let verb = if action.mode == ActionMode::Read {
        parameters.extend(schema_parameters(&action.input));
        "get"
    } else {
        if action.target == ActionTarget::Record {
            parameters.push(if_match());
            parameters.push(dry_run());
        }
        operation.insert(
            "requestBody".into(),
            json!({ "required": false, "content": json_body(schema(&action.input)) }),
        );
        "post"
    };
    operation.insert("parameters".into(), parameters.into());
    operation.insert("responses".into(), responses("200", "Done", output));
    json!({ verb: operation })
}

/// The members of an object schema as query parameters.
fn schema_parameters(schema: &Json) -> Vec<Json> {
    let properties = schema.get("properties").and_then(Json::as_object);
    let members = properties.into_iter().flatten();
    members
        .map(|(name, schema)| {
            query(name, schema.clone(), schema.get("description").and_then(Json::as_str).unwrap_or_default())
        })
        .collect()
}

fn report_path(manifest: &Manifest, report: &Report) -> Json {
    let mut operation =
        operation(format!("report_{}_{}", manifest.id, report.key), &manifest.id, report.label.clone());
    operation.insert("description".into(), report.help.clone().into());
    operation.insert("parameters".into(), schema_parameters(&report.params).into());
    let output = json!({
        "type": "object",
        "properties": {
            "report": { "type": "string" },
            "definition": { "type": "string" },
            "params": { "type": "object" },
            "columns": { "type": "array", "items": { "type": "object" } },
            "rows": { "type": "array", "items": { "type": "object" } },
            "notes": { "type": "object" },
        },
    });
    operation.insert("responses".into(), responses("200", "The figures", output));
    json!({ "get": operation })
}

fn value_schema(field: &Field) -> Map<String, Json> {
    let schema = match &field.kind {
        Kind::Text | Kind::RichText | Kind::Phone => {
            json!({ "type": "string", "maxLength": field.max_length })
        }
        Kind::Integer | Kind::Duration => json!({ "type": "integer", "format": "int64" }),
        Kind::Decimal(_) | Kind::Percent => json!({ "type": "string", "pattern": r"^-?\d+(\.\d+)?$" }),
        Kind::Money => json!({
            "type": "object",
            "required": ["amount", "currency"],
            "additionalProperties": false,
            "properties": {
                "amount": { "type": "string", "pattern": r"^-?\d+(\.\d+)?$" },
                "currency": { "type": "string", "minLength": 3, "maxLength": 3 },
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
            json!({ "type": "array", "uniqueItems": true, "items": { "type": "string", "enum": keys } })
        }
        Kind::Reference(..) | Kind::File => json!({ "type": "string", "format": "uuid" }),
        Kind::References(..) => json!({
            "type": "array",
            "maxItems": 100,
            "items": { "type": "string", "format": "uuid" },
        }),
        Kind::Address => {
            let part = || json!({ "type": "string", "maxLength": 200 });
            let parts: Map<String, Json> =
                ADDRESS.iter().map(|part_key| ((*part_key).to_owned(), part())).collect();
            json!({ "type": "object", "additionalProperties": false, "properties": parts })
        }
        Kind::AutoNumber(format) => {
            json!({ "type": "string", "examples": [number::written(format, 2026, 1)] })
        }
        Kind::Email => json!({ "type": "string", "format": "email", "maxLength": 254 }),
        Kind::Url => json!({ "type": "string", "format": "uri", "maxLength": 2048 }),
        Kind::Json => json!({}),
    };
    let mut schema = schema.as_object().cloned().unwrap_or_default();
    if !field.help.is_empty() {
        schema.insert("description".into(), field.help.clone().into());
    }
    schema.insert("title".into(), field.label.clone().into());
    schema
}

/// The same value or nothing.
fn nullable(field: &Field) -> Json {
    let mut schema = value_schema(field);
    if let Some(Json::String(kind)) = schema.get("type").cloned() {
        schema.insert("type".into(), json!([kind, "null"]));
    }
    if let Some(Json::Array(mut choices)) = schema.remove("enum") {
        choices.push(Json::Null);
        schema.insert("enum".into(), choices.into());
    }
    schema.into()
}

fn record_schema(entity: &Entity) -> Json {
    let mut properties = Map::new();
    for field in entity.system.iter().chain(&entity.fields) {
        let value = match &field.kind {
            // An expanded reference is a record in the place of its id.
            Kind::Reference(..) if &*field.key != "id" => {
                json!({ "title": field.label, "description": field.help, "type": ["string", "object", "null"] })
            }
            _ if field.required => value_schema(field).into(),
            _ => nullable(field),
        };
        properties.insert(field.key.to_string(), value);
    }
    json!({ "type": "object", "title": entity.label, "required": ["id", "version"], "properties": properties })
}

fn input_schema(entity: &Entity) -> Json {
    let mut properties = Map::new();
    for field in entity.fields.iter().filter(|field| !field.read_only) {
        properties.insert(field.key.to_string(), nullable(field));
    }
    properties.insert("owner_id".into(), json!({ "type": "string", "format": "uuid", "description": "Whose record it is; the caller's when left out" }));
    properties.insert("team_id".into(), json!({ "type": ["string", "null"], "format": "uuid" }));
    properties.insert("external_ids".into(), json!({ "type": ["object", "null"], "additionalProperties": { "type": "string" }, "description": "Ids in other systems: {\"source\":\"id\"}" }));
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}
