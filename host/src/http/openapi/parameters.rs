//! The parameters and headers that operations share.

use serde_json::{Value as Json, json};

/// A reference to a shared parameter.
pub(super) fn shared_parameter(name: &str) -> Json {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

/// A parameter of the query string that may be left out.
pub(super) fn query(name: &str, schema: Json, description: &str) -> Json {
    json!({ "name": name, "in": "query", "required": false, "schema": schema, "description": description })
}

/// A parameter of the path: an id.
pub(super) fn path_id(name: &str, description: &str) -> Json {
    let schema = json!({ "type": "string", "format": "uuid" });
    json!({ "name": name, "in": "path", "required": true, "schema": schema, "description": description })
}

fn header(name: &str, schema: Json, description: &str) -> Json {
    json!({ "name": name, "in": "header", "required": false, "schema": schema, "description": description })
}

/// A list between commas: `a,b`.
pub(super) fn list(name: &str, items: Json, most: Option<usize>, description: &str) -> Json {
    let mut schema = json!({ "type": "array", "items": items, "minItems": 1 });
    if let (Some(most), Some(members)) = (most, schema.as_object_mut()) {
        members.insert("maxItems".to_owned(), most.into());
    }
    json!({
        "name": name, "in": "query", "required": false, "style": "form", "explode": false, "schema": schema,
        "description": description,
    })
}

/// The shared parameters.
pub(super) fn shared() -> Vec<(String, Json)> {
    let text = || json!({ "type": "string", "minLength": 1 });
    let dry = "Execute everything, tell what would change, keep nothing";
    let version = "The version that the change was decided on, in quotes as in the ETag: `\"3\"`";
    let key = "Of your making, another one for each request: sent again within a day, the same request is answered again \
               and done once";
    let parameters = [
        ("id", path_id("id", "The record")),
        (
            "limit",
            query(
                "limit",
                json!({ "type": "integer", "minimum": 1, "maximum": 200, "default": 50 }),
                "Records per page",
            ),
        ),
        ("cursor", query("cursor", text(), "`next_cursor` of the page before; all else as it was there")),
        ("q", query("q", text(), "Only records in which full-text search finds this")),
        (
            "view",
            query(
                "view",
                json!({ "type": "string", "format": "uuid" }),
                "A saved view; what else is said narrows it or wins over it",
            ),
        ),
        (
            "count",
            query(
                "count",
                json!({ "type": "string", "enum": ["none", "capped", "exact"], "default": "none" }),
                "Whether to count the records that match; `capped` stops at 10,000",
            ),
        ),
        ("dry_run", query("dry_run", json!({ "type": "boolean", "default": false }), dry)),
        (
            "allow_duplicates",
            query(
                "allow_duplicates",
                json!({ "type": "string", "minLength": 1, "maxLength": 500 }),
                "Why the record is to be written although it looks like another one, where the rules leave that to you",
            ),
        ),
        (
            "If-Match",
            header("If-Match", json!({ "type": "string", "pattern": "^(\"[0-9]+\"|\\*)$" }), version),
        ),
        (
            "Idempotency-Key",
            header(
                "Idempotency-Key",
                json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$" }),
                key,
            ),
        ),
    ];
    parameters.into_iter().map(|(name, parameter)| (name.to_owned(), parameter)).collect()
}

/// The shared headers of answers.
pub(super) fn headers() -> Vec<(String, Json)> {
    let header = |description: &str, schema: Json| json!({ "description": description, "schema": schema });
    let text = || json!({ "type": "string" });
    [
        (
            "ETag",
            header("The record's version, in quotes", json!({ "type": "string", "pattern": "^\"[0-9]+\"$" })),
        ),
        ("Location", header("Where it is", text())),
    ]
    .into_iter()
    .map(|(name, header)| (name.to_owned(), header))
    .collect()
}
