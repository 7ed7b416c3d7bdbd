//! What stands behind every record of every entity: its comments, tags, followers, files, timeline and history.
//!
//! ```text
//! GET POST             …/{id}/comments          GET PATCH DELETE  …/{id}/comments/{comment}
//! GET PUT PATCH        …/{id}/tags              GET               /{entities}/tags
//! GET PUT DELETE       …/{id}/followers
//! GET POST             …/{id}/files             GET DELETE        …/{id}/files/{file}
//! POST                 /{entities}/files        a file for a record that is yet to be made
//! GET                  …/{id}/timeline, …/{id}/history
//! GET POST             …/{id}/shares            DELETE            …/{id}/shares/{share}
//! ```

mod comments;
mod feed;
mod files;
mod marks;
mod shares;
mod upload;

use std::rc::Rc;
use std::str::FromStr as _;
use std::sync::Arc;

use poem::http::StatusCode;
use poem::{Request, Response};
use serde::Serialize;

use super::mutate::response;
use super::{Call, is_get, method_not_allowed, missing_record, no_route, parameters, problem};
use crate::http::aside::aside;
use crate::http::problem::Problem;
use crate::ids::RecordId;
use crate::records::RecordError;
use crate::records::companions::Paging;
use crate::records::mutation::Reply;
use crate::records::schema::Entity;
use crate::storage::Connection;

/// Words behind a record that are answered here.
pub(super) const WORDS: [&str; 7] =
    ["comments", "tags", "followers", "files", "timeline", "history", "shares"];

/// Items per page, unless asked otherwise.
const LIMIT: usize = 50;
/// Most items per page.
const MOST: usize = 200;

/// The record behind which a request looks.
#[derive(Clone)]
struct Behind {
    entity: Arc<Entity>,
    record: RecordId,
}

impl Call<'_> {
    /// `/{entities}/{id}/{word}…`
    pub(super) async fn companion(
        self,
        entity: &Arc<Entity>,
        record: &str,
        (word, rest): (&str, &[&str]),
        request: Request,
    ) -> Result<Response, Problem> {
        let record = RecordId::from_str(record).map_err(|_| missing_record())?;
        let behind = Behind { entity: Arc::clone(entity), record };
        match (word, rest) {
            ("comments", []) => self.comments(behind, request).await,
            ("comments", [id]) => self.comment(behind, id, request).await,
            ("tags", []) => self.tags(behind, request).await,
            ("followers", []) => self.followers(behind, request).await,
            ("files", []) => self.files(behind, request).await,
            ("files", [id]) => self.file(behind, id, request).await,
            ("timeline", []) => self.timeline(behind, request).await,
            ("history", []) => self.history(behind, request).await,
            ("shares", []) => self.shares(behind, request).await,
            ("shares", [id]) => self.share(behind, id, request).await,
            _ => Err(no_route()),
        }
    }

    /// `/{entities}/{word}`
    pub(super) async fn companions_of_all(
        self,
        entity: &Arc<Entity>,
        word: &str,
        request: Request,
    ) -> Result<Response, Problem> {
        match word {
            "tags" => self.all_tags(entity, request).await,
            _ => self.loose_file(entity, request).await,
        }
    }

    /// A look behind a record that may take a while: not for an async worker.
    async fn look<T: Serialize + Send + 'static>(
        self,
        f: impl FnOnce(&Seat, &Rc<Connection>) -> Result<T, RecordError> + Send + 'static,
    ) -> Result<Response, Problem> {
        let seat = Seat { engine: self.app.records.clone(), scope: self.scope, module: self.module };
        let look = move || {
            let (engine, scope, module) = (seat.engine.clone(), seat.scope.clone(), Arc::clone(&seat.module));
            engine.read(&scope, &module, |conn| f(&seat, conn))
        };
        let seen = aside(look).await?;
        Ok(response(written(StatusCode::OK, &seen.map_err(problem)?)))
    }
}

/// What a look needs, away from the request.
struct Seat {
    engine: crate::records::Records,
    scope: crate::records::Scope,
    module: Arc<crate::records::schema::Module>,
}

/// A value as JSON.
fn written(status: StatusCode, value: &impl Serialize) -> Reply {
    let body = serde_json::to_vec(value).unwrap_or_default();
    Reply { status: status.as_u16(), body, ..Reply::default() }
}

/// The problem of an error on something behind a record: what is missing is named.
fn problem_of(thing: &'static str, code: &'static str) -> impl Fn(RecordError) -> Problem {
    move |error| match error {
        RecordError::NotFound => {
            let detail =
                format!("There is no {thing} with this id at this record, or none that you may read.");
            Problem::not_found(code, detail)
        }
        other => problem(other),
    }
}

/// The parameters of a list; what else it takes goes to `other`, which says whether it knows the name.
fn paging(
    request: &Request,
    mut other: impl FnMut(&str, &str) -> Result<bool, Problem>,
) -> Result<Paging, Problem> {
    let mut paging = Paging { limit: LIMIT, cursor: None };
    for (name, value) in parameters::pairs(request)? {
        match name.as_str() {
            "limit" => {
                let number = value.parse().ok().filter(|number| (1..=MOST).contains(number));
                paging.limit = number.ok_or_else(|| {
                    Problem::malformed("invalid_limit", format!("`limit` is a number from 1 to {MOST}."))
                })?;
            }
            "cursor" => paging.cursor = Some(value),
            name => {
                if !other(name, &value)? {
                    return Err(parameters::unknown(name));
                }
            }
        }
    }
    Ok(paging)
}

/// A list that takes nothing but paging.
fn only_paging(request: &Request) -> Result<Paging, Problem> {
    paging(request, |_, _| Ok(false))
}
