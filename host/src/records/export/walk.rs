//! Which records an export has, page by page, without a snapshot that stays open between pages.

use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Row, params_from_iter};

use super::Wanted;
use crate::records::error::RecordError;
use crate::records::filter::{Sight, bind};
use crate::records::list::{self, write_visible};
use crate::records::schema::{Entity, Module};
use crate::records::value::Value;
use crate::records::{Records, Scope};
use crate::storage::Connection;

/// Records per page.
const PAGE: usize = 500;
/// How long the statements of one page, or the search for the records at the start, may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// Where an export is.
pub(super) enum Walk {
    /// All records in the order in which they were made, after this one.
    All(i64),
    /// These records in this order, from this place on.
    Listed(Vec<i64>, usize),
}

/// Where a page is read.
type Place<'a> = (&'a Records, &'a Scope, &'a Arc<Module>, &'a Arc<Entity>);

impl Walk {
    /// The records that are wanted and that the caller may read and export.
    pub(super) fn new(
        engine: &Records,
        scope: &Scope,
        module: &Arc<Module>,
        entity: &Arc<Entity>,
        wanted: &Wanted,
    ) -> Result<Self, RecordError> {
        let (mut condition, mut params) = (String::new(), Vec::new());
        let from = list::source(scope, entity, wanted.words.as_ref(), &mut condition, &mut params)?;
        visible(scope, entity, &mut condition, &mut params)?;
        let filtered = !wanted.filter.is_all();
        if !filtered && wanted.words.is_none() && wanted.sort.is_none() {
            return Ok(Self::All(i64::MIN));
        }
        if filtered {
            condition.push_str(" and ");
            wanted.filter.condition(engine, scope, entity, Sight::Caller)?.write(&mut condition, &mut params);
        }
        let mut sql = format!("select _row from {from} where {condition}");
        match &wanted.sort {
            Some(sort) => sort.write_order(&mut sql),
            None => sql.push_str(" order by _row"),
        }
        let rows = read((engine, scope, module, entity), |conn| {
            let mut statement = conn.prepare(&sql)?;
            let rows = statement.query_map(params_from_iter(&params), |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<Vec<i64>>>()?)
        })?;
        Ok(Self::Listed(rows, 0))
    }

    /// How many records there are.
    pub(super) fn count(
        &self,
        engine: &Records,
        scope: &Scope,
        module: &Arc<Module>,
        entity: &Arc<Entity>,
    ) -> Result<u64, RecordError> {
        if let Self::Listed(rows, _) = self {
            return Ok(rows.len() as u64);
        }
        let (mut sql, mut params) = (format!("select count(*) from \"{}\" where ", entity.key), Vec::new());
        visible(scope, entity, &mut sql, &mut params)?;
        let count = |conn: &Rc<Connection>| -> Result<i64, RecordError> {
            Ok(conn.prepare(&sql)?.query_row(params_from_iter(&params), |row| row.get(0))?)
        };
        Ok(read((engine, scope, module, entity), count)?.unsigned_abs())
    }

    /// Hands the rows of the next page to `take`; whether there may be more.
    pub(super) fn page(
        &mut self,
        place: Place<'_>,
        select: &str,
        mut take: impl FnMut(&Row<'_>) -> Result<(), RecordError>,
    ) -> Result<bool, RecordError> {
        let (_, scope, _, entity) = place;
        let mut params = Vec::new();
        let sql = match self {
            Self::All(after) => {
                let mut sql = format!("select {select}, _row from \"{}\" where _row > ", entity.key);
                bind(Value::Integer(*after), &mut sql, &mut params);
                sql.push_str(" and ");
                visible(scope, entity, &mut sql, &mut params)?;
                let _ = write!(sql, " order by _row limit {PAGE}");
                sql
            }
            Self::Listed(rows, from) => {
                let end = rows.len().min(*from + PAGE);
                let wanted = rows.get(*from..end).unwrap_or_default();
                *from = end;
                // Names that no field can have, so that the columns of the entity need no qualification.
                let mut sql = String::from(
                    "with wanted(_place, _wanted) as materialized (select key, value from json_each(",
                );
                bind(Value::Text(serde_json::Value::from(wanted).to_string()), &mut sql, &mut params);
                let _ = write!(
                    sql,
                    ")) select {select}, _row from wanted cross join \"{}\" on _row = _wanted where ",
                    entity.key
                );
                visible(scope, entity, &mut sql, &mut params)?;
                sql.push_str(" order by _place");
                sql
            }
        };
        let (taken, last) = read(place, |conn| {
            let mut statement = conn.prepare(&sql)?;
            let row_at = statement.column_count() - 1;
            let mut rows = statement.query(params_from_iter(&params))?;
            let (mut taken, mut last) = (0, i64::MAX);
            while let Some(row) = rows.next()? {
                take(row)?;
                (taken, last) = (taken + 1, row.get(row_at)?);
            }
            Ok((taken, last))
        })?;
        Ok(match self {
            Self::All(after) => {
                *after = last;
                taken == PAGE
            }
            Self::Listed(rows, from) => *from < rows.len(),
        })
    }
}

/// What every page demands: within the rows that the caller may read, and within those that he may export.
fn visible(
    scope: &Scope,
    entity: &Entity,
    sql: &mut String,
    params: &mut Vec<Value>,
) -> Result<(), RecordError> {
    write_visible(scope, entity, "read", sql, params)?;
    sql.push_str(" and ");
    write_visible(scope, entity, "export", sql, params)
}

fn read<T>(
    (engine, scope, module, _): Place<'_>,
    f: impl FnOnce(&Rc<Connection>) -> Result<T, RecordError>,
) -> Result<T, RecordError> {
    engine.file(scope.organization.id, module)?.read_within(DEADLINE, |conn| {
        conn.declare_entities(Arc::clone(&module.tables));
        f(conn)
    })
}
