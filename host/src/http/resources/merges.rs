//! `/merges`: which records became one, how they stood before, and how to take it back.

use std::sync::Arc;

use poem_openapi::param::{Header, Path, Query};
use poem_openapi::types::Any;
use poem_openapi::{Object, OpenApi};
use serde_json::Value;

use crate::http::access::{Access, id, missing};
use crate::http::answer::{Found, cursor, cut, page_size};
use crate::http::errors::invalid_parameter;
use crate::http::gateway::problem;
use crate::http::mutated::{Mutated, manner};
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::ids::MergeId;
use crate::records::merge::Which;
use crate::records::tx::Hooks;
use crate::records::{RecordError, Records};

const MISSING: &str = "merge_not_found";

/// Lists, shows and undoes merges.
pub struct MergesApi {
    /// The records.
    pub records: Records,
    /// Plugin code.
    pub hooks: Arc<dyn Hooks + Send + Sync>,
}

/// A page of merges.
#[derive(Object)]
pub struct MergeList {
    /// Newest first: `id`, `entity`, `survivor_id`, `loser_ids`, `state`, `at`, `by`, `undone_at`, `undone_by`.
    data: Vec<Any<Value>>,
    /// For the next page; null on the last.
    next_cursor: Option<String>,
}

#[OpenApi(prefix_path = "/api/v1/merges", tag = "Tag::Merges")]
impl MergesApi {
    /// List merges
    ///
    /// Those whose survivor you may read.
    #[oai(path = "/", method = "get", operation_id = "list_merges")]
    async fn list(
        &self,
        access: Access,
        /// `plugin.entity`: only merges of its records.
        entity: Query<Option<String>>,
        /// A record's id: only merges that it took part in.
        record: Query<Option<String>>,
        /// 1 to 200, 50 unless asked for.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Found<MergeList>, Problem> {
        let (size, before) = (page_size(limit.0)?, self::cursor(cursor.0.as_deref())?);
        let wrong = |_| invalid_parameter("record", "is the id of a record");
        let record = record.0.map(|text| text.parse()).transpose().map_err(wrong)?;
        let which = Which { entity: entity.0, record, before };
        let (engine, scope) = (self.records.clone(), access.entered.scope(&access.caller));
        let look = move || engine.merges(&scope, &which, size as usize + 1);
        let merges = waited(tokio::task::spawn_blocking(look).await)?;
        let (merges, next_cursor) = cut(merges, size, |(id, _)| id.to_string());
        Ok(Found::new(MergeList {
            data: merges.into_iter().map(|(_, shown)| Any(shown)).collect(),
            next_cursor,
        }))
    }

    /// Get a merge
    ///
    /// With the choices, where the survivor's values came from, what followed in which module, and `before`: the records
    /// that you may read as they were before the merge.
    #[oai(path = "/:id", method = "get", operation_id = "get_merge")]
    async fn get(&self, access: Access, id: Path<String>) -> Result<Found<Any<Value>>, Problem> {
        let id: MergeId = self::id(&id.0, MISSING)?;
        let (engine, scope) = (self.records.clone(), access.entered.scope(&access.caller));
        let look = move || engine.merge_entry(&scope, id);
        Ok(Found::new(Any(waited(tokio::task::spawn_blocking(look).await)?)))
    }

    /// Undo a merge
    ///
    /// The merged records come back, the survivor gets its values of before, and what followed goes back, in all
    /// modules. What somebody changed since stays as it is, and is told in `kept` and `refused`.
    #[oai(path = "/:id/undo", method = "post", operation_id = "undo_merge")]
    async fn undo(
        &self,
        access: Access,
        id: Path<String>,
        /// Whether it is only to be tried.
        dry_run: Query<Option<bool>>,
        /// Sent again with the same key, it is undone once.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Mutated<Found<Any<Value>>>, Problem> {
        let manner = manner(dry_run.0, key.0.as_deref(), &["undo_merge", &id.0])?;
        let id: MergeId = self::id(&id.0, MISSING)?;
        let scope = access.entered.scope(&access.caller);
        let outcome = self.records.undo_merge(&scope, &self.hooks, id, manner).await.map_err(refusal)?;
        let answer = Found::new(Any(outcome.body));
        Ok(if outcome.replayed { Mutated::Again(answer) } else { Mutated::Done(answer) })
    }
}

fn waited<T>(outcome: Result<Result<T, RecordError>, tokio::task::JoinError>) -> Result<T, Problem> {
    outcome.map_err(|error| Problem::internal(&error))?.map_err(refusal)
}

fn refusal(error: RecordError) -> Problem {
    match error {
        RecordError::NotFound => missing(MISSING),
        other => problem(other),
    }
}
