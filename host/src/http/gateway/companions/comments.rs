//! Comments over REST.

use std::str::FromStr as _;

use poem::http::{Method, StatusCode, header};
use poem::{Request, Response};

use super::super::records::members;
use super::{
    Behind, Call, done, is_get, method_not_allowed, only_paging, parameters, problem, problem_of, written,
};
use crate::http::gateway::etag;
use crate::http::problem::Problem;
use crate::ids::RecordId;
use crate::records::companions::comment::{self, CommentView, Words};

impl Call<'_> {
    pub(super) async fn comments(self, behind: Behind, mut request: Request) -> Result<Response, Problem> {
        let Behind { entity, record } = behind;
        match request.method().clone() {
            method if is_get(&method) => {
                let paging = only_paging(&request)?;
                self.look(move |seat, conn| {
                    comment::page(&seat.engine, &seat.scope, conn, &entity, record, &paging)
                })
                .await
            }
            Method::POST => {
                let dry = parameters::dry_run(&request)?;
                let words = Words::parse(&members(&mut request).await?).map_err(problem)?;
                let place = format!("{}/{}/{record}/comments", self.base, entity.plural);
                let made = self.change(dry, move |tx| {
                    let id = comment::add(tx, &entity, record, &words)?;
                    comment::get(&tx.engine, &tx.scope, &tx.conn, &entity, (record, id))
                });
                let view = made.await.map_err(problem)?;
                let location = format!("{place}/{}", view.id);
                let mut response = one(StatusCode::CREATED, &view);
                if !dry && let Ok(location) = location.parse() {
                    response.headers_mut().insert(header::LOCATION, location);
                }
                Ok(response)
            }
            _ => Err(method_not_allowed("GET, POST")),
        }
    }

    pub(super) async fn comment(
        self,
        behind: Behind,
        id: &str,
        mut request: Request,
    ) -> Result<Response, Problem> {
        let missing = problem_of("comment", "comment_not_found");
        let id = RecordId::from_str(id).map_err(|_| missing(crate::records::RecordError::NotFound))?;
        let Behind { entity, record } = behind;
        match request.method().clone() {
            method if is_get(&method) => {
                only_view(&request)?;
                let (engine, scope) = (&self.app.records, &self.scope);
                let view = engine.read(scope, &self.module, |conn| {
                    comment::get(engine, scope, conn, &entity, (record, id))
                });
                Ok(one(StatusCode::OK, &view.map_err(missing)?))
            }
            Method::PATCH => {
                let (dry, version) = (parameters::dry_run(&request)?, parameters::if_match(&request)?);
                let members = members(&mut request).await?;
                let changed = self.change(dry, move |tx| {
                    let before = comment::get(&tx.engine, &tx.scope, &tx.conn, &entity, (record, id))?;
                    let words = before.changed_by(members)?;
                    comment::edit(tx, &entity, (record, id), version, &words)?;
                    comment::get(&tx.engine, &tx.scope, &tx.conn, &entity, (record, id))
                });
                Ok(one(StatusCode::OK, &changed.await.map_err(missing)?))
            }
            Method::DELETE => {
                let (dry, version) = (parameters::dry_run(&request)?, parameters::if_match(&request)?);
                let deleted = self.change(dry, move |tx| comment::delete(tx, &entity, (record, id), version));
                deleted.await.map_err(missing)?;
                Ok(done())
            }
            _ => Err(method_not_allowed("GET, PATCH, DELETE")),
        }
    }
}

/// An address that takes no parameter.
pub(super) fn only_view(request: &Request) -> Result<(), Problem> {
    match parameters::pairs(request)?.first() {
        Some((name, _)) => Err(parameters::unknown(name)),
        None => Ok(()),
    }
}

fn one(status: StatusCode, view: &CommentView) -> Response {
    let mut response = written(status, view);
    if let Ok(tag) = etag(view.version).parse() {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
