//! Actions: `POST` for those that write, `GET` (or `POST`) for those that read.

use std::sync::Arc;

use poem::http::{Method, StatusCode, header};
use poem::{Request, Response};
use serde_json::{Map, Value as Json};

use super::{
    Call, etag, is_get, is_read, json, method_not_allowed, missing_record, no_route, parameters, problem,
    records,
};
use crate::http::problem::Problem;
use crate::ids::RecordId;
use crate::plugins::{ActionMode, ActionTarget, Answer, Invocation};
use crate::records::schema::Entity;

impl Call<'_> {
    pub(super) async fn action(
        self,
        entity: Option<&Arc<Entity>>,
        record: Option<RecordId>,
        target: ActionTarget,
        verb: &str,
        mut request: Request,
    ) -> Result<Response, Problem> {
        let key = entity.map(|entity| &*entity.key);
        let plugin = self.plugin.ok_or_else(no_route)?;
        let action = plugin.manifest.action(key, target, verb).cloned().ok_or_else(no_route)?;
        let method = request.method().clone();
        let reads = is_read(action.mode);
        if !(method == Method::POST || reads && is_get(&method)) {
            return Err(method_not_allowed(if reads { "GET, POST" } else { "POST" }));
        }
        if action.mode == ActionMode::Effect {
            let detail = "This host does not run actions with effects yet.";
            return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, "not_available", detail));
        }
        let version = parameters::if_match(&request)?;
        let mut dry_run = false;
        let input = if is_get(&method) {
            query_object(&request)?
        } else {
            dry_run = parameters::dry_run(&request)?;
            input(&mut request).await?
        };
        if target == ActionTarget::Record && record.is_none() {
            return Err(missing_record());
        }
        let invocation = Invocation { record, version, input, dry_run };
        let (plugins, engine, scope) =
            (self.app.plugins.clone(), self.app.records.clone(), self.scope.clone());
        if !reads {
            let done = plugins.act(&engine, &scope, &plugin, &action, invocation).await.map_err(problem)?;
            return Ok(answer(done));
        }
        // Plugin code is not for an async worker.
        let look = move || plugins.look(&engine, &scope, &plugin, &action, &invocation);
        let seen = tokio::task::spawn_blocking(look).await.map_err(|error| Problem::internal(&error))?;
        Ok(answer(seen.map_err(problem)?))
    }
}

/// The input of an action: a JSON object, or nothing.
async fn input(request: &mut Request) -> Result<Map<String, Json>, Problem> {
    let empty = request.header(header::CONTENT_LENGTH).is_none_or(|length| length == "0")
        && request.header(header::TRANSFER_ENCODING).is_none();
    if empty { Ok(Map::new()) } else { records::members(request).await }
}

/// Query parameters as an object of texts.
pub(super) fn query_object(request: &Request) -> Result<Map<String, Json>, Problem> {
    Ok(parameters::pairs(request)?.into_iter().map(|(name, value)| (name, Json::String(value))).collect())
}

fn answer(answer: Answer) -> Response {
    let body = if answer.body.is_empty() { b"{}".to_vec() } else { answer.body };
    let mut response = json(StatusCode::OK, body);
    if let Some(tag) = answer.version.and_then(|version| etag(version).parse().ok()) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
