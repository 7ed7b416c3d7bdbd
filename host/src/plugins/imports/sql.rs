//! `sql`: the plugin's own file, and of it the plugin's own part.

use std::time::Duration;

use rusqlite::Statement;

use crate::plugins::bindings::host::stoa::plugin::sql::{Host, HostCursor, Rows};
use crate::plugins::bindings::host::stoa::plugin::types::Refusal;
use crate::plugins::call::{Ground, State, refusal};
use crate::records::RecordError;
use crate::records::cells::{Cell, Cells, push_sql};
use crate::records::list::write_visible;
use crate::records::value::Value;
use crate::storage::{PluginMode, PluginSqlError};
use wasmtime::component::Resource;

/// Most rows of one result.
const ROWS: u32 = 10_000;
/// Most bytes of one result.
const BYTES: usize = 4 << 20;
/// Longest time of one statement.
const STATEMENT: Duration = Duration::from_millis(200);
/// Parameters from here on are the host's: the caller's ids in `visible_…`.
const HOST_PARAMETERS: usize = 500;

/// A result that is read in parts. Designed, not offered yet: `open` answers `not-available`.
#[expect(unreachable_pub, reason = "the generated bindings name it")]
pub struct Cursor;

fn refuse(kind: &str, code: &str, detail: impl Into<String>) -> Refusal {
    Refusal {
        kind: kind.into(),
        code: code.into(),
        detail: detail.into(),
        failures: Vec::new(),
        extra: String::new(),
    }
}

fn not_listed(error: PluginSqlError) -> Refusal {
    match error {
        PluginSqlError::Refused { what } => {
            refuse("forbidden", "sql_refused", format!("a plugin may not {what}"))
        }
        PluginSqlError::Deadline => refuse("limit", "sql_deadline", "the statement took longer than 200 ms"),
        PluginSqlError::TooBig => {
            refuse("limit", "sql_too_big", "a value or the statement is larger than allowed")
        }
        PluginSqlError::Invalid(detail) => refuse("invalid", "sql_invalid", detail),
        PluginSqlError::Constraint(detail) => refuse("conflict", "sql_constraint", detail),
        PluginSqlError::Storage(error) => refusal(RecordError::Storage(error)),
    }
}

fn bind(statement: &mut Statement<'_>, params: &[Cell<'_>], host: &[Value]) -> rusqlite::Result<()> {
    for (at, cell) in params.iter().enumerate() {
        statement.raw_bind_parameter(at + 1, cell)?;
    }
    for (at, value) in host.iter().enumerate() {
        statement.raw_bind_parameter(HOST_PARAMETERS + at + 1, value)?;
    }
    Ok(())
}

fn parse(params: &[u8]) -> Result<Vec<Cell<'_>>, Refusal> {
    let parsed: Result<Vec<Cell<'_>>, _> = Cells::new(params).collect();
    let params = parsed.map_err(|_| refuse("invalid", "bad_cells", "the parameters are malformed cells"))?;
    if params.len() > HOST_PARAMETERS {
        return Err(refuse(
            "invalid",
            "too_many_parameters",
            format!("a statement takes at most {HOST_PARAMETERS} parameters"),
        ));
    }
    Ok(params)
}

impl State {
    /// The statement with the `visible_…` views that it names, each the caller's rows of an entity.
    fn with_views(&self, text: &str) -> Result<(String, Vec<Value>), Refusal> {
        let lower = text.to_ascii_lowercase();
        let (mut views, mut params) = (String::new(), vec![Value::Null; HOST_PARAMETERS]);
        for entity in
            self.module().entities.iter().filter(|entity| lower.contains(&format!("visible_{}", entity.key)))
        {
            let mut select = format!("select {} from \"{}\" where ", entity.select, entity.key);
            match write_visible(self.scope(), entity, "read", &mut select, &mut params) {
                Ok(()) => {}
                Err(RecordError::Forbidden { .. }) => select.push('0'), // the caller may read none: an empty view
                Err(error) => return Err(refusal(error)),
            }
            if !views.is_empty() {
                views.push_str(", ");
            }
            views.push_str(&self.conn().visible(&entity.key, &select));
        }
        if views.is_empty() {
            return Ok((text.to_owned(), Vec::new()));
        }
        let trimmed = text.trim_start();
        let after = |word: &str| {
            trimmed
                .get(..word.len())
                .filter(|start| start.eq_ignore_ascii_case(word))
                .and_then(|_| trimmed.get(word.len()..))
        };
        let sql = match (after("with recursive "), after("with ")) {
            (Some(rest), _) => format!("with recursive {views}, {rest}"),
            (None, Some(rest)) => format!("with {views}, {rest}"),
            (None, None) => format!("with {views} {trimmed}"),
        };
        Ok((sql, params.split_off(HOST_PARAMETERS)))
    }

    fn statement_time(&self) -> Duration {
        STATEMENT.min(self.remaining())
    }

    fn read_rows(&self, text: &str, params: &[u8]) -> Result<Rows, Refusal> {
        let params = parse(params)?;
        let (sql, host) = self.with_views(text)?;
        let read = |statement: &mut Statement<'_>| {
            bind(statement, &params, &host)?;
            let width = statement.column_count();
            let mut found = Rows {
                columns: u32::try_from(width).unwrap_or_default(),
                count: 0,
                cells: Vec::new(),
                more: false,
            };
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                if found.count == ROWS || found.cells.len() > BYTES {
                    found.more = true;
                    break;
                }
                for at in 0..width {
                    push_sql(row.get_ref(at)?, &mut found.cells);
                }
                found.count += 1;
            }
            Ok(found)
        };
        self.conn().plugin(self.sql_mode(), &sql, self.statement_time(), read).map_err(not_listed)
    }

    fn run_all(&self, text: &str, params: &[Vec<u8>]) -> Result<u64, Refusal> {
        if matches!(self.ground, Ground::Read { .. }) {
            return Err(refuse("forbidden", "read_only", "reports and read actions change nothing"));
        }
        let lists = params.iter().map(|params| parse(params)).collect::<Result<Vec<_>, _>>()?;
        let run = |statement: &mut Statement<'_>| {
            let mut changed = 0;
            for list in &lists {
                bind(statement, list, &[])?;
                changed += statement.raw_execute()? as u64;
            }
            Ok(changed)
        };
        let time = self.statement_time();
        self.conn().plugin(PluginMode::AsPlugin, text, time, run).map_err(not_listed)
    }
}

impl Host for State {
    fn read(&mut self, text: String, params: Vec<u8>) -> wasmtime::Result<Result<Rows, Refusal>> {
        self.enter()?;
        Ok(self.read_rows(&text, &params))
    }

    fn run(&mut self, text: String, params: Vec<Vec<u8>>) -> wasmtime::Result<Result<u64, Refusal>> {
        self.enter()?;
        Ok(self.run_all(&text, &params))
    }
}

impl HostCursor for State {
    fn open(
        &mut self,
        _text: String,
        _params: Vec<u8>,
    ) -> wasmtime::Result<Result<Resource<Cursor>, Refusal>> {
        self.enter()?;
        Ok(Err(refuse("not-available", "not_available", "this host does not offer cursors yet; use `read`")))
    }

    fn next(&mut self, _cursor: Resource<Cursor>, _max: u32) -> wasmtime::Result<Result<Rows, Refusal>> {
        self.enter()?;
        Ok(Err(refuse("not-available", "not_available", "this host does not offer cursors yet; use `read`")))
    }

    fn drop(&mut self, cursor: Resource<Cursor>) -> wasmtime::Result<()> {
        self.table.delete(cursor)?;
        Ok(())
    }
}
