//! From the contract to the handlers: the only file that sees the generated bindings, and exists only in a component.
#![allow(missing_docs, unsafe_code, reason = "generated from sdk/wit/v1, which documents every item")]
#![allow(clippy::all, clippy::pedantic, clippy::restriction, reason = "generated")]

use std::marker::PhantomData;

use crate::backend as raw;
use crate::context::Context;
use crate::error::{Failure, Refusal, Result};
use crate::id::RecordId;
use crate::plugin::Plugin;

wit_bindgen::generate!({
    world: "plugin",
    path: "wit/v1",
    pub_export_macro: true,
    default_bindings_module: "stoa_sdk::export",
});

use self::stoa::plugin as host;
use self::stoa::plugin::types;

/// The component of a plugin: what `plugin!` exports.
pub struct Component<P>(PhantomData<P>);

fn id(id: RecordId) -> types::RecordId {
    let (high, low) = id.halves();
    types::RecordId { high, low }
}

fn from_id(id: types::RecordId) -> RecordId {
    RecordId::from_halves(id.high, id.low)
}

fn failure(failure: Failure) -> types::Failure {
    types::Failure { pointer: failure.pointer, code: failure.code, detail: failure.detail }
}

fn refusal(refusal: Refusal) -> types::Refusal {
    types::Refusal {
        kind: refusal.kind,
        code: refusal.code,
        detail: refusal.detail,
        failures: refusal.failures.into_iter().map(failure).collect(),
        extra: if refusal.extra.is_empty() {
            String::new()
        } else {
            serde_json::Value::Object(refusal.extra).to_string()
        },
    }
}

fn from_refusal(refusal: types::Refusal) -> Refusal {
    let failures = refusal.failures.into_iter();
    Refusal {
        kind: refusal.kind,
        code: refusal.code,
        detail: refusal.detail,
        failures: failures
            .map(|failure| Failure::new(failure.pointer, failure.code, failure.detail))
            .collect(),
        extra: serde_json::from_str(&refusal.extra).unwrap_or_default(),
    }
}

fn from_row(row: host::records::Row) -> raw::RawRow {
    raw::RawRow { id: from_id(row.id), version: row.version, cells: row.cells }
}

fn from_rows(rows: host::sql::Rows) -> raw::RawRows {
    raw::RawRows { columns: rows.columns, count: rows.count, cells: rows.cells, more: rows.more }
}

/// The host, through the imports.
struct Imports;

impl raw::Backend for Imports {
    fn organization(&self) -> raw::Organization {
        let organization = host::context::get_organization();
        raw::Organization {
            id: from_id(organization.id),
            slug: organization.slug,
            name: organization.name,
            zone: organization.zone,
            locale: organization.locale,
            currency: organization.currency,
        }
    }

    fn principal(&self) -> raw::Principal {
        let principal = host::context::get_principal();
        raw::Principal {
            id: from_id(principal.id),
            kind: principal.kind,
            name: principal.name,
            teams: principal.teams.into_iter().map(from_id).collect(),
            roles: principal.roles,
        }
    }

    fn request_id(&self) -> String {
        host::context::request_id()
    }

    fn source(&self) -> String {
        host::context::source()
    }

    fn remaining_ms(&self) -> u32 {
        host::context::remaining_ms()
    }

    fn allows(&self, object: &str, action: &str) -> bool {
        host::context::allows(object, action)
    }

    fn now(&self) -> i64 {
        host::clock::now()
    }

    fn today(&self) -> String {
        host::clock::today()
    }

    fn random_bytes(&self, length: u32) -> Vec<u8> {
        host::random::bytes(length)
    }

    fn random_id(&self) -> RecordId {
        from_id(host::random::id())
    }

    fn log(&self, level: &str, message: &str) {
        host::log::write(level, message);
    }

    fn setting(&self, key: &str) -> Option<String> {
        host::settings::get(key)
    }

    fn get(&self, entity: &str, record: RecordId, authority: &str) -> Result<Option<raw::RawRow>> {
        let row = host::records::get(entity, id(record), authority).map_err(from_refusal)?;
        Ok(row.map(from_row))
    }

    fn find(
        &self,
        entity: &str,
        filter: &str,
        sort: &str,
        limit: u32,
        authority: &str,
    ) -> Result<Vec<raw::RawRow>> {
        let rows = host::records::find(entity, filter, sort, limit, authority).map_err(from_refusal)?;
        Ok(rows.into_iter().map(from_row).collect())
    }

    fn create(
        &self,
        entity: &str,
        fields: &[String],
        rows: Vec<Vec<u8>>,
        authority: &str,
    ) -> Result<Vec<RecordId>> {
        let ids = host::records::create(entity, fields, &rows, authority).map_err(from_refusal)?;
        Ok(ids.into_iter().map(from_id).collect())
    }

    fn update(
        &self,
        entity: &str,
        fields: &[String],
        changes: Vec<raw::RawChange>,
        authority: &str,
    ) -> Result<Vec<u64>> {
        let change = |change: raw::RawChange| host::records::Change {
            id: id(change.id),
            version: change.version,
            cells: change.cells,
        };
        let changes: Vec<_> = changes.into_iter().map(change).collect();
        host::records::update(entity, fields, &changes, authority).map_err(from_refusal)
    }

    fn delete(&self, entity: &str, ids: &[RecordId], authority: &str) -> Result<()> {
        let ids: Vec<_> = ids.iter().copied().map(id).collect();
        host::records::delete(entity, &ids, authority).map_err(from_refusal)
    }

    fn sql_read(&self, text: &str, params: Vec<u8>) -> Result<raw::RawRows> {
        host::sql::read(text, &params).map(from_rows).map_err(from_refusal)
    }

    fn sql_run(&self, text: &str, params: Vec<Vec<u8>>) -> Result<u64> {
        host::sql::run(text, &params).map_err(from_refusal)
    }

    fn sql_open(&self, text: &str, params: Vec<u8>) -> Result<Box<dyn raw::RawCursor>> {
        let cursor = host::sql::Cursor::open(text, &params).map_err(from_refusal)?;
        Ok(Box::new(HostCursor(cursor)))
    }
}

struct HostCursor(host::sql::Cursor);

impl raw::RawCursor for HostCursor {
    fn next(&mut self, max: u32) -> Result<raw::RawRows> {
        self.0.next(max).map(from_rows).map_err(from_refusal)
    }
}

/// Sends a panic's message to the log before the trap, which itself says nothing.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| host::log::write("error", &panic.to_string())));
}

impl<P: Plugin> exports::stoa::plugin::manifest::Guest for Component<P> {
    fn describe() -> String {
        P::describe().to_pretty_json()
    }
}

impl<P: Plugin> exports::stoa::plugin::hooks::Guest for Component<P> {
    fn run(
        hook: String,
        entity: String,
        drafts: Vec<exports::stoa::plugin::hooks::Draft>,
    ) -> Result<Vec<exports::stoa::plugin::hooks::Verdict>, types::Refusal> {
        report_panics();
        let drafts = drafts.into_iter().map(|draft| raw::RawDraft {
            id: from_id(draft.id),
            before: draft.before,
            after: draft.after,
        });
        let verdicts = P::hook(&Context::new(&Imports), &hook, &entity, drafts.collect()).map_err(refusal)?;
        let verdict = |verdict: raw::RawVerdict| exports::stoa::plugin::hooks::Verdict {
            fields: verdict.fields,
            failures: verdict.failures.into_iter().map(failure).collect(),
        };
        Ok(verdicts.into_iter().map(verdict).collect())
    }
}

impl<P: Plugin> exports::stoa::plugin::actions::Guest for Component<P> {
    fn invoke(
        action: String,
        record: Option<types::RecordId>,
        input: String,
    ) -> Result<String, types::Refusal> {
        report_panics();
        P::action(&Context::new(&Imports), &action, record.map(from_id), &input).map_err(refusal)
    }
}

impl<P: Plugin> exports::stoa::plugin::reports::Guest for Component<P> {
    fn run(report: String, params: String) -> Result<exports::stoa::plugin::reports::Output, types::Refusal> {
        report_panics();
        let report = P::report(&Context::new(&Imports), &report, &params).map_err(refusal)?;
        Ok(exports::stoa::plugin::reports::Output {
            cells: report.cells,
            count: report.count,
            notes: report.notes,
        })
    }
}
