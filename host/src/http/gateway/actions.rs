//! Actions: `POST` for those that write, `GET` (or `POST`) for those that read.

use std::sync::Arc;

use poem::http::{Method, StatusCode, header};
use poem::{Request, Response};
use serde_json::{Map, Value as Json};

use super::mutate::Sent;
use super::{
    Call, is_get, is_read, json, method_not_allowed, missing_record, no_route, parameters, problem, records,
};
use crate::http::aside::aside;
use crate::http::problem::Problem;
use crate::ids::RecordId;
use crate::plugins::{ActionMode, ActionTarget, Answer, Invocation};
use crate::records::mutation::Reply;
use crate::records::schema::Entity;
use crate::records::tx::Tx;

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
        let plugin = self.plugin.clone().ok_or_else(no_route)?;
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
        if target == ActionTarget::Record && record.is_none() {
            return Err(missing_record());
        }
        if reads {
            let version = parameters::if_match(&request)?;
            let input = if is_get(&method) {
                query_object(&request, &action.input)?
            } else {
                parameters::dry_run(&request)?; // nothing is kept in any case
                input(&mut request).await?
            };
            let invocation = Invocation { record, version, input };
            let (plugins, engine, scope) =
                (self.app.plugins.clone(), self.app.records.clone(), self.scope.clone());
            // Plugin code is not for an async worker.
            let look = move || plugins.look(&engine, &scope, &plugin, &action, &invocation);
            let seen = aside(look).await?;
            return Ok(json(StatusCode::OK, body(seen.map_err(problem)?)));
        }
        let sent = Sent::of(&mut request).await?;
        let invocation = Invocation { record, version: sent.version, input: sent.optional_members()? };
        let plugins = self.app.plugins.clone();
        let work = move |tx: &Tx| {
            let answer = plugins.act(tx, &plugin, &action, &invocation)?;
            Ok(Reply { version: answer.version, ..Reply::ok(body(answer)) })
        };
        self.mutate(sent.manner, work).await
    }
}

/// The input of an action: a JSON object, or nothing.
async fn input(request: &mut Request) -> Result<Map<String, Json>, Problem> {
    let empty = request.header(header::CONTENT_LENGTH).is_none_or(|length| length == "0")
        && request.header(header::TRANSFER_ENCODING).is_none();
    if empty { Ok(Map::new()) } else { records::members(request).await }
}

/// Query parameters as members of an object with this schema: an address knows text only, so what the schema calls an
/// integer or a boolean and reads as one becomes one. What does not is told by whoever checks the object.
pub(super) fn query_object(request: &Request, schema: &Json) -> Result<Map<String, Json>, Problem> {
    let properties = schema.get("properties");
    let typed = |(name, text): (String, String)| {
        let kind = properties.and_then(|properties| properties.get(&name)?.get("type"));
        let is = |word: &str| match kind {
            Some(Json::Array(kinds)) => kinds.iter().any(|kind| kind == word),
            kind => kind.is_some_and(|kind| kind == word),
        };
        let value = match text.as_str() {
            "true" | "false" if is("boolean") => (text == "true").into(),
            number if is("integer") => number.parse::<i64>().map_or_else(|_| number.into(), Json::from),
            _ => text.into(),
        };
        (name, value)
    };
    Ok(parameters::pairs(request)?.into_iter().map(typed).collect())
}

fn body(answer: Answer) -> Vec<u8> {
    if answer.body.is_empty() { b"{}".to_vec() } else { answer.body }
}
