//! Searching one entity: `GET /{plugin}/{entities}/search?q=`.

use std::sync::Arc;

use poem::http::StatusCode;
use poem::{Request, Response};
use serde_json::json;

use super::{Call, is_get, method_not_allowed, parameters, problem};
use crate::http::aside::aside;
use crate::http::problem::Problem;
use crate::records::schema::Entity;
use crate::records::search::{Hit, Search, Words};

/// Hits per answer, unless asked otherwise.
const LIMIT: usize = 20;
/// Most hits per answer.
const MOST: usize = 100;

impl Call<'_> {
    pub(super) async fn search(self, entity: &Arc<Entity>, request: Request) -> Result<Response, Problem> {
        if !is_get(request.method()) {
            return Err(method_not_allowed("GET"));
        }
        let wanted = wanted(&request)?;
        let (records, scope, kind) = (self.app.records.clone(), self.scope.clone(), Arc::clone(entity));
        // Judging hundreds of hits is not for an async worker.
        let run = move || records.search(&scope, &kind, &wanted);
        let found = aside(run).await?;
        let found = found.map_err(problem)?;
        let base = format!("{}/{}", self.base, entity.plural);
        let hit = |hit: &Hit| {
            json!({
                "entity": &*hit.object,
                "id": hit.id.to_string(),
                "href": format!("{base}/{}", hit.id),
                "title": hit.title,
                "score": hit.score,
                "snippets": hit.snippets,
            })
        };
        let data: Vec<_> = found.hits.iter().map(hit).collect();
        let mut body = json!({ "data": data, "complete": found.complete });
        if let (Some(count), Some(members)) = (found.count, body.as_object_mut()) {
            members.insert("count".into(), count.into());
        }
        Ok(super::json(StatusCode::OK, body.to_string().into_bytes()))
    }
}

fn wanted(request: &Request) -> Result<Search, Problem> {
    let (mut words, mut limit, mut count) = (None, LIMIT, false);
    for (name, value) in parameters::pairs(request)? {
        match name.as_str() {
            "q" => words = Some(Words::parse(&value).map_err(problem)?),
            "limit" => {
                let number = value.parse().ok().filter(|number| (1..=MOST).contains(number));
                limit = number.ok_or_else(|| {
                    Problem::malformed("invalid_limit", format!("`limit` is a number from 1 to {MOST}."))
                })?;
            }
            "count" => {
                count = match value.as_str() {
                    "none" => false,
                    "capped" => true,
                    _ => return Err(Problem::malformed("invalid_count", "`count` is none or capped.")),
                }
            }
            _ => return Err(parameters::unknown(&name)),
        }
    }
    let words = words.ok_or_else(|| Problem::malformed("invalid_search", "`q` says what to look for."))?;
    Ok(Search { words, limit, count })
}
