//! Reports: figures that a plugin computes, written as JSON by their declared columns.

use std::sync::Arc;

use serde_json::Value as Json;

use super::call::{self, Ground};
use super::declaration::{Column, Report};
use super::hooks::missing;
use super::usage::CallKind;
use super::{Plugin, Plugins};
use crate::ids::{PrincipalId, RecordId};
use crate::records::cells::{Cell, Cells};
use crate::records::json::{Form, write_cell, write_id, write_text};
use crate::records::{RecordError, Records, Scope};

/// How a column's cells become JSON; `None` for an unknown type.
pub(super) fn form(column: &Column) -> Option<Form> {
    Some(match column.kind.as_str() {
        "text" | "date" | "option" => Form::Text,
        "integer" | "duration" => Form::Integer,
        "decimal" => Form::Decimal(column.scale.unwrap_or(2)),
        "percent" => Form::Percent,
        "money" => Form::Money,
        "boolean" => Form::Boolean,
        "date_time" => Form::Instant,
        "reference" | "user" | "team" => Form::Id,
        _ => return None,
    })
}

impl Plugins {
    /// Starts the plugin once, on a snapshot and with the limits of a report, and calls nothing: that it comes up is what is
    /// to be known. On this thread, which must not be an async worker.
    ///
    /// # Errors
    /// [`RecordError::Plugin`] when it does not.
    pub fn probe(&self, engine: &Records, scope: &Scope, plugin: &Arc<Plugin>) -> Result<(), RecordError> {
        let module = plugin.module(scope)?;
        let _pass = self.gate.enter(scope.organization.id);
        engine.read(scope, module, |conn| {
            let ground = Ground::read(engine, scope, module, conn);
            call::run(plugin, ground, CallKind::Report, |_, _| Ok(Ok(())))
        })
    }

    /// Runs a report as the caller, on one snapshot, on this thread, which must not be an async worker.
    ///
    /// # Errors
    /// [`RecordError::Forbidden`] when the caller may read none of what it is about; what the plugin refuses.
    pub fn report(
        &self,
        engine: &Records,
        scope: &Scope,
        plugin: &Arc<Plugin>,
        report: &Report,
        params: &Json,
    ) -> Result<Vec<u8>, RecordError> {
        if scope.policy.decide(&scope.caller.principal, &report.object, "read").never() {
            return Err(RecordError::Forbidden { object: report.object.clone(), action: "read".into() });
        }
        let module = plugin.module(scope)?;
        let _pass = self.gate.enter(scope.organization.id);
        let output = engine.read(scope, module, |conn| {
            let ground = Ground::read(engine, scope, module, conn);
            call::run(plugin, ground, CallKind::Report, |store, instance| {
                let Some(reports) = &plugin.reports else {
                    return Ok(Err(missing(plugin, "reports")));
                };
                reports.load(&mut *store, instance)?.stoa_plugin_reports().call_run(
                    store,
                    &report.key,
                    &params.to_string(),
                )
            })
        })?;
        let bad = || RecordError::Plugin {
            plugin: plugin.manifest.id.to_string(),
            code: "plugin_bad_answer",
            detail: format!("the report `{}` answered cells that do not fit its columns", report.key),
        };
        let cells: Vec<Cell<'_>> = Cells::new(&output.cells).collect::<Result<_, _>>().map_err(|_| bad())?;
        let mut body = head(report, params);
        rows(engine, scope, report, &cells, output.count, &mut body)?.then_some(()).ok_or_else(bad)?;
        body.extend_from_slice(b"],\"notes\":");
        let notes: Json =
            serde_json::from_str(&output.notes).unwrap_or_else(|_| Json::Object(serde_json::Map::new()));
        body.extend_from_slice(notes.to_string().as_bytes());
        body.push(b'}');
        Ok(body)
    }
}

fn head(report: &Report, params: &Json) -> Vec<u8> {
    let columns: Vec<Json> = report
        .columns
        .iter()
        .map(|column| serde_json::json!({ "key": column.key, "type": column.kind, "label": column.label }))
        .collect();
    let mut body = b"{\"report\":".to_vec();
    write_text(&report.key, &mut body);
    body.extend_from_slice(b",\"definition\":");
    write_text(&report.help, &mut body);
    body.extend_from_slice(
        format!(",\"params\":{params},\"columns\":{},\"rows\":[", Json::from(columns)).as_bytes(),
    );
    body
}

/// Writes the rows; false when cells and columns do not fit.
fn rows(
    engine: &Records,
    scope: &Scope,
    report: &Report,
    cells: &[Cell<'_>],
    count: u32,
    body: &mut Vec<u8>,
) -> Result<bool, RecordError> {
    let mut cells = cells.iter();
    for row in 0..count {
        body.extend_from_slice(if row > 0 { b",{" } else { b"{" });
        for (at, column) in report.columns.iter().enumerate() {
            let (Some(form), Some(cell)) = (form(column), cells.next()) else {
                return Ok(false);
            };
            if at > 0 {
                body.push(b',');
            }
            write_text(&column.key, body);
            body.push(b':');
            let second = match form {
                Form::Money => cells.next().copied().unwrap_or(Cell::Null),
                _ => Cell::Null,
            };
            match (column.kind.as_str(), cell) {
                ("user" | "team", Cell::Blob(id)) => named(engine, scope, &column.kind, id, body)?,
                _ => write_cell(&form, *cell, second, body),
            }
        }
        body.push(b'}');
    }
    Ok(cells.next().is_none())
}

/// A person or team by id and name.
fn named(
    engine: &Records,
    scope: &Scope,
    kind: &str,
    id: &[u8],
    body: &mut Vec<u8>,
) -> Result<(), RecordError> {
    let organization = scope.organization.id;
    let name = match RecordId::from_slice(id) {
        Ok(id) if kind == "team" => {
            engine.people.team_name(organization, crate::ids::TeamId::from_bytes(*id.as_bytes()))?
        }
        Ok(id) => engine.people.principal_name(organization, PrincipalId::from_bytes(*id.as_bytes()))?,
        Err(_) => None,
    };
    body.extend_from_slice(b"{\"id\":");
    write_id(id, body);
    body.extend_from_slice(b",\"name\":");
    match name {
        Some(name) => write_text(&name, body),
        None => body.extend_from_slice(b"null"),
    }
    body.push(b'}');
    Ok(())
}
