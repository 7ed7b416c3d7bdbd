//! `/search`: one search over everything that the caller may read.

use poem_openapi::param::Query;
use poem_openapi::{Object, OpenApi};

use crate::http::access::Access;
use crate::http::answer::Found;
use crate::http::aside::aside;
use crate::http::errors::invalid_parameter;
use crate::http::gateway::problem;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::records::Records;
use crate::records::search::{self, Hit, Search, Snippet, Words};

/// Hits per answer, unless asked otherwise.
const LIMIT: usize = 20;
/// Most hits per answer.
const MOST: usize = 100;

/// Searches all modules.
pub struct SearchApi {
    /// The engine.
    pub records: Records,
}

/// A piece of a field's text that shows why a record was found.
#[derive(Object)]
pub struct SearchSnippet {
    /// The field.
    field: String,
    /// The piece; `…` where something was left out.
    text: String,
    /// Start and end of each found word in the piece, in characters.
    hits: Vec<Vec<u64>>,
}

/// A record that was found.
#[derive(Object)]
pub struct SearchHit {
    /// `plugin.entity`.
    entity: String,
    /// The record.
    id: String,
    /// Where it is.
    href: String,
    /// What people call it.
    title: String,
    /// Higher is better; comparable between entities.
    score: u32,
    /// At most three.
    snippets: Vec<SearchSnippet>,
}

/// What was found.
#[derive(Object)]
pub struct SearchResult {
    /// Best first.
    data: Vec<SearchHit>,
    /// How many there are, up to 10,000 for each entity, with `count=capped`.
    #[oai(skip_serializing_if_is_none)]
    count: Option<i64>,
    /// False while records are still being added to the index of a field that was made searchable.
    complete: bool,
}

#[OpenApi(prefix_path = "/api/v1/search", tag = "Tag::Search")]
impl SearchApi {
    /// Search everything
    ///
    /// Finds the records that hold every word, whatever their module, and ranks them. Records that the caller may not
    /// read are neither found nor counted.
    #[oai(path = "/", method = "get", operation_id = "search")]
    async fn search(
        &self,
        access: Access,
        /// Words, or phrases in quotes; the last word may be unfinished.
        q: Query<String>,
        /// Only these, `plugin.entity`, with commas between.
        entities: Query<Option<String>>,
        /// 1 to 100, 20 unless asked for.
        limit: Query<Option<u32>>,
        /// `none` or `capped`.
        count: Query<Option<String>>,
    ) -> Result<Found<SearchResult>, Problem> {
        let wanted = wanted(&q.0, limit.0, count.0.as_deref())?;
        let (records, scope) = (self.records.clone(), access.entered.scope(&access.caller));
        // As many files as the organization has modules: not for an async worker.
        let run = move || {
            let named: Option<Vec<&str>> = entities.0.as_deref().map(|names| names.split(',').collect());
            records.search_all(&scope, named.as_deref(), &wanted).map(|found| result(&found, &scope))
        };
        let found = aside(run).await?;
        let mut found = found.map_err(problem)?;
        for hit in &mut found.data {
            hit.href = access.link(&hit.href);
        }
        Ok(Found::new(found))
    }
}

fn wanted(text: &str, limit: Option<u32>, count: Option<&str>) -> Result<Search, Problem> {
    let limit = limit.map_or(LIMIT, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    if !(1..=MOST).contains(&limit) {
        return Err(invalid_parameter("limit", &format!("is a number from 1 to {MOST}")));
    }
    let count = match count {
        None | Some("none") => false,
        Some("capped") => true,
        Some(_) => return Err(invalid_parameter("count", "is none or capped")),
    };
    Ok(Search { words: Words::parse(text).map_err(problem)?, limit, count })
}

fn result(found: &search::Found, scope: &crate::records::Scope) -> SearchResult {
    let hit = |hit: &Hit| {
        let (plugin, key) = hit.object.split_once('.').unwrap_or_default();
        let plural = scope.entity(plugin, key).map_or_else(String::new, |entity| entity.plural.to_string());
        SearchHit {
            entity: hit.object.to_string(),
            id: hit.id.to_string(),
            href: format!("/{plugin}/{plural}/{}", hit.id),
            title: hit.title.clone(),
            score: hit.score,
            snippets: hit.snippets.iter().map(snippet).collect(),
        }
    };
    SearchResult { data: found.hits.iter().map(hit).collect(), count: found.count, complete: found.complete }
}

fn snippet(snippet: &Snippet) -> SearchSnippet {
    let place = |place: &[usize; 2]| place.iter().map(|at| *at as u64).collect();
    SearchSnippet {
        field: snippet.field.clone(),
        text: snippet.text.clone(),
        hits: snippet.hits.iter().map(place).collect(),
    }
}
