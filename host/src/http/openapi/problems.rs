//! The refusals and failures that operations share: one response component for each status.

use serde_json::{Value as Json, json};

use super::part::schema;
use crate::http::problem::CONTENT_TYPE;

/// Status, what it means, and the header that comes with it.
const PROBLEMS: [(u16, &str, Option<&str>); 15] = [
    (400, "Malformed: JSON, a parameter, a header, or a filter that means nothing", None),
    (401, "No bearer token, or none that is valid", Some("WWW-Authenticate")),
    (403, "Your roles do not allow it, or the module is not licensed (`license_required`)", None),
    (404, "There is no such thing, or none that you may read", None),
    (408, "The body did not arrive in time", None),
    (409, "The state of things forbids it: `code` says which, further members what would work", None),
    (410, "It was there and is gone for good", None),
    (
        412,
        "The record is at another version than If-Match says; `current` is the record as it is",
        Some("ETag"),
    ),
    (413, "The body is too large", None),
    (415, "The body is not of a type that is read here", None),
    (422, "The input breaks rules; `errors` has every one with its place", None),
    (429, "Too many requests: `limit` says whose limit it is", Some("Retry-After")),
    (501, "This host does not offer it: `not_available`", None),
    (502, "Plugin code was stopped or failed; nothing was changed", None),
    (503, "Too busy, or asked for more than can be answered in time; come back later", Some("Retry-After")),
];

/// A reference to the problem with this status.
pub(super) fn reference(status: u16) -> Json {
    json!({ "$ref": format!("#/components/responses/Problem{status}") })
}

/// The shared responses.
pub(super) fn components() -> impl Iterator<Item = (String, Json)> {
    PROBLEMS.iter().map(|(status, description, header)| {
        let mut response =
            json!({ "description": description, "content": { CONTENT_TYPE: { "schema": schema("Problem") } } });
        if let (Some(header), Some(members)) = (header, response.as_object_mut()) {
            let text = json!({ *header: { "schema": { "type": "string" } } });
            members.insert("headers".to_owned(), text);
        }
        (format!("Problem{status}"), response)
    })
}
