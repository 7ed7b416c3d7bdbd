//! Records: list, create, get, change, delete.

use std::sync::Arc;

use poem::http::{Method, StatusCode, header};
use poem::{Request, Response};
use serde_json::{Map, Value as Json};

use super::{Call, etag, is_get, json, method_not_allowed, parameters, problem};
use crate::http::body;
use crate::http::problem::{Fault, Problem};
use crate::ids::RecordId;
use crate::records::RecordError;
use crate::records::list::{self, View};
use crate::records::schema::Entity;
use crate::records::strict::{self, StrictError};
use crate::records::tx::Tx;
use crate::records::write::{self, Change, Changes};
use crate::storage::Verdict;

/// The members of a JSON body.
pub(super) async fn members(request: &mut Request) -> Result<Map<String, Json>, Problem> {
    if !body::is_json(request.header(header::CONTENT_TYPE)) {
        return Err(body::unsupported("Send JSON with Content-Type: application/json."));
    }
    let bytes = body::read(request.take_body()).await?;
    strict::object(&bytes).map_err(|error| match &error {
        StrictError::Malformed { .. } => Problem::malformed("malformed_json", format!("{error}.")),
        StrictError::Duplicate(name) => {
            Problem::invalid(vec![Fault::new(format!("/{name}"), "duplicate_member", format!("{error}."))])
        }
    })
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
        let dry = parameters::dry_run(&request)?;
        let members = members(&mut request).await?;
        let (kind, view) = (Arc::clone(entity), View::parse(entity, None, None).map_err(problem)?);
        let work = move |tx: &Tx| {
            let id = write::create_one(tx, &kind, Changes::Members(members))?;
            let answer = (id, readback(tx, &kind, id, &view)?);
            Ok(if dry { Verdict::Undo(answer) } else { Verdict::Keep(answer) })
        };
        let module = &self.module;
        let (id, one) =
            self.app.records.write(&self.scope, module, &self.app.hooks(), work).await.map_err(problem)?;
        let location = format!("{}/{}/{id}", self.base, entity.plural);
        let mut response = answer(StatusCode::CREATED, one);
        if !dry && let Ok(location) = location.parse() {
            response.headers_mut().insert(header::LOCATION, location);
        }
        Ok(response)
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
            return Ok(answer(StatusCode::OK, Some(one)));
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
        let dry = parameters::dry_run(&request)?;
        let version = parameters::if_match(&request)?;
        let members = members(&mut request).await?;
        let (kind, view) = (Arc::clone(entity), View::parse(entity, None, None).map_err(problem)?);
        let work = move |tx: &Tx| {
            write::update(tx, &kind, vec![Change { id, version, changes: Changes::Members(members) }])?;
            let answer = readback(tx, &kind, id, &view)?;
            Ok(if dry { Verdict::Undo(answer) } else { Verdict::Keep(answer) })
        };
        let module = &self.module;
        let one =
            self.app.records.write(&self.scope, module, &self.app.hooks(), work).await.map_err(problem)?;
        Ok(answer(StatusCode::OK, one))
    }

    async fn delete(self, entity: &Arc<Entity>, id: RecordId, request: Request) -> Result<Response, Problem> {
        let dry = parameters::dry_run(&request)?;
        let version = parameters::if_match(&request)?;
        let kind = Arc::clone(entity);
        let work = move |tx: &Tx| {
            write::delete(tx, &kind, id, version)?;
            Ok(if dry { Verdict::Undo(()) } else { Verdict::Keep(()) })
        };
        let module = &self.module;
        self.app.records.write(&self.scope, module, &self.app.hooks(), work).await.map_err(problem)?;
        Ok(Response::builder().status(StatusCode::NO_CONTENT).finish())
    }
}

/// The record as it was written; nothing when its writer may not read it.
fn readback(
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

fn answer(status: StatusCode, one: Option<list::One>) -> Response {
    let Some(one) = one else {
        return json(status, b"{}".to_vec());
    };
    let mut response = json(status, one.body);
    if let Ok(tag) = etag(one.version).parse() {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
