//! Many changes of one entity in one request.

use std::sync::Arc;

use poem::http::Method;
use poem::{Request, Response};

use super::mutate::Sent;
use super::{Call, method_not_allowed, no_route, problem};
use crate::http::body;
use crate::http::problem::Problem;
use crate::http::rates::Meter;
use crate::records::bulk;
use crate::records::mutation::Reply;
use crate::records::schema::Entity;
use crate::records::tx::Tx;

impl Call<'_> {
    pub(super) async fn bulk(self, entity: &Arc<Entity>, mut request: Request) -> Result<Response, Problem> {
        let offers = entity.operations;
        if !(offers.create || offers.update || offers.delete) {
            return Err(no_route());
        }
        if request.method() != Method::POST {
            return Err(method_not_allowed("POST"));
        }
        let sent = Sent::within(&mut request, body::BULK_LIMIT).await?;
        let (manner, kind) = (sent.manner.clone(), Arc::clone(entity));
        // Some megabytes of JSON are not for an async worker.
        let meter = request.data::<Meter>().cloned();
        let read = tokio::task::spawn_blocking(move || {
            let members = sent.members()?;
            bulk::read(&kind, members).map_err(problem)
        });
        let bulk = read.await.map_err(|error| Problem::internal(&error))??;
        meter.map_or(Ok(()), |meter| meter.rows(bulk.size()))?;
        let kind = Arc::clone(entity);
        self.mutate(manner, move |tx: &Tx| bulk::run(tx, &kind, bulk).map(Reply::ok)).await
    }
}
