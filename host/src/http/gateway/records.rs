//! Records: list, create, get, change, delete.

use std::sync::Arc;

use poem::http::{Method, StatusCode, header};
use poem::{Request, Response};
use serde_json::{Map, Value as Json};

use super::mutate::{self, Sent, reply};
use super::{Call, etag, is_get, json, method_not_allowed, parameters, problem};
use crate::http::body;
use crate::http::problem::Problem;
use crate::ids::RecordId;
use crate::records::RecordError;
use crate::records::list::{self, View};
use crate::records::mutation::Reply;
use crate::records::schema::Entity;
use crate::records::tx::Tx;
use crate::records::write::{self, Change, Changes};

/// The members of a JSON body.
pub(super) async fn members(request: &mut Request) -> Result<Map<String, Json>, Problem> {
    if !body::is_json(request.header(header::CONTENT_TYPE)) {
        return Err(body::unsupported("Send JSON with Content-Type: application/json."));
    }
    mutate::members(&body::read(request.take_body()).await?)
}

impl Call<'_> {
    pub(super) async fn collection(
        self,
        entity: &Arc<Entity>,
        request: Request,
    ) -> Result<Response, Problem> {
        let method = request.method().clone();
        if is_get(&method) {
            return self.list(entity, &request).await;
        }
        match (method, entity.operations.create) {
            (Method::POST, true) => self.create(entity, request).await,
            (_, true) => Err(method_not_allowed("GET, POST")),
            (_, false) => Err(method_not_allowed("GET")),
        }
    }

    async fn create(self, entity: &Arc<Entity>, mut request: Request) -> Result<Response, Problem> {
        let sent = Sent::of(&mut request).await?;
        let members = sent.members()?;
        let (kind, view) =
            (Arc::clone(entity), View::within(&self.scope, entity, None, None).map_err(problem)?);
        let base = format!("{}/{}", self.base, entity.plural);
        let work = move |tx: &Tx| {
            let id = write::create_one(tx, &kind, Changes::Members(members))?;
            let location = Some(format!("{base}/{id}"));
            Ok(Reply { location, ..reply(StatusCode::CREATED, readback(tx, &kind, id, &view)?) })
        };
        self.mutate(sent.manner, work).await
    }

    pub(super) async fn record(
        self,
        entity: &Arc<Entity>,
        id: RecordId,
        request: Request,
    ) -> Result<Response, Problem> {
        let method = request.method().clone();
        if is_get(&method) {
            let view = parameters::view(&self.scope, entity, &request)?;
            let one = self.app.records.get(&self.scope, entity, id, &view).map_err(problem)?;
            return Ok(answer(one));
        }
        match method {
            Method::PATCH if entity.operations.update => self.update(entity, id, request).await,
            Method::DELETE if entity.operations.delete => self.delete(entity, id, request).await,
            _ => {
                let offered = [
                    ("GET", true),
                    ("PATCH", entity.operations.update),
                    ("DELETE", entity.operations.delete),
                ];
                let offered: Vec<&str> =
                    offered.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
                Err(method_not_allowed(&offered.join(", ")))
            }
        }
    }

    async fn update(
        self,
        entity: &Arc<Entity>,
        id: RecordId,
        mut request: Request,
    ) -> Result<Response, Problem> {
        let sent = Sent::of(&mut request).await?;
        let (members, version) = (sent.members()?, sent.version);
        let (kind, view) =
            (Arc::clone(entity), View::within(&self.scope, entity, None, None).map_err(problem)?);
        let work = move |tx: &Tx| {
            write::update(tx, &kind, vec![Change { id, version, changes: Changes::Members(members) }])?;
            Ok(reply(StatusCode::OK, readback(tx, &kind, id, &view)?))
        };
        self.mutate(sent.manner, work).await
    }

    async fn delete(
        self,
        entity: &Arc<Entity>,
        id: RecordId,
        mut request: Request,
    ) -> Result<Response, Problem> {
        let sent = Sent::of(&mut request).await?;
        let (kind, version) = (Arc::clone(entity), sent.version);
        let work = move |tx: &Tx| {
            write::delete(tx, &kind, id, version)?;
            Ok(Reply { status: StatusCode::NO_CONTENT.as_u16(), ..Reply::default() })
        };
        self.mutate(sent.manner, work).await
    }
}

/// The record as it was written; nothing when its writer may not read it.
pub(super) fn readback(
    tx: &Tx,
    entity: &Arc<Entity>,
    id: RecordId,
    view: &View,
) -> Result<Option<list::One>, RecordError> {
    match list::get(&tx.conn, &tx.scope, entity, id, view) {
        Err(RecordError::NotFound) => Ok(None),
        other => other.map(Some),
    }
}

fn answer(one: list::One) -> Response {
    let mut response = json(StatusCode::OK, one.body);
    if let Ok(tag) = etag(one.version).parse() {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
