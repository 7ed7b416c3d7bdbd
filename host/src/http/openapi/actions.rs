//! What a plugin offers beside its records: actions and reports.

use serde_json::{Map, Value as Json, json};

use super::operation::Operation;
use super::parameters::{query, shared_parameter};
use super::part::{Part, schema};
use super::records::or_dry_run;
use crate::plugins::{Action, ActionMode, ActionTarget, Manifest, Report};
use crate::records::schema::Module;

/// Adds the plugin's actions and reports.
pub(super) fn describe(manifest: &Manifest, module: &Module, part: &mut Part) {
    let base = format!("/api/v1/{}", manifest.id);
    for action in &manifest.actions {
        let entity = action.entity.as_deref().and_then(|key| module.entity(key));
        let path = match (action.target, &entity) {
            (ActionTarget::Record, Some(entity)) => {
                format!("{base}/{}/{{id}}/{}", entity.plural, action.verb)
            }
            (ActionTarget::Collection, Some(entity)) => format!("{base}/{}/{}", entity.plural, action.verb),
            _ => format!("{base}/{}", action.verb),
        };
        let object = entity.as_ref().map(|entity| &*entity.object);
        if action.mode == ActionMode::Read {
            part.add("get", &path, reading(manifest, action));
        }
        part.add("post", &path, posting(manifest, action, object));
    }
    for report in &manifest.reports {
        part.add("get", &format!("{base}/reports/{}", report.key), figures(manifest, report));
    }
}

fn named(manifest: &Manifest, action: &Action, prefix: &str) -> Operation {
    let operation = Operation::new(
        &format!("{prefix}{}_{}", manifest.id, action.key),
        &manifest.id,
        if action.label.is_empty() { action.key.clone() } else { action.label.clone() },
    );
    let operation = operation.describe(&action.help).runs_plugin(true);
    if action.target == ActionTarget::Record {
        operation.takes([shared_parameter("id")]).refuses(&[404])
    } else {
        operation
    }
}

/// A schema that a plugin states; nothing stated is any object.
fn stated(schema: &Json) -> Json {
    if schema.is_null() { json!({ "type": "object" }) } else { schema.clone() }
}

/// An action that reads, asked by GET.
fn reading(manifest: &Manifest, action: &Action) -> Operation {
    named(manifest, action, "get_").takes(members_as_parameters(&action.input)).answers(
        200,
        "Done",
        stated(&action.output),
    )
}

/// Any action, asked by POST.
fn posting(manifest: &Manifest, action: &Action, object: Option<&str>) -> Operation {
    let output = match (&action.output, object) {
        // The host answers for a plugin that says nothing.
        (Json::Null, Some(object)) if action.target == ActionTarget::Record => schema(object),
        (output, _) => stated(output),
    };
    let mut parameters = vec!["dry_run"];
    if action.mode == ActionMode::Write {
        parameters.push("Idempotency-Key");
        if action.target == ActionTarget::Record {
            parameters.push("If-Match");
        }
    }
    let operation = named(manifest, action, "")
        .takes(parameters.into_iter().map(shared_parameter))
        .reads(stated(&action.input), vec![("example", sample(&action.input))])
        .optional_body();
    match action.mode {
        ActionMode::Effect => operation.refuses(&[501]),
        ActionMode::Read => operation.answers(200, "Done", output),
        ActionMode::Write if action.target == ActionTarget::Record => {
            operation.answers(200, "Done", or_dry_run(output)).refuses(&[412])
        }
        ActionMode::Write => operation.answers(200, "Done", or_dry_run(output)),
    }
}

/// The members of an object schema as query parameters.
fn members_as_parameters(schema: &Json) -> Vec<Json> {
    let properties = schema.get("properties").and_then(Json::as_object);
    let described =
        |schema: &Json| schema.get("description").and_then(Json::as_str).unwrap_or_default().to_owned();
    properties
        .into_iter()
        .flatten()
        .map(|(name, schema)| query(name, without_null(schema.clone()), &described(schema)))
        .collect()
}

/// The schema of a value that is there: an address cannot say null.
fn without_null(mut schema: Json) -> Json {
    if let Some(Json::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| kind != "null");
    }
    if let Some(Json::Array(options)) = schema.get_mut("enum") {
        options.retain(|option| !option.is_null());
    }
    schema
}

fn figures(manifest: &Manifest, report: &Report) -> Operation {
    let column = json!({
        "type": "object",
        "required": ["key", "type", "label"],
        "properties": {
            "key": { "type": "string" },
            "type": { "type": "string" },
            "label": { "type": "string" },
        },
    });
    let cells: Map<String, Json> =
        report.columns.iter().map(|column| (column.key.clone(), cell(&column.kind, &column.label))).collect();
    let keys: Vec<&str> = report.columns.iter().map(|column| column.key.as_str()).collect();
    let row =
        json!({ "type": "object", "additionalProperties": false, "required": keys, "properties": cells });
    let output = json!({
        "type": "object",
        "required": ["report", "definition", "params", "columns", "rows", "notes"],
        "properties": {
            "report": { "const": report.key },
            "definition": { "type": "string" },
            "params": { "type": "object" },
            "columns": { "type": "array", "items": column },
            "rows": { "type": "array", "items": row },
            "notes": { "type": "object" },
        },
    });
    let label = if report.label.is_empty() { report.key.clone() } else { report.label.clone() };
    Operation::new(&format!("report_{}_{}", manifest.id, report.key), &manifest.id, label)
        .describe(&report.help)
        .takes(members_as_parameters(&report.params))
        .answers(200, "The figures", output)
        .runs_plugin(true)
}

/// A value in a column of this type.
fn cell(kind: &str, label: &str) -> Json {
    let exact = || json!({ "type": ["string", "null"], "pattern": r"^-?[0-9]+(\.[0-9]+)?$" });
    let mut schema = match kind {
        "integer" | "duration" => json!({ "type": ["integer", "null"] }),
        "decimal" | "percent" => exact(),
        "boolean" => json!({ "type": ["boolean", "null"] }),
        "date" => json!({ "type": ["string", "null"], "format": "date" }),
        "date_time" => json!({ "type": ["string", "null"], "format": "date-time" }),
        "reference" => json!({ "type": ["string", "null"], "format": "uuid" }),
        "money" => json!({
            "type": ["object", "null"],
            "required": ["amount", "currency"],
            "properties": { "amount": { "type": "string" }, "currency": { "type": "string" } },
        }),
        "user" | "team" => json!({
            "type": ["object", "null"],
            "required": ["id", "name"],
            "properties": { "id": { "type": "string", "format": "uuid" }, "name": { "type": ["string", "null"] } },
        }),
        _ => json!({ "type": ["string", "null"] }),
    };
    if let Some(members) = schema.as_object_mut() {
        members.insert("title".to_owned(), label.into());
    }
    schema
}

/// A value that fits a schema as the SDK writes them; members that may be left out are.
fn sample(schema: &Json) -> Json {
    if let Some(first) = schema.get("default").or_else(|| schema.get("enum")?.get(0)) {
        return first.clone();
    }
    let kind = match schema.get("type") {
        Some(Json::Array(kinds)) => kinds.first().and_then(Json::as_str),
        Some(kind) => kind.as_str(),
        None => None,
    };
    match kind {
        Some("object") => object(schema),
        Some("array") => json!([]),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| 1.into()),
        Some("boolean") => true.into(),
        Some("string") => text(schema),
        _ => json!({}),
    }
}

fn object(schema: &Json) -> Json {
    let needed =
        schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
    let properties = schema.get("properties");
    let member = |key: &str| Some((key.to_owned(), sample(properties?.get(key)?)));
    needed.filter_map(member).collect::<Map<_, _>>().into()
}

/// The patterns of exact numbers and of currencies are the SDK's; any other text is a word.
fn text(schema: &Json) -> Json {
    let pattern = schema.get("pattern").and_then(Json::as_str).unwrap_or_default();
    match schema.get("format").and_then(Json::as_str) {
        Some("date") => "2026-01-15".into(),
        Some("date-time") => "2026-01-15T09:30:00Z".into(),
        Some("uuid") => "0199c0de-7b1f-7000-8000-000000000001".into(),
        Some("email") => "ada@example.com".into(),
        Some("uri") => "https://www.example.com".into(),
        _ if pattern.starts_with("^-?[0-9]") => "1".into(),
        _ if pattern == "^[A-Z]{3}$" => "EUR".into(),
        _ => "Example".into(),
    }
}
