//! Timeline and history over REST.

use std::sync::Arc;

use poem::{Request, Response};

use super::{Behind, Call, is_get, method_not_allowed, paging, problem};
use crate::http::problem::Problem;
use crate::records::companions::history;
use crate::records::companions::timeline::{self, Part, Query};

impl Call<'_> {
    pub(super) async fn timeline(self, behind: Behind, request: Request) -> Result<Response, Problem> {
        if !is_get(request.method()) {
            return Err(method_not_allowed("GET"));
        }
        let mut parts = Part::ALL.to_vec();
        let paging = paging(&request, |name, value| {
            if name == "types" {
                parts = Part::parse(value).map_err(problem)?;
            }
            Ok(name == "types")
        })?;
        let Behind { entity, record } = behind;
        self.look(move |seat, conn| {
            let query =
                Query { module: &seat.module, entity: &entity, record, parts: &parts, paging: &paging };
            timeline::page(&seat.engine, &seat.scope, conn, &query)
        })
        .await
    }

    pub(super) async fn history(self, behind: Behind, request: Request) -> Result<Response, Problem> {
        if !is_get(request.method()) {
            return Err(method_not_allowed("GET"));
        }
        let Behind { entity, record } = behind;
        let known = Arc::clone(&entity);
        let mut field = None;
        let paging = paging(&request, |name, value| {
            if name == "field" {
                field = Some(history::field(&self.scope, &known, value).map_err(problem)?);
            }
            Ok(name == "field")
        })?;
        self.look(move |seat, conn| {
            let field = field.as_deref().and_then(|key| entity.attribute(key));
            history::page(&seat.engine, &seat.scope, conn, &entity, record, (field, &paging))
        })
        .await
    }
}
