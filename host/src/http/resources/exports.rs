//! `/exports`: who took which records out.

use poem_openapi::param::Query;
use poem_openapi::{Object, OpenApi};

use crate::clock::rfc3339;
use crate::http::access::Access;
use crate::http::answer::{Found, cursor, cut, page_size};
use crate::http::gateway;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::records::Records;
use crate::records::export::Trail;

const OBJECT: &str = "host.export";

/// Shows the trail of exports.
pub struct ExportsApi {
    /// The record engine.
    pub records: Records,
}

/// An export that somebody made.
#[derive(Object)]
#[oai(rename = "Export")]
pub struct ExportView {
    /// Its id.
    id: String,
    /// When it began.
    at: String,
    /// Who made it.
    by: String,
    /// `plugin.entity`
    entity: String,
    /// The query string as it was sent: fields, filters, order.
    query: String,
    /// `csv`, `xlsx` or `jsonl`.
    format: String,
    /// How many records went out; null while it runs.
    rows: Option<i64>,
    /// When it was over.
    finished_at: Option<String>,
    /// `complete`; `broken`: nobody took the rest, or it failed; null while it runs.
    outcome: Option<String>,
}

/// A page of exports.
#[derive(Object)]
pub struct ExportList {
    /// Newest first.
    data: Vec<ExportView>,
    /// For the next page; null on the last.
    next_cursor: Option<String>,
}

#[OpenApi(prefix_path = "/api/v1/exports", tag = "Tag::Exports")]
impl ExportsApi {
    /// List exports
    #[oai(path = "/", method = "get", operation_id = "list_exports")]
    async fn list(
        &self,
        access: Access,
        /// 1 to 200, 50 unless asked for.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Found<ExportList>, Problem> {
        let rows = access.may(OBJECT, "read")?;
        let (size, before) = (page_size(limit.0)?, self::cursor(cursor.0.as_deref())?);
        let me = access.caller.principal.id;
        let of = if rows.always() { None } else { Some(me) };
        if of.is_some() && !rows.permits(&access.caller.principal, me, None) {
            return Ok(Found::new(ExportList { data: Vec::new(), next_cursor: None }));
        }
        let scope = access.entered.scope(&access.caller);
        let trails = self.records.exports(&scope, of, before, size + 1).map_err(gateway::problem)?;
        let (trails, next_cursor) = cut(trails, size, |trail| trail.id.to_string());
        Ok(Found::new(ExportList { data: trails.iter().map(ExportView::from).collect(), next_cursor }))
    }
}

impl From<&Trail> for ExportView {
    fn from(trail: &Trail) -> Self {
        Self {
            id: trail.id.to_string(),
            at: rfc3339(trail.at),
            by: trail.principal.to_string(),
            entity: trail.entity.clone(),
            query: trail.query.clone(),
            format: trail.format.clone(),
            rows: trail.rows,
            finished_at: trail.finished_at.map(rfc3339),
            outcome: trail.outcome.clone(),
        }
    }
}
