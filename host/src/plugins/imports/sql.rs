//! `sql`: the plugin's own file, and of it the plugin's own part, by the texts of its package and no others.

use std::time::Duration;

use crate::plugins::bindings::host::stoa::plugin::sql::{Host, HostCursor, Rows};
use crate::plugins::bindings::host::stoa::plugin::types::Refusal;
use crate::plugins::call::{Ground, State};
use crate::plugins::refusal::refusal;
use crate::records::RecordError;
use crate::records::cells::{Cell, Cells};
use crate::records::plugin_sql::{self, Found, Kept};
use crate::records::value::Value;
use crate::storage::PluginSqlError;
use wasmtime::component::Resource;

/// Longest time of one statement.
const STATEMENT: Duration = Duration::from_millis(200);

/// Longest time of opening a cursor, which does the work of all its parts.
const OPENING: Duration = Duration::from_secs(1);
/// Most cursors that one call has open.
const CURSORS: u32 = 8;
/// Most bytes of the results that one call keeps open.
const KEPT: usize = 16 << 20;

/// A result that is read in parts: what stood there when it was opened.
#[expect(unreachable_pub, reason = "the generated bindings name it")]
pub struct Cursor(Kept);

/// What a call keeps open. It is gone with the call, however that ends.
#[derive(Default)]
pub(in crate::plugins) struct Open {
    cursors: u32,
    bytes: usize,
}

fn refuse(kind: &str, code: &str, detail: impl Into<String>) -> Refusal {
    Refusal {
        kind: kind.into(),
        code: code.into(),
        detail: detail.into(),
        failures: Vec::new(),
        extra: String::new(),
    }
}

fn told(error: PluginSqlError) -> Refusal {
    match error {
        PluginSqlError::Refused { what } => {
            refuse("forbidden", "sql_refused", format!("a plugin may not {what}"))
        }
        PluginSqlError::Deadline => refuse(
            "limit",
            "sql_deadline",
            "the statement took longer than it may: 200 ms, 1 s to open a cursor",
        ),
        PluginSqlError::TooBig => {
            refuse("limit", "sql_too_big", "a value or the statement is larger than allowed")
        }
        // SQLite's words are for the author, in the log; a caller must not be told that the input was wrong.
        PluginSqlError::Invalid(detail) => {
            tracing::error!(target: "plugin", detail, "a plugin's statement failed");
            refuse("failed", "sql_invalid", "the statement failed; the log says why")
        }
        PluginSqlError::Constraint(detail) => {
            tracing::error!(target: "plugin", detail, "a plugin's statement broke a constraint of its private table");
            refuse(
                "conflict",
                "sql_constraint",
                "the statement broke a constraint of a private table; the log says which",
            )
        }
        PluginSqlError::Storage(error) => refusal(RecordError::Storage(error)),
    }
}

fn parse(params: &[u8]) -> Result<Vec<Cell<'_>>, Refusal> {
    let parsed: Result<Vec<Cell<'_>>, _> = Cells::new(params).collect();
    let params = parsed.map_err(|_| refuse("invalid", "bad_cells", "the parameters are malformed cells"))?;
    if params.len() > plugin_sql::PARAMETERS {
        return Err(refuse(
            "invalid",
            "too_many_parameters",
            format!("a statement takes at most {} parameters", plugin_sql::PARAMETERS),
        ));
    }
    Ok(params)
}

fn rows(Found { columns, count, cells, more }: Found) -> Rows {
    Rows { columns, count, cells, more }
}

impl State {
    /// Lets only texts of the package through, before anything looks into them.
    fn listed(&self, text: &str) -> Result<(), Refusal> {
        if self.plugin.sql.lists(text) {
            return Ok(());
        }
        let detail = "the statement does not stand in the package's sql.json; write it with `sql!` and build the package";
        Err(refuse("forbidden", "sql_not_listed", detail))
    }

    fn statement_time(&self) -> Duration {
        STATEMENT.min(self.remaining())
    }

    /// A listed text with the views that it names, and the values of these.
    fn with_views(&self, text: &str) -> Result<(String, Vec<Value>), Refusal> {
        plugin_sql::with_views(self.engine(), self.conn(), self.scope(), self.module(), text).map_err(refusal)
    }

    fn read_rows(&self, text: &str, params: &[u8]) -> Result<Rows, Refusal> {
        self.listed(text)?;
        let (params, sql) = (parse(params)?, self.with_views(text)?);
        let (mode, time) = (self.sql_mode(), self.statement_time());
        let found = plugin_sql::read(self.conn(), mode, &sql, &params, time, self.result_most());
        found.map(rows).map_err(told)
    }

    fn open_cursor(&mut self, text: &str, params: &[u8]) -> Result<Kept, Refusal> {
        self.listed(text)?;
        if self.open.cursors >= CURSORS {
            let detail = format!("a call has at most {CURSORS} cursors open; drop one");
            return Err(refuse("limit", "too_many_cursors", detail));
        }
        let (params, sql) = (parse(params)?, self.with_views(text)?);
        let (time, room) = (OPENING.min(self.remaining()), KEPT.saturating_sub(self.open.bytes));
        let kept = Kept::open(self.conn(), self.sql_mode(), &sql, &params, time, room);
        let kept = kept.map_err(|error| match error {
            PluginSqlError::TooBig => refuse(
                "limit",
                "cursor_too_big",
                "a value, the statement or the result is too large: the cursors of a call keep 16 MiB together",
            ),
            other => told(other),
        })?;
        self.open.cursors += 1;
        self.open.bytes += kept.size();
        Ok(kept)
    }

    fn run_all(&self, text: &str, params: &[Vec<u8>]) -> Result<u64, Refusal> {
        if matches!(self.ground, Ground::Read { .. }) {
            return Err(refuse("forbidden", "read_only", "reports and read actions change nothing"));
        }
        self.listed(text)?;
        let lists = params.iter().map(|params| parse(params)).collect::<Result<Vec<_>, _>>()?;
        plugin_sql::run(self.conn(), text, &lists, self.statement_time()).map_err(told)
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
    fn open(&mut self, text: String, params: Vec<u8>) -> wasmtime::Result<Result<Resource<Cursor>, Refusal>> {
        self.enter()?;
        match self.open_cursor(&text, &params) {
            Ok(kept) => Ok(Ok(self.table.push(Cursor(kept))?)),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    fn next(&mut self, cursor: Resource<Cursor>, max: u32) -> wasmtime::Result<Result<Rows, Refusal>> {
        self.enter()?;
        let most = self.result_most();
        Ok(Ok(rows(self.table.get_mut(&cursor)?.0.next(max, most))))
    }

    fn drop(&mut self, cursor: Resource<Cursor>) -> wasmtime::Result<()> {
        let Cursor(kept) = self.table.delete(cursor)?;
        self.open.cursors -= 1;
        self.open.bytes -= kept.size();
        Ok(())
    }
}
