//! Mutations of the host's own resources that can be tried and repeated: how they are asked for, and what they answer. The
//! gateway has the same for records in `gateway/mutate.rs`.

use poem::http::{StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::{Any, Type as _};
use serde_json::{Value as Json, json};

use crate::http::answer::Done;
use crate::http::gateway::mutate::{REPLAYED, invalid_key};
use crate::http::problem::Problem;
use crate::records::idempotency::Key;
use crate::records::mutation::Manner;
use crate::records::own::Came;

/// How a mutation is to be done: `dry_run`, the key, and what makes two requests the same.
///
/// # Errors
/// 400 for what is no key, also where it is not used.
pub fn manner(dry_run: Option<bool>, key: Option<&str>, parts: &[&str]) -> Result<Manner, Problem> {
    let key = key.map(|text| Key::new(text).ok_or_else(invalid_key)).transpose()?;
    let asked = key.map(|key| key.of(parts.iter().map(|part| part.as_bytes())));
    Ok(Manner { dry_run: dry_run.unwrap_or_default(), asked })
}

/// What a mutation answers: what it did, now or when the request was first sent, or what it would do.
pub enum Mutated<A> {
    /// It is done.
    Done(A),
    /// It was done before, under the same key.
    Again(A),
    /// Nothing is kept of it.
    Tried(Json),
}

/// Things of a kind as dry runs tell of them.
pub trait Thing<T> {
    /// What the policy calls them.
    fn object(&self) -> &'static str;
    /// The id of one.
    fn id(&self, thing: &T) -> String;
    /// One as the API shows it.
    fn body(&self, thing: &T) -> Json;
}

/// The answer of a mutation after which the thing is there.
///
/// # Errors
/// 500 when it is not.
pub fn answered<T, A>(
    came: Came<T>,
    thing: &impl Thing<T>,
    answer: impl FnOnce(T) -> A,
) -> Result<Mutated<A>, Problem> {
    if came.dry_run {
        return Ok(Mutated::Tried(report(&came, thing)));
    }
    let done = came.after.map(answer).ok_or_else(Problem::opaque)?;
    Ok(if came.replayed { Mutated::Again(done) } else { Mutated::Done(done) })
}

/// The answer of a deletion.
pub fn gone<T>(came: Came<T>, thing: &impl Thing<T>) -> Mutated<Done> {
    match (came.dry_run, came.replayed) {
        (true, _) => Mutated::Tried(report(&came, thing)),
        (_, true) => Mutated::Again(Done),
        _ => Mutated::Done(Done),
    }
}

/// What a dry run tells, in the form of `records/dry_run.rs`.
fn report<T>(came: &Came<T>, thing: &impl Thing<T>) -> Json {
    let shown = |one: &Option<T>| one.as_ref().map(|one| thing.body(one));
    let (before, after) = (shown(&came.before), shown(&came.after));
    let operation = match (&before, &after) {
        (None, _) => "created",
        (_, None) => "deleted",
        _ => "updated",
    };
    let id = came.after.as_ref().or(came.before.as_ref()).map(|one| thing.id(one));
    let differing = |one: &Option<Json>, other: &Option<Json>| match (one, other) {
        (Some(Json::Object(one)), Some(other)) => {
            one.iter().filter(|(name, value)| other.get(*name) != Some(value)).map(owned).collect()
        }
        (one, _) => one.clone().unwrap_or_default(),
    };
    let change = json!({
        "entity": thing.object(), "id": id, "operation": operation,
        "before": differing(&before, &after), "after": differing(&after, &before),
    });
    let changes = if before == after { Vec::new() } else { vec![change] };
    json!({ "dry_run": true, "result": after, "changes": changes, "hidden": 0, "beside": [] })
}

fn owned((name, value): (&String, &Json)) -> (String, Json) {
    (name.clone(), value.clone())
}

impl<A: IntoResponse> IntoResponse for Mutated<A> {
    fn into_response(self) -> Response {
        match self {
            Self::Done(answer) => answer.into_response(),
            Self::Again(answer) => answer.with_header(REPLAYED, "true").into_response(),
            Self::Tried(report) => Response::builder()
                .status(StatusCode::OK)
                .header(header::CONTENT_TYPE, "application/json")
                .body(report.to_string()),
        }
    }
}

impl<A: ApiResponse> ApiResponse for Mutated<A> {
    fn meta() -> MetaResponses {
        let mut meta = A::meta();
        if meta.responses.iter().all(|response| response.status != Some(200)) {
            let json = MetaMediaType { content_type: "application/json", schema: Any::<Json>::schema_ref() };
            meta.responses.push(MetaResponse {
                description: "What a dry run would have done.",
                status: Some(200),
                status_range: None,
                content: vec![json],
                headers: Vec::new(),
            });
        }
        meta
    }

    fn register(registry: &mut Registry) {
        A::register(registry);
        Any::<Json>::register(registry);
    }
}
