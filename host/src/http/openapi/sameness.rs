//! Records as a whole set: searched, exported, compared with each other and merged.

use serde_json::{Value as Json, json};

use super::example;
use super::filters::{own, selection};
use super::operation::Operation;
use super::parameters::{query, shared_parameter};
use super::part::{Part, Place, schema};
use super::records::{on_all, or_dry_run};

fn id() -> Json {
    json!({ "type": "string", "format": "uuid" })
}

/// The schemas that all entities share.
pub(super) fn shared() -> Vec<(String, Json)> {
    let text = || json!({ "type": "string" });
    let hit = json!({
        "type": "object", "required": ["entity", "id", "href", "title", "score", "snippets"],
        "properties": {
            "entity": text(), "id": id(), "href": text(), "title": { "type": ["string", "null"] },
            "score": { "type": "number" }, "snippets": {},
        },
    });
    let duplicate = json!({
        "type": "object", "required": ["entity", "id", "score", "rule", "automatic"],
        "properties": {
            "entity": text(), "id": id(), "title": { "type": ["string", "null"] }, "score": { "type": "number" },
            "rule": text(), "automatic": { "type": "boolean" }, "explanation": {},
        },
    });
    let merge = json!({
        "type": "object",
        "required": ["id", "entity", "survivor_id", "loser_ids", "state", "at", "by", "undone_at", "undone_by"],
        "properties": {
            "id": id(), "entity": text(), "survivor_id": id(), "loser_ids": { "type": "array", "items": id() },
            "state": text(), "at": { "type": "string", "format": "date-time" }, "by": id(),
            "undone_at": { "type": ["string", "null"], "format": "date-time" },
            "undone_by": { "type": ["string", "null"], "format": "uuid" },
        },
    });
    [("RecordHit", hit), ("Duplicate", duplicate), ("RecordMerge", merge)]
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect()
}

/// Adds the addresses.
pub(super) fn describe(place: &Place<'_>, part: &mut Part) {
    let all = place.address();
    if place.entity.fields.iter().any(|field| field.searchable > 0) {
        part.add("get", &format!("{all}/search"), search(place));
    }
    part.add("get", &format!("{all}/export"), export(place));
    part.add("post", &format!("{all}/duplicates"), duplicates(place));
    if place.entity.operations.update && place.entity.operations.delete {
        part.add("post", &format!("{all}/merge"), merge(place));
    }
}

fn search(place: &Place<'_>) -> Operation {
    let words = json!({
        "name": "q", "in": "query", "required": true, "description": "Words; the last one may be a beginning",
        "schema": { "type": "string", "minLength": 1 }, "example": "example",
    });
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 20 });
    let count = json!({ "type": "string", "enum": ["none", "capped"], "default": "none" });
    let found = json!({
        "type": "object", "required": ["data", "complete"],
        "properties": {
            "data": { "type": "array", "items": schema("RecordHit") },
            "complete": { "type": "boolean", "description": "Whether every hit was looked at" },
            "count": { "type": "integer" },
        },
    });
    on_all(place, "search", "Search {}")
        .describe("The best hits first, of what you may read, each with the places that were found.")
        .takes([
            words,
            query("limit", limit, "How many"),
            query("count", count, "Whether to count, as far as it was looked"),
        ])
        .answers(200, "The best hits", found)
}

fn export(place: &Place<'_>) -> Operation {
    let format = json!({
        "name": "format", "in": "query", "required": true, "description": "The format of the file",
        "schema": { "type": "string", "enum": ["csv", "xlsx", "jsonl"] }, "example": "csv",
    });
    let flag = || json!({ "type": "boolean", "default": false });
    let text = || json!({ "type": "string" });
    on_all(place, "export", "Export {}")
        .describe("Everything that the list would show on all its pages, as one file; what spreadsheets take for formulas is made harmless.")
        .takes([
            format,
            query("titles", flag(), "A column with the title of what each reference refers to"),
            query("bom", flag(), "Begin a CSV file with a byte order mark"),
            own(place.entity, "fields"),
            own(place.entity, "sort"),
        ])
        .takes(selection(place.entity))
        .answers_as(200, "The file", "text/csv", text())
        .answers_as(200, "The file", "application/jsonl", text())
        .answers_as(200, "The file", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", text())
        .refuses(&[404, 503])
}

fn duplicates(place: &Place<'_>) -> Operation {
    let many = |items: Json| json!({ "type": "array", "minItems": 1, "maxItems": 1_000, "items": items });
    let one_of = |member: &str, items: Json| {
        json!({
            "type": "object", "additionalProperties": false, "required": [member],
            "properties": { member: many(items) },
        })
    };
    let found = json!({
        "type": "object", "required": ["data", "complete"],
        "properties": {
            "data": { "type": "array", "items": {
                "type": "object", "required": ["duplicates", "hidden", "skipped_keys"],
                "properties": { "duplicates": { "type": "array", "items": schema("Duplicate") }, "hidden": {}, "skipped_keys": {} },
            } },
            "complete": { "type": "boolean", "description": "Whether every record can be found yet" },
        },
    });
    let example = json!({ "records": [example::smallest(place.entity)] });
    on_all(place, "find_duplicates_of", "Find what looks like given {}")
        .describe("Of payloads that are not records yet, or of records; nothing is written.")
        .reads(
            json!({ "anyOf": [one_of("records", json!({ "type": "object" })), one_of("ids", id())] }),
            vec![("payloads", example)],
        )
        .answers(200, "For each, in order", found)
}

fn merge(place: &Place<'_>) -> Operation {
    let body = json!({
        "type": "object", "additionalProperties": false, "required": ["survivor_id", "loser_ids"],
        "properties": {
            "survivor_id": { "type": "string", "format": "uuid", "description": "The one that stays" },
            "loser_ids": { "type": "array", "minItems": 1, "items": id(), "description": "Those that become part of it" },
            "choices": { "type": "object", "description": "Of a field: whose value stays, or a new one" },
            "versions": {
                "type": "object", "additionalProperties": { "type": "integer" },
                "description": "As If-Match, for each record",
            },
        },
    });
    let done = json!({
        "type": "object", "required": ["merge", "record", "fields", "broken", "moved"],
        "properties": {
            "merge": schema("RecordMerge"),
            "record": { "anyOf": [place.record(), { "type": "null" }] },
            "fields": { "description": "Of each field: whose value it is now" },
            "broken": { "description": "References that were emptied, because they would have closed a circle" },
            "moved": { "type": "array", "items": { "type": "object" }, "description": "What referred to the others and refers to the survivor now" },
        },
    });
    on_all(place, "merge", "Merge {}")
        .describe("One survives, the others become part of it, and whatever referred to them refers to the survivor, in every module. It can be undone: `POST /api/v1/merges/{id}/undo`.")
        .takes(["dry_run", "If-Match", "Idempotency-Key"].into_iter().map(shared_parameter))
        .reads(body, vec![("two", json!({ "survivor_id": super::example::SOME_ID, "loser_ids": [super::example::SOME_ID] }))])
        .answers(200, "Merged", or_dry_run(done.clone()))
        .answers(202, "Merged; what other modules have of it follows", done)
        .refuses(&[404, 409, 412])
        .runs_plugin(place.has_hooks())
}
