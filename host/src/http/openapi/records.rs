//! The addresses of an entity's records: list and create, get, change and delete one.

use serde_json::{Value as Json, json};

use super::example;
use super::filters::{own, selection};
use super::operation::Operation;
use super::parameters::shared_parameter;
use super::part::{Part, Place, schema};

/// The schemas that all entities share.
pub(super) fn shared() -> Vec<(String, Json)> {
    let state = |said: &str| json!({ "type": ["object", "null"], "description": said });
    let change = json!({
        "type": "object",
        "required": ["entity", "id", "operation", "before", "after"],
        "properties": {
            "entity": { "type": "string" },
            "id": { "type": "string", "format": "uuid" },
            "operation": { "type": "string", "enum": ["created", "updated", "deleted", "restored", "purged"] },
            "before": state("The members that differ, as they were; null for a new record"),
            "after": state("The members that differ, as they would be; null for one that would be gone"),
        },
    });
    let dry_run = json!({
        "type": "object",
        "required": ["dry_run", "result", "changes", "hidden", "beside"],
        "properties": {
            "dry_run": { "const": true },
            "result": { "description": "What would have been answered" },
            "changes": { "type": "array", "items": change, "description": "Every record that would change, by hooks and cascades too" },
            "hidden": { "type": "integer", "description": "Records that would change and that you may not read" },
            "beside": {
                "type": "array", "items": { "type": "object" },
                "description": "What would happen beside records: comments, tags, followers, files, merges",
            },
        },
    });
    vec![("DryRun".to_owned(), dry_run)]
}

/// Adds every address of the entity.
pub(super) fn describe(place: &Place<'_>, part: &mut Part) {
    let (all, one) = (place.address(), format!("{}/{{id}}", place.address()));
    let operations = place.entity.operations;
    part.add("get", &all, list(place));
    part.add("get", &one, get(place));
    if operations.create {
        part.add("post", &all, create(place));
    }
    if operations.update {
        part.add("patch", &one, update(place));
    }
    if operations.delete {
        part.add("delete", &one, delete(place));
    }
}

/// An operation on the entity: `create` becomes `create_crm_account`.
pub(super) fn on_one(place: &Place<'_>, verb: &str, summary: &str) -> Operation {
    let name = format!("{verb}_{}_{}", place.entity.plugin, place.entity.key);
    Operation::new(&name, &place.entity.plugin, summary.replace("{}", &place.entity.label))
}

/// An operation on its collection: `list` becomes `list_crm_accounts`.
pub(super) fn on_all(place: &Place<'_>, verb: &str, summary: &str) -> Operation {
    let name = format!("{verb}_{}_{}", place.entity.plugin, place.entity.plural);
    Operation::new(&name, &place.entity.plugin, summary.replace("{}", &place.entity.plural))
}

/// What a dry run answers beside the answer itself.
pub(super) fn or_dry_run(schema_of_answer: Json) -> Json {
    json!({ "anyOf": [schema_of_answer, schema("DryRun")] })
}

fn list(place: &Place<'_>) -> Operation {
    let shown = ["sort", "fields", "expand"].into_iter().map(|name| own(place.entity, name));
    let paged = ["limit", "cursor", "count"].into_iter().map(shared_parameter);
    on_all(place, "list", "List {}")
        .takes(paged)
        .takes(shown)
        .takes(selection(place.entity))
        .answers(200, "A page", place.page())
        .refuses(&[404])
}

fn create(place: &Place<'_>) -> Operation {
    let parameters = ["dry_run", "allow_duplicates", "Idempotency-Key"].into_iter().map(shared_parameter);
    let examples =
        vec![("smallest", example::smallest(place.entity)), ("whole", example::whole(place.entity))];
    on_one(place, "create", "Create {}")
        .takes(parameters)
        .reads(place.new_input(), examples)
        .answers(201, "Created", place.record())
        .with_headers(201, &["ETag", "Location"])
        .answers(200, "What a dry run would have done", schema("DryRun"))
        .refuses(&[409])
        .runs_plugin(place.has_hooks())
}

fn get(place: &Place<'_>) -> Operation {
    on_one(place, "get", "Get {}")
        .takes([shared_parameter("id"), own(place.entity, "fields"), own(place.entity, "expand")])
        .answers(200, "The record", place.record())
        .with_headers(200, &["ETag"])
        .refuses(&[404])
}

fn update(place: &Place<'_>) -> Operation {
    let parameters = ["id", "If-Match", "dry_run", "allow_duplicates", "Idempotency-Key"]
        .into_iter()
        .map(shared_parameter);
    on_one(place, "update", "Change {}")
        .describe("A JSON Merge Patch: members that are left out stay, null clears.")
        .takes(parameters)
        .reads_as(
            "application/merge-patch+json",
            place.input(),
            vec![("change", example::change(place.entity))],
        )
        .answers(200, "The record as it is now", or_dry_run(place.record()))
        .with_headers(200, &["ETag"])
        .refuses(&[404, 409, 412])
        .runs_plugin(place.has_hooks())
}

fn delete(place: &Place<'_>) -> Operation {
    on_one(place, "delete", "Move {} to the recycle bin")
        .takes(["id", "If-Match", "dry_run", "Idempotency-Key"].into_iter().map(shared_parameter))
        .answers_nothing(204, "Moved, with whatever goes along")
        .answers(200, "What a dry run would have done", schema("DryRun"))
        .refuses(&[404, 409, 412, 422])
        .runs_plugin(place.has_hooks())
}
