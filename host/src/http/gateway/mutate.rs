//! The frame of every request that changes records: what it was sent with, the transaction, and the answer. A handler
//! brings only the work itself.

use poem::http::{HeaderName, HeaderValue, StatusCode, header};
use poem::{Request, Response};
use serde_json::{Map, Value as Json};

use super::{Call, etag, json, parameters, problem};
use crate::http::body;
use crate::http::problem::{Fault, Problem};
use crate::records::idempotency::{Asked, Key};
use crate::records::mutation::{self, Manner, Reply};
use crate::records::strict::{self, StrictError};
use crate::records::tx::Tx;
use crate::records::{RecordError, list};

/// The header of a key.
pub(in crate::http) const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header of an answer that was given before.
pub(in crate::http) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// What a mutation was sent with.
pub(super) struct Sent {
    /// The body; empty when there is none.
    pub(super) body: Vec<u8>,
    /// The version in `If-Match`.
    pub(super) version: Option<u64>,
    /// Tried or done, and under which key.
    pub(super) manner: Manner,
}

impl Sent {
    /// Reads the body of at most `limit` bytes, the condition, `dry_run`, and the key.
    pub(super) async fn within(request: &mut Request, limit: usize) -> Result<Self, Problem> {
        let dry_run = parameters::dry_run(request)?;
        let version = parameters::if_match(request)?;
        let has_body = request.header(header::CONTENT_LENGTH).is_some_and(|length| length != "0")
            || request.headers().contains_key(header::TRANSFER_ENCODING);
        let is_json = body::is_json(request.header(header::CONTENT_TYPE));
        let unsupported = || body::unsupported("Send JSON with Content-Type: application/json.");
        if has_body && !is_json {
            return Err(unsupported());
        }
        let body = body::read_within(request.take_body(), limit).await?;
        if !body.is_empty() && !is_json {
            return Err(unsupported());
        }
        let asked = key(request)?.map(|key| asked(request, &key, version, &[&body]));
        Ok(Self { body, version, manner: Manner { dry_run, asked } })
    }

    /// [`Sent::within`] the limit of ordinary bodies.
    pub(super) async fn of(request: &mut Request) -> Result<Self, Problem> {
        Self::within(request, body::LIMIT).await
    }

    /// The members of the body, which must be there.
    pub(super) fn members(&self) -> Result<Map<String, Json>, Problem> {
        members(&self.body)
    }

    /// The members of the body, if there is one.
    pub(super) fn optional_members(&self) -> Result<Map<String, Json>, Problem> {
        if self.body.is_empty() { Ok(Map::new()) } else { members(&self.body) }
    }
}

/// The key of the request: refused when it is none, also where it is not used.
pub(super) fn key(request: &Request) -> Result<Option<Key>, Problem> {
    let mut keys = request.headers().get_all(KEY).iter();
    let key = match (keys.next(), keys.next()) {
        (None, _) => return Ok(None),
        (Some(key), None) => key.to_str().ok(),
        _ => None,
    };
    key.and_then(Key::new).map(Some).ok_or_else(invalid_key)
}

/// What a key stands for: the method, the address, the condition and the parts of the body.
pub(super) fn asked(request: &Request, key: &Key, version: Option<u64>, body: &[&[u8]]) -> Asked {
    let condition = version.map(etag).unwrap_or_default();
    let of_request =
        [request.method().as_str().as_bytes(), request.uri().path().as_bytes(), condition.as_bytes()];
    key.of(of_request.iter().chain(body).copied())
}

/// 400: a header that is no key.
pub(in crate::http) fn invalid_key() -> Problem {
    let detail = "Idempotency-Key is one text of 1 to 255 printable ASCII characters, new for each request.";
    Problem::malformed("invalid_idempotency_key", detail)
}

/// The members of a JSON body.
pub(super) fn members(bytes: &[u8]) -> Result<Map<String, Json>, Problem> {
    strict::object(bytes).map_err(|error| match &error {
        StrictError::Malformed { .. } => Problem::malformed("malformed_json", format!("{error}.")),
        StrictError::Duplicate(name) => {
            Problem::invalid(vec![Fault::new(format!("/{name}"), "duplicate_member", format!("{error}."))])
        }
    })
}

impl Call<'_> {
    /// Does `work` in a write transaction of the module's file, in this manner, and answers what it answers.
    pub(super) async fn mutate(
        &self,
        manner: Manner,
        work: impl FnOnce(&Tx) -> Result<Reply, RecordError> + Send + 'static,
    ) -> Result<Response, Problem> {
        Ok(response(self.done(manner, work).await.map_err(problem)?))
    }

    /// The same, for an answer that is not the whole answer yet, or whose refusals are told in a way of their own.
    pub(super) async fn done(
        &self,
        manner: Manner,
        work: impl FnOnce(&Tx) -> Result<Reply, RecordError> + Send + 'static,
    ) -> Result<Reply, RecordError> {
        let hooks = self.app.hooks();
        let framed = move |tx: &Tx| mutation::perform(tx, &manner, work);
        self.app.records.write(&self.scope, &self.module, &hooks, framed).await
    }
}

/// A record as an answer; an empty object when whoever wrote it may not read it.
pub(super) fn reply(status: StatusCode, one: Option<list::One>) -> Reply {
    let (version, body) = one.map_or((None, b"{}".to_vec()), |one| (Some(one.version), one.body));
    Reply { status: status.as_u16(), version, body, ..Reply::default() }
}

pub(super) fn response(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or_default();
    let mut response = if reply.body.is_empty() {
        Response::builder().status(status).finish()
    } else {
        json(status, reply.body)
    };
    let headers = response.headers_mut();
    if let Some(tag) = reply.version.and_then(|version| etag(version).parse().ok()) {
        headers.insert(header::ETAG, tag);
    }
    if let Some(location) = reply.location.and_then(|location| location.parse().ok()) {
        headers.insert(header::LOCATION, location);
    }
    if reply.replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}
