//! The query compiler: every read of records, from one record to a page of a list, ANDs in the caller's row predicate.

use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;

use rusqlite::params_from_iter;

use super::Scope;
use super::cursor;
use super::error::RecordError;
use super::filter::{Filter, bind};
use super::json::{Form, Member, Place, json_key, write_row, write_text};
use super::schema::{Entity, Field, ID, Kind, Target, VERSION};
use super::sort::Sort;
use super::value::Value;
use crate::ids::RecordId;
use crate::storage::Connection;

/// `count=capped` stops here.
const CAP: i64 = 10_000;

/// Most references that one request expands.
const EXPANSIONS: usize = 8;

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

/// Which members a record's JSON has, and what the SELECT lists for them.
#[derive(Clone, Debug)]
pub struct View {
    members: Vec<Member>,
    select: String,
    /// The targets of expanded members.
    pub expansions: Vec<Target>,
}

/// The order of a record's members: identity first, then what the plugin declared, then where it came from.
const LEADING: [&str; 8] =
    ["id", "version", "created_at", "updated_at", "created_by", "updated_by", "owner_id", "team_id"];

impl View {
    /// The members asked for by `fields` (all when `None`; `id` and `version` always) with `expand` resolved.
    ///
    /// # Errors
    /// [`RecordError::BadRequest`] for a name that the entity does not have or that cannot be expanded.
    pub fn parse(entity: &Entity, fields: Option<&str>, expand: Option<&str>) -> Result<Self, RecordError> {
        let wanted: Option<Vec<&str>> = fields.map(|names| names.split(',').collect());
        if let Some(unknown) = wanted.iter().flatten().find(|name| entity.attribute(name).is_none()) {
            let name: String = unknown.chars().take(64).collect();
            return Err(RecordError::bad(
                "unknown_field",
                format!("`{name}` is not a field of {}", entity.object),
            ));
        }
        let shown = |field: &&Field| {
            matches!(&*field.key, "id" | "version")
                || wanted.as_ref().is_none_or(|names| names.contains(&&*field.key))
        };
        let leading = LEADING.iter().filter_map(|key| entity.attribute(key));
        let trailing = ["source", "external_ids"].iter().filter_map(|key| entity.attribute(key));
        let attributes: Vec<&Field> = leading.chain(&entity.fields).chain(trailing).filter(shown).collect();

        let mut view = Self {
            members: Vec::with_capacity(attributes.len()),
            select: String::new(),
            expansions: Vec::new(),
        };
        for field in attributes {
            view.push(field, &field.json_key, None);
        }
        let names: Vec<&str> = expand.map(|names| names.split(',').collect()).unwrap_or_default();
        for (at, name) in names.iter().enumerate() {
            if at >= EXPANSIONS || names.iter().take(at).any(|before| before == name) {
                let detail = format!("`expand` takes up to {EXPANSIONS} references, each once");
                return Err(RecordError::bad("invalid_expand", detail));
            }
            view.expand(entity, name)?;
        }
        Ok(view)
    }

    fn push(&mut self, field: &Field, key: &str, expand: Option<usize>) {
        let money = matches!(field.kind, Kind::Money);
        let column =
            self.members.iter().map(|member| if matches!(member.form, Form::Money) { 2 } else { 1 }).sum();
        if !self.select.is_empty() {
            self.select.push_str(", ");
        }
        let _ = write!(self.select, "\"{}\"", field.key);
        if money {
            let _ = write!(self.select, ", \"{}_currency\"", field.key);
        }
        self.members.push(Member { json_key: key.to_owned(), form: Form::of(&field.kind), column, expand });
    }

    fn expand(&mut self, entity: &Entity, name: &str) -> Result<(), RecordError> {
        let key = match name {
            "owner" => "owner_id",
            "team" => "team_id",
            other => other,
        };
        let field =
            entity.attribute(key).filter(|field| matches!(field.kind, Kind::Reference(..)) && key != "id");
        let Some((field, Kind::Reference(target, _))) = field.map(|field| (field, &field.kind)) else {
            let name: String = name.chars().take(64).collect();
            return Err(RecordError::bad(
                "invalid_expand",
                format!("`{name}` of {} does not refer to a record", entity.object),
            ));
        };
        let expansion = self.expansions.len();
        self.expansions.push(target.clone());
        match self.members.iter_mut().find(|member| member.json_key == field.json_key) {
            Some(member) if name == key => member.expand = Some(expansion),
            _ => self.push(field, &json_key(name), Some(expansion)),
        }
        Ok(())
    }
}

/// What a list asks for.
#[derive(Debug)]
pub struct Query {
    /// Which records.
    pub filter: Filter,
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
    let principal = &scope.caller.principal;
    let rows = scope.policy.decide(&principal.roles, &entity.object, action);
    if rows.never() {
        return Err(RecordError::Forbidden { object: entity.object.to_string(), action: action.to_owned() });
    }
    sql.push_str("deleted_at is null");
    if !rows.always() {
        let (predicate, ids) = rows.predicate(principal, "", params.len() + 1);
        params.extend(ids.into_iter().map(Value::Id));
        let _ = write!(sql, " and ({predicate})");
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
    write_row(row, &view.members, &mut body, &mut places)?;
    let version: i64 = row.get("version")?;
    Ok(One { version: version.unsigned_abs(), body, places })
}

/// One page of a list.
///
/// # Errors
/// [`RecordError::Forbidden`], or [`RecordError::BadRequest`] for a cursor that does not belong to this list.
pub fn page(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Arc<Entity>,
    query: &Query,
    cursor_key: &[u8; 32],
) -> Result<Page, RecordError> {
    let (mut condition, mut params) = (String::with_capacity(256), Vec::new());
    write_visible(scope, entity, "read", &mut condition, &mut params)?;
    if query.filter != Filter::And(Vec::new()) {
        condition.push_str(" and ");
        query.filter.write_sql(&mut condition, &mut params);
    }
    let binding = binding(scope, entity, &condition, &params, &query.sort);
    let count = count(conn, entity, query.count, &condition, &params)?;
    if let Some(text) = &query.cursor {
        let (values, row) = cursor::open(cursor_key, &binding, text)
            .filter(|(values, _)| values.len() == query.sort.keys.len())
            .ok_or_else(|| {
                RecordError::bad(
                    "invalid_cursor",
                    "this cursor does not belong to this list; start without one",
                )
            })?;
        condition.push_str(" and ");
        query.sort.write_after(&values, row, &mut condition, &mut params);
    }
    let mut sql = String::with_capacity(512 + condition.len());
    let _ = write!(sql, "select {}", query.view.select);
    for key in &query.sort.keys {
        let _ = write!(sql, ", \"{}\"", key.column);
    }
    let _ = write!(sql, ", _row from \"{}\" where {condition}", entity.key);
    query.sort.write_order(&mut sql);
    sql.push_str(" limit ");
    bind(Value::Integer(i64::try_from(query.limit + 1).unwrap_or(201)), &mut sql, &mut params);

    let mut statement = conn.prepare(&sql)?;
    let keys_at = statement.column_count() - 1 - query.sort.keys.len();
    let mut rows = statement.query(params_from_iter(&params))?;
    let mut body = Vec::with_capacity(64 + query.limit * 512);
    body.extend_from_slice(b"{\"data\":[");
    let (mut places, mut written, mut last, mut next) = (Vec::new(), 0, (Vec::new(), 0_i64), None);
    while let Some(row) = rows.next()? {
        if written == query.limit {
            next = Some(cursor::seal(cursor_key, &binding, &last.0, last.1));
            break;
        }
        if written > 0 {
            body.push(b',');
        }
        write_row(row, &query.view.members, &mut body, &mut places)?;
        written += 1;
        if written == query.limit {
            let keys = (0..query.sort.keys.len()).map(|at| row.get_ref(keys_at + at).map(Value::from_sql));
            last = (keys.collect::<rusqlite::Result<_>>()?, row.get("_row")?);
        }
    }
    body.extend_from_slice(b"],\"next_cursor\":");
    match next {
        Some(cursor) => write_text(&cursor, &mut body),
        None => body.extend_from_slice(b"null"),
    }
    if let Some(count) = count {
        let _ = std::io::Write::write_fmt(&mut body, format_args!(",\"count\":{count}"));
    }
    body.push(b'}');
    Ok(Page { body, places })
}

/// What a cursor is bound to: change any of it and the cursor is refused.
fn binding(scope: &Scope, entity: &Entity, condition: &str, params: &[Value], sort: &Sort) -> String {
    let mut text = format!("{} {} {condition}", scope.organization.id, entity.object);
    sort.write_order(&mut text);
    for value in params {
        let _ = write!(text, " {value:?}");
    }
    text
}

fn count(
    conn: &Rc<Connection>,
    entity: &Entity,
    count: Count,
    condition: &str,
    params: &[Value],
) -> Result<Option<i64>, RecordError> {
    let sql = match count {
        Count::None => return Ok(None),
        Count::Capped => {
            format!("select count(*) from (select 1 from \"{}\" where {condition} limit {CAP})", entity.key)
        }
        Count::Exact => format!("select count(*) from \"{}\" where {condition}", entity.key),
    };
    Ok(Some(conn.prepare(&sql)?.query_row(params_from_iter(params), |row| row.get(0))?))
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
