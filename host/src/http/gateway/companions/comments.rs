//! Comments over REST.

use std::str::FromStr as _;

use poem::http::{Method, StatusCode};
use poem::{Request, Response};

use super::{
    Behind, Call, is_get, method_not_allowed, only_paging, parameters, problem, problem_of, written,
};
use crate::http::gateway::mutate::{Sent, response};
use crate::http::problem::Problem;
use crate::ids::RecordId;
use crate::records::RecordError;
use crate::records::companions::comment::{self, CommentView, Words};
use crate::records::mutation::Reply;
use crate::records::schema::Entity;
use crate::records::tx::Tx;

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
                let sent = Sent::of(&mut request).await?;
                let words = Words::parse(&sent.members()?).map_err(problem)?;
                let place = format!("{}/{}/{record}/comments", self.base, entity.plural);
                let say = move |tx: &Tx| {
                    let id = comment::add(tx, &entity, record, &words)?;
                    let location = Some(format!("{place}/{id}"));
                    Ok(Reply { location, ..said(tx, StatusCode::CREATED, &entity, (record, id))? })
                };
                self.mutate(sent.manner, say).await
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
        let id = RecordId::from_str(id).map_err(|_| missing(RecordError::NotFound))?;
        let Behind { entity, record } = behind;
        match request.method().clone() {
            method if is_get(&method) => {
                only_view(&request)?;
                let (engine, scope) = (&self.app.records, &self.scope);
                let view = engine.read(scope, &self.module, |conn| {
                    comment::get(engine, scope, conn, &entity, (record, id))
                });
                Ok(response(one(StatusCode::OK, &view.map_err(missing)?)))
            }
            Method::PATCH => {
                let sent = Sent::of(&mut request).await?;
                let (members, version) = (sent.members()?, sent.version);
                let change = move |tx: &Tx| {
                    let before = comment::get(&tx.engine, &tx.scope, &tx.conn, &entity, (record, id))?;
                    let words = before.changed_by(members)?;
                    comment::edit(tx, &entity, (record, id), version, &words)?;
                    said(tx, StatusCode::OK, &entity, (record, id))
                };
                Ok(response(self.done(sent.manner, change).await.map_err(missing)?))
            }
            Method::DELETE => {
                let sent = Sent::of(&mut request).await?;
                let version = sent.version;
                let delete = move |tx: &Tx| {
                    comment::delete(tx, &entity, (record, id), version).map(|()| Reply::nothing())
                };
                Ok(response(self.done(sent.manner, delete).await.map_err(missing)?))
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

/// A comment as an answer.
fn said(
    tx: &Tx,
    status: StatusCode,
    entity: &Entity,
    place: (RecordId, RecordId),
) -> Result<Reply, RecordError> {
    Ok(one(status, &comment::get(&tx.engine, &tx.scope, &tx.conn, entity, place)?))
}

fn one(status: StatusCode, view: &CommentView) -> Reply {
    Reply { version: Some(view.version), ..written(status, view) }
}
