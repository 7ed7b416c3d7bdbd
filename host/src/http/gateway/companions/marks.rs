//! Tags and followers over REST.

use std::sync::Arc;

use poem::http::{Method, StatusCode};
use poem::{Request, Response};
use serde_json::{Map, Value as Json, json};

use super::comments::only_view;
use super::{Behind, Call, is_get, method_not_allowed, only_paging, paging, problem, written};
use crate::http::gateway::mutate::{Sent, response};
use crate::http::problem::Problem;
use crate::ids::RecordId;
use crate::records::companions::follower;
use crate::records::companions::tag::{self, Tagging};
use crate::records::mutation::Reply;
use crate::records::schema::Entity;
use crate::records::tx::Tx;
use crate::records::{Fault, RecordError};

impl Call<'_> {
    pub(super) async fn tags(self, behind: Behind, mut request: Request) -> Result<Response, Problem> {
        let Behind { entity, record } = behind;
        let method = request.method().clone();
        let read: fn(&Map<String, Json>) -> Result<Tagging, RecordError> = match method {
            ref method if is_get(method) => {
                only_view(&request)?;
                let (engine, scope) = (&self.app.records, &self.scope);
                let tags =
                    engine.read(scope, &self.module, |conn| tag::of_record(conn, scope, &entity, record));
                return Ok(response(tagged(tags.map_err(problem)?)));
            }
            Method::PUT => all,
            Method::PATCH => some,
            _ => return Err(method_not_allowed("GET, PUT, PATCH")),
        };
        let sent = Sent::of(&mut request).await?;
        let tagging = read(&sent.members()?).map_err(problem)?;
        self.mutate(sent.manner, move |tx| tag::change(tx, &entity, record, tagging).map(tagged)).await
    }

    pub(super) async fn all_tags(self, entity: &Arc<Entity>, request: Request) -> Result<Response, Problem> {
        if !is_get(request.method()) {
            return Err(method_not_allowed("GET"));
        }
        let mut start = String::new();
        let paging = paging(&request, |name, value| {
            if name == "q" {
                start = value.to_owned();
            }
            Ok(name == "q")
        })?;
        let entity = Arc::clone(entity);
        self.look(move |seat, conn| tag::counts(&seat.engine, &seat.scope, conn, &entity, (&start, &paging)))
            .await
    }

    pub(super) async fn followers(self, behind: Behind, request: Request) -> Result<Response, Problem> {
        let Behind { entity, record } = behind;
        match *request.method() {
            ref method if is_get(method) => {
                let paging = only_paging(&request)?;
                self.look(move |seat, conn| {
                    follower::page(&seat.engine, &seat.scope, conn, &entity, record, &paging)
                })
                .await
            }
            Method::PUT => self.following(follower::follow, (entity, record), request).await,
            Method::DELETE => self.following(follower::unfollow, (entity, record), request).await,
            _ => Err(method_not_allowed("GET, PUT, DELETE")),
        }
    }

    /// The caller follows from now on, or no more.
    async fn following(
        self,
        step: fn(&Tx, &Arc<Entity>, RecordId) -> Result<(), RecordError>,
        (entity, record): (Arc<Entity>, RecordId),
        mut request: Request,
    ) -> Result<Response, Problem> {
        let sent = Sent::of(&mut request).await?;
        self.mutate(sent.manner, move |tx| step(tx, &entity, record).map(|()| Reply::nothing())).await
    }
}

/// The tags of a record as an answer.
fn tagged(tags: Vec<String>) -> Reply {
    written(StatusCode::OK, &json!({ "tags": tags }))
}

/// `{"tags": […]}`
fn all(members: &Map<String, Json>) -> Result<Tagging, RecordError> {
    let mut faults = unknown(members, &["tags"]);
    if !members.contains_key("tags") {
        faults.push(Fault::at(
            "tags",
            "required",
            "`tags` is the list of all tags; an empty one removes them",
        ));
    }
    let tags = list(members, "tags", &mut faults);
    if faults.is_empty() { Ok(Tagging::Set(tags)) } else { Err(RecordError::Invalid(faults)) }
}

/// `{"add": […], "remove": […]}`
fn some(members: &Map<String, Json>) -> Result<Tagging, RecordError> {
    let mut faults = unknown(members, &["add", "remove"]);
    let (add, remove) = (list(members, "add", &mut faults), list(members, "remove", &mut faults));
    if faults.is_empty() { Ok(Tagging::Change { add, remove }) } else { Err(RecordError::Invalid(faults)) }
}

fn unknown(members: &Map<String, Json>, known: &[&str]) -> Vec<Fault> {
    let strange = members.keys().filter(|name| !known.contains(&name.as_str()));
    let detail = format!("this address takes `{}`", known.join("` and `"));
    strange.map(|name| Fault::at(name, "unknown_field", detail.clone())).collect()
}

fn list(members: &Map<String, Json>, name: &str, faults: &mut Vec<Fault>) -> Vec<tag::Tag> {
    match members.get(name) {
        None => Vec::new(),
        Some(Json::Array(texts)) => tag::parse_all(name, texts, faults),
        Some(_) => {
            faults.push(Fault::at(name, "wrong_type", format!("`{name}` is a list of texts")));
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(outcome: Result<Tagging, RecordError>) -> Vec<String> {
        match outcome {
            Err(RecordError::Invalid(faults)) => {
                faults.iter().map(|fault| format!("{} {}", fault.pointer, fault.code)).collect()
            }
            _ => Vec::new(),
        }
    }

    #[test]
    fn all_faults_of_a_list_of_tags_are_told() {
        let members = |json: Json| json.as_object().cloned().unwrap();
        assert!(all(&members(json!({"tags": []}))).is_ok());
        assert!(some(&members(json!({}))).is_ok());
        assert_eq!(told(all(&members(json!({})))), ["/tags required"]);
        assert_eq!(
            told(all(&members(json!({"tags": "a", "add": []})))),
            ["/add unknown_field", "/tags wrong_type"]
        );
        assert_eq!(
            told(some(&members(json!({"add": [""], "remove": [1]})))),
            ["/add/0 required", "/remove/0 wrong_type"]
        );
    }
}
