//! Shares of a record over REST.

use std::str::FromStr as _;

use jiff::Timestamp;
use poem::http::{Method, StatusCode};
use poem::{Request, Response};
use serde_json::{Map, Value as Json, json};

use super::comments::only_view;
use super::{Behind, Call, is_get, method_not_allowed, problem, problem_of, written};
use crate::http::gateway::mutate::{Sent, response};
use crate::http::problem::Problem;
use crate::ids::ShareId;
use crate::records::mutation::Reply;
use crate::records::rights::shares::{self, Level, NewShare, With};
use crate::records::tx::Tx;
use crate::records::{Fault, RecordError};

impl Call<'_> {
    pub(super) async fn shares(self, behind: Behind, mut request: Request) -> Result<Response, Problem> {
        let Behind { entity, record } = behind;
        match *request.method() {
            ref method if is_get(method) => {
                only_view(&request)?;
                let now = self.app.records.now();
                self.look(move |seat, conn| {
                    let data = shares::list(conn, &seat.scope, &entity, record, now)?;
                    Ok(json!({ "data": data, "next_cursor": null }))
                })
                .await
            }
            Method::POST => {
                let sent = Sent::of(&mut request).await?;
                let new = new_share(&sent.members()?).map_err(problem)?;
                let add = move |tx: &Tx| {
                    shares::add(tx, &entity, record, &new).map(|share| written(StatusCode::CREATED, &share))
                };
                self.mutate(sent.manner, add).await
            }
            _ => Err(method_not_allowed("GET, POST")),
        }
    }

    pub(super) async fn share(
        self,
        behind: Behind,
        id: &str,
        mut request: Request,
    ) -> Result<Response, Problem> {
        let Behind { entity, record } = behind;
        if *request.method() != Method::DELETE {
            return Err(method_not_allowed("DELETE"));
        }
        let missing = problem_of("share", "share_not_found");
        let id = ShareId::from_str(id).map_err(|_| missing(RecordError::NotFound))?;
        let sent = Sent::of(&mut request).await?;
        let remove = move |tx: &Tx| shares::remove(tx, &entity, record, id).map(|()| Reply::nothing());
        Ok(response(self.done(sent.manner, remove).await.map_err(missing)?))
    }
}

fn new_share(members: &Map<String, Json>) -> Result<NewShare, RecordError> {
    let mut faults = Vec::new();
    for key in members.keys().filter(|key| !matches!(key.as_str(), "user" | "team" | "level" | "expires_at"))
    {
        faults.push(Fault::at(key, "unknown_field", "a share has user or team, level, expires_at"));
    }
    let text = |key: &str| members.get(key).and_then(Json::as_str);
    let with = match (members.get("user"), members.get("team")) {
        (Some(id), None) => id.as_str().and_then(|id| id.parse().ok()).map(With::User),
        (None, Some(id)) => id.as_str().and_then(|id| id.parse().ok()).map(With::Team),
        _ => None,
    };
    if with.is_none() {
        faults.push(Fault::at("user", "invalid_id", "name one `user` or one `team` by its id"));
    }
    let level = match (members.get("level"), text("level")) {
        (None, _) | (_, Some("read")) => Some(Level::Read),
        (_, Some("update")) => Some(Level::Update),
        _ => None,
    };
    if level.is_none() {
        faults.push(Fault::at("level", "not_an_option", "is `read` or `update`"));
    }
    let expires_at = match members.get("expires_at") {
        None | Some(Json::Null) => None,
        Some(json) => {
            let at = json.as_str().and_then(|text| text.parse::<Timestamp>().ok());
            if at.is_none() {
                faults.push(Fault::at(
                    "expires_at",
                    "invalid",
                    "write an instant such as `2027-01-31T00:00:00Z`",
                ));
            }
            at.map(Timestamp::as_millisecond)
        }
    };
    match (with, level) {
        (Some(with), Some(level)) if faults.is_empty() => Ok(NewShare { with, level, expires_at }),
        _ => Err(RecordError::Invalid(faults)),
    }
}
