//! `sql`: the plugin's own file, and of it the plugin's own part, by the texts of its package and no others.

use std::time::Duration;

use crate::plugins::bindings::host::stoa::plugin::sql::{Host, HostCursor, Rows};
use crate::plugins::bindings::host::stoa::plugin::types::Refusal;
use crate::plugins::call::{Ground, State};
use crate::plugins::refusal::refusal;
use crate::records::RecordError;
use crate::records::cells::{Cell, Cells};
use crate::records::plugin_sql;
use crate::storage::PluginSqlError;
use wasmtime::component::Resource;

/// Longest time of one statement.
const STATEMENT: Duration = Duration::from_millis(200);

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

fn told(error: PluginSqlError) -> Refusal {
    match error {
        PluginSqlError::Refused { what } => {
            refuse("forbidden", "sql_refused", format!("a plugin may not {what}"))
        }
        PluginSqlError::Deadline => refuse("limit", "sql_deadline", "the statement took longer than 200 ms"),
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

    fn read_rows(&self, text: &str, params: &[u8]) -> Result<Rows, Refusal> {
        self.listed(text)?;
        let params = parse(params)?;
        let sql = plugin_sql::with_views(self.engine(), self.conn(), self.scope(), self.module(), text)
            .map_err(refusal)?;
        let found = plugin_sql::read(
            self.conn(),
            self.sql_mode(),
            &sql,
            &params,
            self.statement_time(),
            self.result_most(),
        );
        let plugin_sql::Found { columns, count, cells, more } = found.map_err(told)?;
        Ok(Rows { columns, count, cells, more })
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
    fn open(
        &mut self,
        text: String,
        _params: Vec<u8>,
    ) -> wasmtime::Result<Result<Resource<Cursor>, Refusal>> {
        self.enter()?;
        if let Err(refusal) = self.listed(&text) {
            return Ok(Err(refusal));
        }
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
