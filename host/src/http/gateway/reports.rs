//! Reports: figures on the records that the caller may read.

use poem::http::StatusCode;
use poem::{Request, Response};
use serde_json::Value as Json;

use super::actions::query_object;
use super::{Call, is_get, json, method_not_allowed, no_route, parameters, problem};
use crate::http::aside::aside;
use crate::http::problem::Problem;

impl Call<'_> {
    pub(super) async fn report(self, key: &str, request: Request) -> Result<Response, Problem> {
        let plugin = self.plugin.ok_or_else(no_route)?;
        let report =
            plugin.manifest.reports.iter().find(|report| report.key == key).cloned().ok_or_else(no_route)?;
        if !is_get(request.method()) {
            return Err(method_not_allowed("GET"));
        }
        let params = query_object(&request, &report.params)?;
        let known = report.params.get("properties").and_then(Json::as_object);
        if let Some(name) = params.keys().find(|name| known.is_none_or(|known| !known.contains_key(*name))) {
            return Err(parameters::unknown(name));
        }
        let (plugins, engine, scope) = (self.app.plugins.clone(), self.app.records.clone(), self.scope);
        // Plugin code is not for an async worker.
        let run = move || plugins.report(&engine, &scope, &plugin, &report, &Json::Object(params));
        let body = aside(run).await?;
        Ok(json(StatusCode::OK, body.map_err(problem)?))
    }
}
