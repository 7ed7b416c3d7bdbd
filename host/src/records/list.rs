//! The query compiler: every read of records, from one record to a page of a list, ANDs in the caller's row predicate.

use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::params_from_iter;

use super::cursor;
use super::error::RecordError;
use super::filter::{Filter, Sight, bind};
use super::json::{Place, write_row, write_text};
pub use super::members::View;
use super::rights::{branches, predicate};
use super::schema::{Entity, ID, VERSION};
use super::search::{self, Words};
use super::sort::{After, Sort};
use super::value::Value;
use super::{Records, Scope};
use crate::clock::UnixMillis;
use crate::ids::RecordId;
use crate::policy::Decision;
use crate::storage::{Connection, StorageError};

/// `count=capped` stops here.
const CAP: i64 = 10_000;

/// How long counting may take.
const COUNTING: Duration = Duration::from_secs(1);

/// Whether and how exactly a list counts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Count {
    /// Not at all.
    #[default]
    None,
    /// Up to 10,000.
    Capped,
    /// All.
    Exact,
}

/// What a list asks for.
#[derive(Debug)]
pub struct Query {
    /// Which records.
    pub filter: Filter,
    /// The words that they hold.
    pub words: Option<Words>,
    /// In which order.
    pub sort: Sort,
    /// How many: 1 to 200.
    pub limit: usize,
    /// Where to go on.
    pub cursor: Option<String>,
    /// Which members.
    pub view: View,
    /// Whether to count.
    pub count: Count,
}

/// One record as JSON.
#[derive(Debug)]
pub struct One {
    /// Its version, for the `ETag`.
    pub version: u64,
    /// The JSON object.
    pub body: Vec<u8>,
    /// Where expansions belong.
    pub places: Vec<Place>,
}

/// A page as JSON.
#[derive(Debug)]
pub struct Page {
    /// The JSON object.
    pub body: Vec<u8>,
    /// Where expansions belong.
    pub places: Vec<Place>,
}

/// The caller's rows for `action`.
///
/// # Errors
/// [`RecordError::Forbidden`] when the policy allows no row at all.
pub fn visible(scope: &Scope, entity: &Entity, action: &str) -> Result<Decision, RecordError> {
    let rows = scope.policy.decide(&scope.caller.principal, &entity.object, action);
    if rows.never() {
        return Err(RecordError::Forbidden { object: entity.object.to_string(), action: action.to_owned() });
    }
    Ok(rows)
}

/// Appends what every read of the entity demands: not in the recycle bin, and within the caller's rows for `action`.
///
/// # Errors
/// [`RecordError::Forbidden`] when the policy allows no row at all.
pub fn write_visible(
    scope: &Scope,
    entity: &Entity,
    action: &str,
    sql: &mut String,
    params: &mut Vec<Value>,
) -> Result<(), RecordError> {
    let rows = visible(scope, entity, action)?;
    sql.push_str("deleted_at is null");
    if !rows.always() {
        sql.push_str(" and ");
        predicate(scope, entity, &rows, None, sql, params)?;
    }
    Ok(())
}

/// One record, if there is one that the caller may read.
///
/// # Errors
/// [`RecordError::NotFound`] otherwise, also when the policy lets the caller read none.
pub fn get(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Arc<Entity>,
    id: RecordId,
    view: &View,
) -> Result<One, RecordError> {
    let (mut sql, mut params) = (String::with_capacity(512), Vec::new());
    let _ = write!(sql, "select {}, version from \"{}\" where id = ", view.select, entity.key);
    bind(id.into(), &mut sql, &mut params);
    sql.push_str(" and ");
    write_visible(scope, entity, "read", &mut sql, &mut params).map_err(|_| RecordError::NotFound)?;
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query(params_from_iter(&params))?;
    let row = rows.next()?.ok_or(RecordError::NotFound)?;
    let (mut body, mut places) = (Vec::with_capacity(1024), Vec::new());
    write_row(row, &view.members, &view.masked, &mut body, &mut places)?;
    let version: i64 = row.get("version")?;
    Ok(One { version: version.unsigned_abs(), body, places })
}

/// One page of a list.
///
/// # Errors
/// [`RecordError::Forbidden`], or [`RecordError::BadRequest`] for a cursor that does not belong to this list.
pub fn page(
    engine: &Records,
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Arc<Entity>,
    query: &Query,
) -> Result<Page, RecordError> {
    let (mut condition, mut params) = (String::with_capacity(256), Vec::new());
    let from = source(scope, entity, query.words.as_ref(), &mut condition, &mut params)?;
    write_visible(scope, entity, "read", &mut condition, &mut params)?;
    let binding = binding(scope, entity, query)?;
    let start = match &query.cursor {
        Some(text) => Some(Start::open(&engine.cursor_key, &binding, text, query)?),
        None => None,
    };
    // Every page of a walk means the same days as its first.
    let instant = start.as_ref().map_or_else(|| query.filter.instant(), |start| start.instant);
    if !query.filter.is_all() {
        let filter = instant.map(|instant| query.filter.clone().at(instant));
        let filter = filter.as_ref().unwrap_or(&query.filter);
        condition.push_str(" and ");
        filter.condition(engine, scope, entity, Sight::Caller)?.write(&mut condition, &mut params);
    }
    let count = count(conn, &from, query.count, &condition, &params)?;
    let branches = match query.sort.keys.is_empty() && query.words.is_none() {
        true => branches(scope, entity, &visible(scope, entity, "read")?, &mut params)?,
        false => Vec::new(),
    };
    let mut writing = Writing::new(query);
    let ranges =
        start.map_or_else(|| vec![After::start()], |start| query.sort.after(&start.values, start.row));
    for after in &ranges {
        let missing = query.limit + 1 - writing.seen;
        let (sql, params) = statement(&from, query, after, missing, (&condition, &branches), &params);
        writing.rows(conn, &sql, &params)?;
        if writing.seen > query.limit {
            break;
        }
    }
    let next = writing.next.take().map(|(mut values, row)| {
        values.extend(instant.map(Value::Integer));
        cursor::seal(&engine.cursor_key, &binding, &values, row)
    });
    Ok(writing.done(next, count))
}

/// Where a cursor says that a page starts.
struct Start {
    values: Vec<Value>,
    row: i64,
    instant: Option<UnixMillis>,
}

impl Start {
    fn open(key: &[u8; 32], binding: &str, text: &str, query: &Query) -> Result<Self, RecordError> {
        let foreign = || {
            RecordError::bad("invalid_cursor", "this cursor does not belong to this list; start without one")
        };
        let (mut values, row) = cursor::open(key, binding, text).ok_or_else(foreign)?;
        let mut instant = None;
        if query.filter.instant().is_some() {
            instant = Some(values.pop().and_then(|value| value.integer()).ok_or_else(foreign)?);
        }
        if values.len() != query.sort.keys.len() {
            return Err(foreign());
        }
        Ok(Self { values, row, instant })
    }
}

/// What a list selects from: the table, or what the words find in it. Comes before everything else that is bound.
pub(super) fn source(
    scope: &Scope,
    entity: &Entity,
    words: Option<&Words>,
    condition: &mut String,
    params: &mut Vec<Value>,
) -> Result<String, RecordError> {
    let table = format!("\"{}\"", entity.key);
    let Some(words) = words else { return Ok(table) };
    let Some((from, expression)) = search::source(scope, entity, words)? else {
        condition.push_str("0 and "); // none of the records is the caller's
        return Ok(table);
    };
    params.push(Value::Text(expression));
    Ok(from)
}

/// The statement for a page, or for the part of it that lies in one range of the order.
pub(super) fn statement(
    from: &str,
    query: &Query,
    after: &After,
    limit: usize,
    (condition, branches): (&str, &[String]),
    params: &[Value],
) -> (String, Vec<Value>) {
    let (mut sql, mut params) = (String::with_capacity(512 + condition.len()), params.to_vec());
    let mut select = format!("select {}", query.view.select);
    for key in &query.sort.keys {
        let _ = write!(select, ", \"{}\"", key.column);
    }
    let _ = write!(select, ", _row from {from} where ");
    let (mut range, mut order) = (String::new(), String::new());
    query.sort.write_after(after, &mut range, &mut params);
    query.sort.write_order(&mut order);
    if branches.is_empty() {
        // The index hands its hits out in the order of rows: let SQLite see that there is nothing to sort.
        if query.words.is_some() && query.sort.keys.is_empty() {
            (range, order) = (range.replace("_row", search::HIT), order.replace("_row", search::HIT));
        }
        let _ = write!(sql, "{select}{condition}{range}");
    }
    // What several scopes cover would be found and sorted whole; each in the order of rows, they are merged as they are read.
    for (at, branch) in branches.iter().enumerate() {
        let word = if at == 0 { "" } else { " union all " };
        let _ = write!(sql, "{word}{select}{branch} and {condition}{range}");
        for earlier in branches.iter().take(at) {
            let _ = write!(sql, " and ({earlier}) is not true");
        }
    }
    sql.push_str(&order);
    sql.push_str(" limit ");
    bind(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)), &mut sql, &mut params);
    (sql, params)
}

/// A page being written.
struct Writing<'q> {
    query: &'q Query,
    body: Vec<u8>,
    places: Vec<Place>,
    /// Rows that were there, the one after the page included.
    seen: usize,
    /// The last row of the page.
    last: (Vec<Value>, i64),
    /// The same, once there is a row after it.
    next: Option<(Vec<Value>, i64)>,
}

impl<'q> Writing<'q> {
    fn new(query: &'q Query) -> Self {
        let mut body = Vec::with_capacity(64 + query.limit.min(200) * 512);
        body.extend_from_slice(b"{\"data\":[");
        Self { query, body, places: Vec::new(), seen: 0, last: (Vec::new(), 0), next: None }
    }

    fn rows(&mut self, conn: &Rc<Connection>, sql: &str, params: &[Value]) -> Result<(), RecordError> {
        let keys = self.query.sort.keys.len();
        let mut statement = conn.prepare(sql)?;
        let keys_at = statement.column_count() - 1 - keys;
        let mut rows = statement.query(params_from_iter(params))?;
        while let Some(row) = rows.next()? {
            self.seen += 1;
            if self.seen > self.query.limit {
                self.next = Some(std::mem::take(&mut self.last));
                return Ok(());
            }
            if self.seen > 1 {
                self.body.push(b',');
            }
            let view = &self.query.view;
            write_row(row, &view.members, &view.masked, &mut self.body, &mut self.places)?;
            if self.seen == self.query.limit {
                let values = (0..keys).map(|at| row.get_ref(keys_at + at).map(Value::from_sql));
                self.last = (values.collect::<rusqlite::Result<_>>()?, row.get("_row")?);
            }
        }
        Ok(())
    }

    fn done(mut self, next: Option<String>, count: Option<i64>) -> Page {
        self.body.extend_from_slice(b"],\"next_cursor\":");
        match next {
            Some(cursor) => write_text(&cursor, &mut self.body),
            None => self.body.extend_from_slice(b"null"),
        }
        if let Some(count) = count {
            let _ = std::io::Write::write_fmt(&mut self.body, format_args!(",\"count\":{count}"));
        }
        self.body.push(b'}');
        Page { body: self.body, places: self.places }
    }
}

/// What a cursor is bound to: change any of it and the cursor is refused. The filter counts as it was written, and so do
/// the caller's rows: what time does to a share or a condition ends no walk.
fn binding(scope: &Scope, entity: &Entity, query: &Query) -> Result<String, RecordError> {
    let (mut text, mut params) = (format!("{} {} ", scope.organization.id, entity.object), Vec::new());
    predicate(scope, entity, &visible(scope, entity, "read")?.at(0), None, &mut text, &mut params)?;
    query.sort.write_order(&mut text);
    for value in params {
        let _ = write!(text, " {value:?}");
    }
    let _ = write!(text, " {:?} {:?}", query.filter, query.words);
    Ok(text)
}

fn count(
    conn: &Rc<Connection>,
    from: &str,
    count: Count,
    condition: &str,
    params: &[Value],
) -> Result<Option<i64>, RecordError> {
    let sql = match count {
        Count::None => return Ok(None),
        Count::Capped => {
            format!("select count(*) from (select 1 from {from} where {condition} limit {CAP})")
        }
        Count::Exact => format!("select count(*) from {from} where {condition}"),
    };
    let _deadline = conn.limited(COUNTING);
    let counted = conn.prepare(&sql)?.query_row(params_from_iter(params), |row| row.get(0));
    match counted.map_err(StorageError::from) {
        Err(StorageError::Deadline) => Err(RecordError::bad(
            "count_too_costly",
            "the records could not be counted in time; ask for `count=capped` or none, or narrow the filter",
        )),
        counted => Ok(Some(counted?)),
    }
}

/// The values of all columns of the matching records, in order: for plugins and for the write pipeline.
///
/// # Errors
/// The file fails.
pub fn rows(
    conn: &Rc<Connection>,
    entity: &Entity,
    condition: &str,
    order: &str,
    params: &[Value],
) -> Result<Vec<Vec<Value>>, RecordError> {
    let sql = format!("select {} from \"{}\" where {condition}{order}", entity.select, entity.key);
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query(params_from_iter(params))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let values = (0..entity.width).map(|at| row.get_ref(at).map(Value::from_sql));
        found.push(values.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    Ok(found)
}

/// A record's id and version out of its values.
#[must_use]
pub fn identity_of(values: &[Value]) -> (Option<RecordId>, u64) {
    let version = values.get(VERSION).and_then(Value::integer).unwrap_or_default();
    (values.get(ID).and_then(Value::id), version.unsigned_abs())
}
