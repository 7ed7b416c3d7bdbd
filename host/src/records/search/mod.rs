//! Full-text search: an index for each entity with searchable fields, and what is found through it.
//!
//! A record is found when it holds every word, in whatever searchable fields, without regard to case and diacritics. The
//! index is kept in the same transaction as the record (`derived.rs`); an index over new fields is built in the
//! background, in batches. Permissions decide before anything is ranked or counted.
//!
//! Ranking is bounded: the newest hits of the words as typed in the heaviest fields, then of the words as they may go on, then
//! in any field, at most [`RANKED`] of each, are judged by [`score`]; so a word that a million records hold costs no more
//! than a rare one.
//!
//! Reading order: `words.rs` (what is asked), `score.rs` (what comes first), `store.rs` (SQL), `everywhere.rs` (all entities).

mod everywhere;
mod score;
mod store;
#[cfg(test)]
mod tests;
mod words;

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use rusqlite::params_from_iter;

pub use self::score::Snippet;
use self::score::{Searched, score, snippets};
pub use self::words::Words;
use super::Scope;
use super::error::RecordError;
use super::list::write_visible;
use super::schema::{Entity, Field, ID, Kind, OWNER, TEAM};
use super::value::Value;
use crate::ids::RecordId;
use crate::storage::{Connection, TenantFile};

/// Hits that are judged, newest first.
const RANKED: usize = 500;
/// A count goes no further.
const CAP: i64 = 10_000;
/// Records that one transaction adds to an index that is being built.
const BATCH: usize = 1_000;

/// The column of a hit's row number, in what [`source`] answers.
pub(super) const HIT: &str = "_hit";

/// A record that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// `plugin.entity`
    pub object: Arc<str>,
    /// The record.
    pub id: RecordId,
    /// What people call it.
    pub title: String,
    /// Higher is better; comparable between entities.
    pub score: u32,
    /// Why it was found.
    pub snippets: Vec<Snippet>,
}

/// A hit and what it was judged by.
struct Judged {
    id: RecordId,
    row: i64,
    title: String,
    score: u32,
    texts: Vec<String>,
}

/// What a search found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Best first.
    pub hits: Vec<Hit>,
    /// How many there are, up to 10,000, if that was asked.
    pub count: Option<i64>,
    /// False while the index of new fields is still being built.
    pub complete: bool,
}

/// What to look for.
#[derive(Debug)]
pub struct Search {
    /// The words.
    pub words: Words,
    /// Hits to answer.
    pub limit: usize,
    /// Whether to count.
    pub count: bool,
}

/// Makes the tables of the index. See [`build`] for what then may be missing.
///
/// # Errors
/// The file fails.
pub(super) fn prepare(conn: &Rc<Connection>, entity: &Entity) -> Result<(), RecordError> {
    store::prepare(conn, entity)
}

/// Brings the index in step with a row: `before` and `after` as it was and is visible, `None` when it is not.
///
/// # Errors
/// The file fails.
pub(super) fn refresh(
    conn: &Rc<Connection>,
    entity: &Entity,
    before: Option<&[Value]>,
    after: Option<&[Value]>,
) -> Result<(), RecordError> {
    let mut watched = entity.searched().map(|field| field.column).peekable();
    if watched.peek().is_none() {
        return Ok(());
    }
    let Some(id) = before.or(after).and_then(|row| row.get(ID)).and_then(Value::id) else {
        return Ok(());
    };
    match (before, after) {
        (_, None) => store::remove(conn, entity, id),
        (Some(before), Some(after))
            if watched.chain([OWNER, TEAM]).all(|at| before.get(at) == after.get(at)) =>
        {
            Ok(())
        }
        (_, Some(after)) => store::put(conn, entity, id, after),
    }
}

/// Builds the indexes of a file that are not complete, batch by batch, beside other writes.
pub(super) async fn build(file: Arc<TenantFile>, entities: Vec<Arc<Entity>>) {
    for entity in entities {
        loop {
            let kind = Arc::clone(&entity);
            let step = file.write(super::platform_origin(), move |conn| {
                store::build(conn, &kind, BATCH).map(crate::storage::Verdict::Keep)
            });
            match step.await {
                Ok(true) => break,
                Ok(false) => {}
                Err(error) => {
                    // The next start goes on where this one stopped; until then searches say that they are incomplete.
                    tracing::error!(object = %entity.object, %error, "a search index cannot be built");
                    break;
                }
            }
        }
    }
}

/// The entities whose index is not complete.
///
/// # Errors
/// The file fails.
pub(super) fn unbuilt(
    conn: &Rc<Connection>,
    entities: &[Arc<Entity>],
) -> Result<Vec<Arc<Entity>>, RecordError> {
    let mut unbuilt = Vec::new();
    for entity in entities.iter().filter(|entity| entity.searched().next().is_some()) {
        if !store::complete(conn, entity)? {
            unbuilt.push(Arc::clone(entity));
        }
    }
    Ok(unbuilt)
}

/// A field's value as the index and the ranking read it.
fn text(field: &Field, value: Option<&Value>) -> String {
    let Some(stored) = value.and_then(Value::text) else {
        return String::new();
    };
    match &field.kind {
        Kind::Address => {
            let parts: std::collections::BTreeMap<String, String> =
                serde_json::from_str(stored).unwrap_or_default();
            let parts = super::input::ADDRESS.iter().filter_map(|part| parts.get(*part));
            parts.map(String::as_str).collect::<Vec<_>>().join(" ")
        }
        Kind::Phone => {
            // Found however its digits are grouped.
            let digits: String = stored.chars().filter(char::is_ascii_digit).collect();
            format!("{stored} {digits}")
        }
        _ => stored.to_owned(),
    }
}

/// Who may see what, as part of the expression: without it a caller who sees a few records of a million would look at
/// every hit. The row predicate decides all the same.
fn facets(scope: &Scope, entity: &Entity) -> Option<String> {
    let principal = &scope.caller.principal;
    let rows = scope.policy.decide(principal, &entity.object, "read");
    let (own, teams, below) = rows.facets()?;
    let mine = own.then(|| store::token('o', principal.id.as_bytes()));
    let lower = principal.subteams.iter().filter(|_| below);
    let ours = principal
        .teams
        .iter()
        .filter(|_| teams || below)
        .chain(lower)
        .map(|team| store::token('t', team.as_bytes()));
    let tokens: Vec<String> = mine.into_iter().chain(ours).map(|token| format!("\"{token}\"")).collect();
    Some(tokens.join(" OR "))
}

/// The FTS5 expression of a search by this caller; `None` when he can see nothing.
fn expression(
    scope: &Scope,
    entity: &Entity,
    (words, as_typed): (&Words, bool),
    wanted: impl Fn(&Field) -> bool,
) -> Option<String> {
    let wanted = |field: &Field| wanted(field) && scope.shows(entity, field);
    let expression = store::within(entity, &words.expression(as_typed), wanted);
    match facets(scope, entity) {
        None => Some(expression),
        Some(facets) if facets.is_empty() => None,
        Some(facets) => Some(format!("({expression}) AND (facet : ({facets}))")),
    }
}

/// What a list restricted to these words selects from, in the place of the table: the first parameter is the answer.
///
/// # Errors
/// [`RecordError::BadRequest`] when the entity has no searchable field.
pub(super) fn source(
    scope: &Scope,
    entity: &Entity,
    words: &Words,
) -> Result<Option<(String, String)>, RecordError> {
    searchable(scope, entity)?;
    Ok(expression(scope, entity, (words, false), |_| true)
        .map(|expression| (store::hits(entity), expression)))
}

/// Refuses what has no field that this caller could search.
fn searchable(scope: &Scope, entity: &Entity) -> Result<(), RecordError> {
    if let Some(hidden) = entity.searched().next()
        && !entity.searched().any(|field| scope.shows(entity, field))
    {
        return scope.may_read(entity, hidden);
    }
    if entity.searched().next().is_some() {
        return Ok(());
    }
    Err(RecordError::bad("not_searchable", format!("{} has no searchable field", entity.object)))
}

/// Which fields are searched.
type Wanted<'a> = &'a dyn Fn(&Field) -> bool;

/// Searches one entity in its file.
///
/// # Errors
/// [`RecordError::Forbidden`], [`RecordError::BadRequest`] without a searchable field, or the file fails.
pub fn search(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Entity,
    search: &Search,
) -> Result<Found, RecordError> {
    searchable(scope, entity)?;
    let mut visible = (String::new(), vec![Value::Null]);
    write_visible(scope, entity, "read", &mut visible.0, &mut visible.1)?;
    let complete = store::complete(conn, entity)?;
    let heaviest = shown(scope, entity).map(|field| field.searchable).max().unwrap_or_default();
    let mut judged: Vec<Judged> = Vec::new();
    let mut seen = HashSet::new();
    let heavy = |field: &Field| field.searchable == heaviest;
    // The beginning of a common word stands for lists of all the words that go on so, which FTS5 reads to their ends: when
    // the word itself is found often enough, nobody asks for those.
    let passes: [(bool, Wanted<'_>); 3] = [(true, &heavy), (false, &heavy), (false, &|_| true)];
    let passes = passes.into_iter().skip(usize::from(!search.words.open()));
    let last = passes.len();
    let mut count = None;
    for (at, (as_typed, wanted)) in passes.enumerate() {
        let counts = search.count && at + 1 == last;
        if judged.len() >= RANKED && !counts {
            continue; // what is found from here on would stand behind all these
        }
        let Some(expression) = expression(scope, entity, (&search.words, as_typed), wanted) else {
            return Ok(Found { hits: Vec::new(), count: search.count.then_some(0), complete });
        };
        if let Some(first) = visible.1.first_mut() {
            *first = Value::Text(expression);
        }
        if judged.len() < RANKED {
            judged.extend(candidates(conn, scope, entity, &search.words, &visible, &mut seen)?);
        }
        if counts {
            count = Some(counted(conn, entity, &visible)?);
        }
    }
    judged.sort_by_key(|hit| std::cmp::Reverse((hit.score, hit.row)));
    judged.truncate(search.limit);
    let hit = |judged: Judged| Hit {
        object: Arc::clone(&entity.object),
        id: judged.id,
        title: judged.title,
        score: judged.score,
        snippets: snippets(&search.words, &texts_of(scope, entity, &judged.texts)),
    };
    Ok(Found { hits: judged.into_iter().map(hit).collect(), count, complete })
}

/// How many there are, up to [`CAP`].
fn counted(
    conn: &Rc<Connection>,
    entity: &Entity,
    (condition, params): &(String, Vec<Value>),
) -> Result<i64, RecordError> {
    let sql =
        format!("select count(*) from (select 1 from {} where {condition} limit {CAP})", store::hits(entity));
    Ok(conn.prepare(&sql)?.query_row(params_from_iter(params), |row| row.get(0))?)
}

/// The searched fields that the caller may read.
fn shown<'e>(scope: &Scope, entity: &'e Entity) -> impl Iterator<Item = &'e Field> {
    entity.searched().filter(|field| scope.shows(entity, field))
}

fn texts_of<'a>(scope: &Scope, entity: &'a Entity, texts: &'a [String]) -> Vec<Searched<'a>> {
    let fields = shown(scope, entity).zip(texts);
    fields.map(|(field, text)| Searched { field: &field.key, weight: field.searchable, text }).collect()
}

/// The newest visible hits, judged, but for those that were seen before.
fn candidates(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Entity,
    words: &Words,
    (condition, params): &(String, Vec<Value>),
    seen: &mut HashSet<i64>,
) -> Result<Vec<Judged>, RecordError> {
    let fields: Vec<&Field> = shown(scope, entity).collect();
    let title = entity.title.as_deref().filter(|title| scope.shown_field(entity, title).is_some());
    let title = title.or_else(|| fields.first().map(|field| &*field.key)).unwrap_or("id");
    let mut columns = vec![format!("\"{title}\"")];
    columns.extend(fields.iter().map(|field| format!("\"{}\"", field.key)));
    let sql = format!(
        "select _row, id, {} from {} where {condition} limit {RANKED}",
        columns.join(", "),
        store::hits(entity)
    );
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query(params_from_iter(params))?;
    let mut hits = Vec::new();
    while let Some(row) = rows.next()? {
        let number = row.get(0)?;
        if !seen.insert(number) {
            continue;
        }
        let mut texts = Vec::with_capacity(fields.len());
        for (at, field) in fields.iter().enumerate() {
            texts.push(text(field, Some(&Value::from_sql(row.get_ref(at + 3)?))));
        }
        let title = Value::from_sql(row.get_ref(2)?);
        hits.push(Judged {
            id: RecordId::from_bytes(row.get(1)?),
            row: number,
            title: title.text().map_or_else(String::new, str::to_owned),
            score: score(words, &texts_of(scope, entity, &texts)),
            texts,
        });
    }
    Ok(hits)
}
