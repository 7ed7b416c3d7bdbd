//! What stands behind every record: comments, tags, followers, files, and the two ways of looking back.

use serde_json::{Value as Json, json};

use super::operation::Operation;
use super::parameters::{list, path_id, query, shared_parameter};
use super::part::{Part, Place, schema};
use super::records::{on_all, on_one, or_dry_run};

fn instant() -> Json {
    json!({ "type": "string", "format": "date-time" })
}

fn id() -> Json {
    json!({ "type": "string", "format": "uuid" })
}

/// A page of these items.
fn page(items: Json) -> Json {
    json!({
        "type": "object",
        "required": ["data", "next_cursor"],
        "properties": {
            "data": { "type": "array", "items": items },
            "next_cursor": { "type": ["string", "null"] },
        },
    })
}

fn tags() -> Json {
    json!({
        "type": "object", "required": ["tags"], "additionalProperties": false,
        "properties": { "tags": { "type": "array", "maxItems": 30, "items": { "type": "string", "minLength": 1, "maxLength": 50 } } },
    })
}

/// The schemas that all entities share.
pub(super) fn shared() -> Vec<(String, Json)> {
    let person = json!({
        "type": "object", "required": ["id", "name"],
        "properties": { "id": id(), "name": { "type": ["string", "null"] } },
    });
    let comment = json!({
        "type": "object", "required": ["id", "version", "created_at", "edited_at", "by", "text", "mentions"],
        "properties": {
            "id": id(), "version": { "type": "integer" }, "created_at": instant(),
            "edited_at": { "type": ["string", "null"], "format": "date-time" },
            "by": schema("Somebody"), "text": { "type": "string" },
            "mentions": { "type": "array", "items": schema("Somebody") },
        },
    });
    let words = json!({
        "type": "object", "additionalProperties": false,
        "properties": {
            "text": { "type": "string", "minLength": 1, "maxLength": 10_000, "description": "`@[id]` calls a person" },
            "mentions": { "type": ["array", "null"], "maxItems": 50, "items": id(), "description": "Who is called besides" },
        },
    });
    let tags = tags();
    let file = json!({
        "type": "object", "required": ["id", "name", "media_type", "size", "sha256", "created_at", "by"],
        "properties": {
            "id": id(), "name": { "type": "string" }, "media_type": { "type": "string" },
            "size": { "type": "integer" }, "sha256": { "type": "string", "pattern": "^[0-9a-f]{64}$" },
            "created_at": instant(), "by": schema("Somebody"),
            "url": { "type": "string", "description": "Where the content is, for some minutes and without a token" },
        },
    });
    let change = json!({
        "type": "object", "required": ["id", "event", "at", "by", "source", "as_plugin", "request", "changes"],
        "properties": {
            "id": { "type": "string" }, "event": { "enum": ["created", "updated", "deleted", "restored"] },
            "at": instant(), "by": schema("Somebody"), "source": { "type": "string" },
            "as_plugin": { "type": "boolean" }, "request": id(),
            "merge": { "type": "string", "format": "uuid", "description": "The merge that did it, or whose undoing did" },
            "changes": { "type": "array", "items": {
                "type": "object", "required": ["field", "old", "new"],
                "properties": { "field": { "type": "string" }, "old": {}, "new": {} },
            } },
        },
    });
    let item = json!({
        "type": "object", "required": ["type", "id", "event", "at", "by"],
        "properties": {
            "type": { "enum": ["changes", "comments", "files", "tags", "followers", "merges", "children"] },
            "id": { "type": "string" }, "event": { "type": "string" }, "at": instant(), "by": schema("Somebody"),
        },
    });
    let named = [
        ("Somebody", person),
        ("Comment", comment),
        ("Words", words),
        ("Tags", tags),
        ("File", file),
        ("Change", change),
        ("TimelineItem", item),
    ];
    named.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// Adds the addresses.
pub(super) fn describe(place: &Place<'_>, part: &mut Part) {
    let (all, one) = (place.address(), format!("{}/{{id}}", place.address()));
    part.add("get", &format!("{one}/timeline"), timeline(place));
    part.add("get", &format!("{one}/history"), history(place));
    comments(place, &one, part);
    marks(place, &all, &one, part);
    shares(place, &one, part);
    files(place, &all, &one, part);
}

/// A list behind a record.
fn behind(place: &Place<'_>, verb: &str, summary: &str, items: Json) -> Operation {
    on_one(place, verb, summary)
        .takes(["id", "limit", "cursor"].into_iter().map(shared_parameter))
        .answers(200, "A page, the newest first", page(items))
        .refuses(&[404])
}

/// Something done behind a record.
fn change(place: &Place<'_>, verb: &str, summary: &str) -> Operation {
    on_one(place, verb, summary)
        .takes(["id", "dry_run", "Idempotency-Key"].into_iter().map(shared_parameter))
        .refuses(&[404, 409, 422])
}

fn timeline(place: &Place<'_>) -> Operation {
    let parts = ["changes", "comments", "files", "tags", "followers", "merges", "children"];
    behind(place, "get_timeline_of", "What happened to {} and around it", schema("TimelineItem"))
        .takes([list("types", json!({ "type": "string", "enum": parts }), None, "Only items of these types")])
}

fn history(place: &Place<'_>) -> Operation {
    let keys: Vec<&str> =
        place.entity.system.iter().chain(&place.entity.fields).map(|field| &*field.key).collect();
    let field = query("field", json!({ "type": "string", "enum": keys }), "Only changes of this field");
    behind(place, "get_history_of", "What was changed in {}, field by field", schema("Change")).takes([field])
}

fn comments(place: &Place<'_>, one: &str, part: &mut Part) {
    let (all, this) = (format!("{one}/comments"), format!("{one}/comments/{{comment}}"));
    let comment = || path_id("comment", "The comment");
    let words = || json!({ "allOf": [schema("Words")], "type": "object", "required": ["text"] });
    let said = |text: &str| vec![("said", json!({ "text": text }))];
    part.add("get", &all, behind(place, "list_comments_of", "Comments on {}", schema("Comment")));
    part.add(
        "post",
        &all,
        change(place, "comment", "Comment on {}")
            .reads(words(), said("Let us talk about it."))
            .answers(201, "Said", schema("Comment"))
            .answers(200, "What a dry run would have done", schema("DryRun"))
            .with_headers(201, &["ETag", "Location"]),
    );
    let about = |verb: &str, summary: &str| change(place, verb, summary).takes([comment()]);
    let get = on_one(place, "get_comment_of", "A comment on {}")
        .takes([shared_parameter("id"), comment()])
        .answers(200, "The comment", schema("Comment"))
        .with_headers(200, &["ETag"])
        .refuses(&[404]);
    part.add("get", &this, get);
    part.add(
        "patch",
        &this,
        about("edit_comment_of", "Change what a comment on {} says")
            .takes([shared_parameter("If-Match")])
            .reads_as("application/merge-patch+json", schema("Words"), said("Let us talk about it soon."))
            .answers(200, "The comment as it is now", or_dry_run(schema("Comment")))
            .with_headers(200, &["ETag"])
            .refuses(&[412]),
    );
    part.add(
        "delete",
        &this,
        about("delete_comment_of", "Take back a comment on {}")
            .takes([shared_parameter("If-Match")])
            .answers_nothing(204, "Taken back")
            .answers(200, "What a dry run would have done", schema("DryRun"))
            .refuses(&[412]),
    );
}

fn marks(place: &Place<'_>, all: &str, one: &str, part: &mut Part) {
    let tags = format!("{one}/tags");
    let read = on_one(place, "get_tags_of", "Tags of {}")
        .takes([shared_parameter("id")])
        .answers(200, "The tags, in order", schema("Tags"))
        .refuses(&[404]);
    part.add("get", &tags, read);
    let all_of_them = vec![("two", json!({ "tags": ["important", "to be called"] }))];
    let set = change(place, "set_tags_of", "Set the tags of {}").reads(schema("Tags"), all_of_them).answers(
        200,
        "The tags, in order",
        or_dry_run(schema("Tags")),
    );
    part.add("put", &tags, set);
    let some = json!({ "type": "array", "items": { "type": "string", "minLength": 1, "maxLength": 50 } });
    let more_and_less = json!({
        "type": "object", "additionalProperties": false, "properties": { "add": some, "remove": some },
    });
    let change_them = change(place, "change_tags_of", "Add and remove tags of {}")
        .reads_as(
            "application/merge-patch+json",
            more_and_less,
            vec![("both", json!({ "add": ["new"], "remove": ["old"] }))],
        )
        .answers(200, "The tags, in order", or_dry_run(schema("Tags")));
    part.add("patch", &tags, change_them);

    let count = json!({
        "type": "object", "required": ["tag", "count"],
        "properties": { "tag": { "type": "string" }, "count": { "type": "integer" } },
    });
    let known = on_all(place, "list_tags_of", "Tags of {}")
        .takes(["limit", "cursor"].into_iter().map(shared_parameter))
        .takes([query("q", json!({ "type": "string" }), "Only tags that begin so")])
        .answers(200, "A page, each tag with the number of records that you may read", page(count));
    part.add("get", &format!("{all}/tags"), known);

    let followers = format!("{one}/followers");
    let follower = json!({
        "allOf": [schema("Somebody")], "type": "object", "required": ["since"],
        "properties": { "since": instant() },
    });
    part.add("get", &followers, behind(place, "list_followers_of", "Who follows {}", follower));
    let follow = change(place, "follow", "Follow {}").answers_nothing(204, "You follow it").answers(
        200,
        "What a dry run would have done",
        schema("DryRun"),
    );
    part.add("put", &followers, follow);
    let leave = change(place, "unfollow", "Follow {} no more")
        .answers_nothing(204, "You follow it no more")
        .answers(200, "What a dry run would have done", schema("DryRun"));
    part.add("delete", &followers, leave);
}

fn shares(place: &Place<'_>, one: &str, part: &mut Part) {
    let all = format!("{one}/shares");
    let share = json!({
        "type": "object", "required": ["id", "kind", "subject", "level", "created_at", "created_by"],
        "properties": {
            "id": { "type": "string", "format": "uuid" },
            "kind": { "enum": ["user", "team"] },
            "subject": { "type": "string", "format": "uuid" },
            "level": { "enum": ["read", "update"] },
            "expires_at": { "type": ["string", "null"], "format": "date-time" },
            "created_at": instant(),
            "created_by": { "type": "string", "format": "uuid" },
        },
    });
    let new = json!({
        "type": "object", "additionalProperties": false,
        "properties": {
            "user": { "type": "string", "format": "uuid" },
            "team": { "type": "string", "format": "uuid" },
            "level": { "enum": ["read", "update"], "default": "read" },
            "expires_at": { "type": ["string", "null"], "format": "date-time" },
        },
    });
    let example = json!({ "user": "01900000-0000-7000-8000-000000000001", "level": "read" });
    let list = on_one(place, "list_shares_of", "With whom {} is shared")
        .takes([shared_parameter("id")])
        .answers(200, "All of them", page(share.clone()))
        .refuses(&[404]);
    part.add("get", &all, list);
    let add = change(place, "share", "Share {} with a person or a team")
        .describe("Takes the right to change the record otherwise than by a share. A share with the same one is replaced.")
        .reads(new, vec![("with a person", example)])
        .answers(201, "The share", share)
        .refuses(&[409]);
    part.add("post", &all, add);
    let id = path_id("share", "The share");
    let remove =
        change(place, "unshare", "Take a share of {} back").takes([id]).answers_nothing(204, "Taken back");
    part.add("delete", &format!("{all}/{{share}}"), remove);
}

fn files(place: &Place<'_>, all: &str, one: &str, part: &mut Part) {
    let upload = || {
        json!({
            "type": "object", "required": ["file"],
            "properties": { "file": { "type": "string", "contentMediaType": "application/octet-stream" } },
        })
    };
    let (list, this) = (format!("{one}/files"), format!("{one}/files/{{file}}"));
    part.add("get", &list, behind(place, "list_files_of", "Files of {}", schema("File")));
    part.add(
        "post",
        &list,
        change(place, "attach_file_to", "Attach a file to {}")
            .describe("One part `file`, 64 MiB at most.")
            .reads_as("multipart/form-data", upload(), Vec::new())
            .answers(201, "Attached", schema("File"))
            .answers(200, "What a dry run would have done", schema("DryRun"))
            .with_headers(201, &["Location"]),
    );
    if place.entity.operations.create {
        let loose = on_all(place, "upload_file_for", "Upload a file for one of {} that is yet to be made")
            .describe("Put its id into a file field of the new record within a day.")
            .takes(["dry_run", "Idempotency-Key"].into_iter().map(shared_parameter))
            .reads_as("multipart/form-data", upload(), Vec::new())
            .answers(201, "Uploaded", schema("File"))
            .answers(200, "What a dry run would have done", schema("DryRun"))
            .refuses(&[409]);
        part.add("post", &format!("{all}/files"), loose);
    }
    let file = || path_id("file", "The file");
    let get = on_one(place, "get_file_of", "A file of {}, with a link to its content")
        .takes([shared_parameter("id"), file()])
        .answers(200, "The file", schema("File"))
        .refuses(&[404]);
    part.add("get", &this, get);
    let remove = change(place, "remove_file_of", "Remove a file of {}")
        .takes([file()])
        .answers_nothing(204, "Removed")
        .answers(200, "What a dry run would have done", schema("DryRun"));
    part.add("delete", &this, remove);
}
