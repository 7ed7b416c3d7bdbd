//! What can be done with many records of an entity at once: asked by a filter in JSON, changed in bulk, and the recycle
//! bin with its way back and its way out.

use serde_json::{Value as Json, json};

use super::example;
use super::operation::Operation;
use super::parameters::shared_parameter;
use super::part::{Part, Place, schema};
use super::records::{on_all, on_one, or_dry_run};

/// The schemas that all entities share.
pub(super) fn shared() -> Vec<(String, Json)> {
    let filters = || json!({ "type": "array", "items": schema("Filter") });
    let only = |member: &str, of: Json| {
        json!({
            "type": "object", "additionalProperties": false, "required": [member], "properties": { member: of },
        })
    };
    let test = json!({
        "type": "object", "additionalProperties": false, "required": ["field", "value"],
        "properties": {
            "field": { "type": "string", "description": "A field, or a path to one of a related record: `account.industry`" },
            "op": {
                "type": "string", "default": "eq",
                "enum": ["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "contains", "starts", "empty", "has", "has_no", "within"],
            },
            "value": { "description": "A text, a number, true or false; a list of them for `in` and `nin`; a filter or true for `has` and `has_no`" },
        },
    });
    let filter = json!({
        "description": "A condition, nested eight deep at most",
        "anyOf": [only("and", filters()), only("or", filters()), only("not", schema("Filter")), test],
    });
    let fault = json!({
        "type": "object", "required": ["pointer", "code", "detail"],
        "properties": {
            "pointer": { "type": "string" }, "code": { "type": "string" }, "detail": { "type": "string" },
        },
    });
    let result = json!({
        "type": "object", "required": ["index", "status"],
        "properties": {
            "index": { "type": "integer", "description": "Which of the operations" },
            "status": { "type": "integer", "description": "What a request of its own would have been answered" },
            "id": { "type": "string", "format": "uuid" },
            "version": { "type": "integer" },
            "errors": { "type": "array", "items": fault },
        },
    });
    let count = || json!({ "type": "integer" });
    let results = json!({
        "type": "object", "required": ["results", "created", "updated", "deleted", "failed"],
        "properties": {
            "results": { "type": "array", "items": result },
            "created": count(), "updated": count(), "deleted": count(), "failed": count(),
        },
    });
    vec![("Filter".to_owned(), filter), ("BulkResults".to_owned(), results)]
}

/// Adds the addresses.
pub(super) fn describe(place: &Place<'_>, part: &mut Part) {
    let all = place.address();
    let offers = place.entity.operations;
    part.add("post", &format!("{all}/query"), query(place));
    if offers.create || offers.update || offers.delete {
        part.add("post", &format!("{all}/bulk"), bulk(place));
    }
    part.add("get", &format!("{all}/deleted"), deleted(place));
    part.add("post", &format!("{all}/{{id}}/restore"), restore(place));
    part.add("post", &format!("{all}/{{id}}/purge"), purge(place));
}

fn query(place: &Place<'_>) -> Operation {
    let names = |said: &str| {
        json!({
            "description": said,
            "anyOf": [{ "type": ["string", "null"] }, { "type": "array", "items": { "type": "string" } }],
        })
    };
    let body = json!({
        "type": "object", "additionalProperties": false,
        "properties": {
            "filter": { "anyOf": [schema("Filter"), { "type": "null" }] },
            "q": { "type": ["string", "null"], "description": "Only records in which full-text search finds this" },
            "view": { "type": ["string", "null"], "format": "uuid", "description": "A saved view" },
            "sort": names("Fields, most significant first; `-` for descending"),
            "fields": names("Only these members"),
            "expand": names("Related records to show"),
            "limit": { "type": ["integer", "null"], "minimum": 1, "maximum": 200 },
            "cursor": { "type": ["string", "null"] },
            "count": { "enum": ["none", "capped", "exact", null] },
        },
    });
    let filter = json!({ "and": [
        { "field": "version", "op": "gte", "value": 1 },
        { "not": { "field": "created_at", "op": "empty", "value": true } },
    ] });
    on_all(place, "query", "List {} by a filter in JSON")
        .describe("For filters that nest or are too long for an address; else as the list.")
        .reads(body, vec![("nested", json!({ "filter": filter, "limit": 5, "count": "exact" }))])
        .answers(200, "A page", place.page())
        .refuses(&[404])
}

fn bulk(place: &Place<'_>) -> Operation {
    let offers = place.entity.operations;
    let id = || json!({ "type": "string", "format": "uuid" });
    let version = || json!({ "type": ["integer", "null"], "description": "As If-Match" });
    let one = |op: &str, needed: &[&str], members: Json| {
        let mut operation = json!({
            "type": "object", "additionalProperties": false, "required": needed, "properties": members,
        });
        if let Some(members) = operation.get_mut("properties").and_then(Json::as_object_mut) {
            members.insert("op".to_owned(), json!({ "const": op }));
        }
        operation
    };
    let mut kinds = Vec::new();
    if offers.create {
        kinds.push(one("create", &["op", "fields"], json!({ "fields": place.new_input() })));
    }
    if offers.update {
        let members = json!({ "id": id(), "version": version(), "fields": place.input() });
        kinds.push(one("update", &["op", "id", "fields"], members));
    }
    if offers.create && offers.update {
        let by = json!({ "type": "string", "description": "`external_id:` and a source, or a unique field" });
        let value = json!({ "description": "What the record is known by" });
        let members = json!({ "by": by, "value": value, "fields": place.input() });
        kinds.push(one("upsert", &["op", "by", "value", "fields"], members));
    }
    if offers.delete {
        kinds.push(one("delete", &["op", "id"], json!({ "id": id(), "version": version() })));
    }
    let body = json!({
        "type": "object", "additionalProperties": false, "required": ["operations"],
        "properties": {
            "atomic": { "type": "boolean", "default": true, "description": "All or nothing; else each for itself" },
            "operations": { "type": "array", "maxItems": 1_000, "items": { "anyOf": kinds } },
        },
    });
    let operations = match offers.create {
        true => json!([{ "op": "create", "fields": example::smallest(place.entity) }]),
        false => json!([]),
    };
    on_all(place, "bulk", "Change many {}")
        .takes(["dry_run", "Idempotency-Key"].into_iter().map(shared_parameter))
        .reads(
            body,
            vec![
                ("each for itself", json!({ "atomic": false, "operations": operations })),
                ("together", json!({ "operations": operations })),
            ],
        )
        .answers(200, "What became of each", or_dry_run(schema("BulkResults")))
        .runs_plugin(place.has_hooks())
}

fn deleted(place: &Place<'_>) -> Operation {
    let more = json!({
        "type": "object", "required": ["deleted_at", "deleted_by", "cohort"],
        "properties": {
            "deleted_at": { "type": "string", "format": "date-time" },
            "deleted_by": { "type": "string", "format": "uuid" },
            "cohort": { "type": "string", "format": "uuid", "description": "The same for what was deleted together" },
        },
    });
    let page = json!({
        "type": "object", "required": ["data", "next_cursor"],
        "properties": {
            "data": { "type": "array", "items": { "allOf": [place.record(), more] } },
            "next_cursor": { "type": ["string", "null"] },
        },
    });
    on_all(place, "list_deleted", "The recycle bin of {}")
        .describe("What you may read and restore, the latest deletion first.")
        .takes(["limit", "cursor"].into_iter().map(shared_parameter))
        .answers(200, "A page", page)
}

fn restore(place: &Place<'_>) -> Operation {
    let body = json!({
        "type": "object", "additionalProperties": false,
        "properties": {
            "only_this": { "type": "boolean", "default": false, "description": "Not what was deleted with it" },
            "changes": {
                "type": "object",
                "additionalProperties": place.input(),
                "description": "New values that settle conflicts, by the record's id",
            },
        },
    });
    on_one(place, "restore", "Take {} out of the recycle bin")
        .describe("With all that was deleted with it. It comes back under the rules of today: 409 `restore_conflict` has every conflict.")
        .takes(["id", "dry_run", "Idempotency-Key"].into_iter().map(shared_parameter))
        .reads(body, vec![("whole cohort", json!({}))])
        .optional_body()
        .answers(200, "The record", or_dry_run(place.record()))
        .with_headers(200, &["ETag"])
        .refuses(&[404, 409])
        .runs_plugin(place.has_hooks())
}

fn purge(place: &Place<'_>) -> Operation {
    let body = json!({
        "type": "object", "additionalProperties": false,
        "properties": {
            "cohort": { "type": "boolean", "default": false, "description": "With all that was deleted with it" },
        },
    });
    let done = json!({
        "type": "object", "required": ["purged"], "properties": { "purged": { "type": "integer" } },
    });
    on_one(place, "purge", "Throw {} away for good")
        .describe("Only what lies in the recycle bin, and only what nothing refers to any more. The change log keeps its last values.")
        .takes(["id", "dry_run", "Idempotency-Key"].into_iter().map(shared_parameter))
        .reads(body, vec![("only this", json!({}))])
        .optional_body()
        .answers(200, "How many records went", or_dry_run(done))
        .refuses(&[404, 409])
}
