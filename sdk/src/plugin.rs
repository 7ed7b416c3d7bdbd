//! What `plugin!` makes of its list: the manifest, and the way from the contract's calls to typed functions.

use serde_json::{Map, Value};

use crate::backend::{RawDraft, RawReport, RawVerdict};
use crate::cells::Cells;
use crate::context::Context;
use crate::entity::{Draft, Entity};
use crate::error::{Refusal, Result};
use crate::field::{Stored, Wire, parse};
use crate::id::{RecordId, Reference};
use crate::manifest::{self, Manifest};

/// A plugin. Implemented by [`plugin!`](crate::plugin!).
pub trait Plugin {
    /// The manifest.
    fn describe() -> Manifest;

    /// Runs a hook on a batch of drafts.
    fn hook(ctx: &Context<'_>, hook: &str, entity: &str, drafts: Vec<RawDraft>) -> Result<Vec<RawVerdict>>;

    /// Runs an action; input and output are JSON.
    fn action(ctx: &Context<'_>, action: &str, id: Option<RecordId>, input: &str) -> Result<String>;

    /// Runs a report; the parameters are JSON.
    fn report(ctx: &Context<'_>, report: &str, params: &str) -> Result<RawReport>;
}

/// A row of a report: a struct with `#[entity(row)]`.
pub trait Row {
    /// The columns.
    fn columns() -> Vec<manifest::Column>;

    /// Appends the row's cells.
    fn write(&self, out: &mut Cells);
}

/// A finished report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report<R> {
    /// The table.
    pub rows: Vec<R>,
    /// Figures beside the table: what was left out, for example.
    pub notes: Map<String, Value>,
}

impl<R> Report<R> {
    /// A report without notes.
    #[must_use]
    pub fn new(rows: Vec<R>) -> Self {
        Self { rows, notes: Map::new() }
    }

    /// Adds a figure beside the table.
    #[must_use]
    pub fn note(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.notes.insert(key.into(), value.into());
        self
    }
}

/// What `plugin!` calls. Not for authors.
#[doc(hidden)]
pub mod glue {
    use super::{
        Cells, Context, Draft, Entity, Manifest, RawDraft, RawReport, RawVerdict, RecordId, Reference,
        Refusal, Report, Result, Row, Stored, Value, Wire, manifest, parse,
    };

    /// Completes the manifest.
    #[must_use]
    pub fn finish(manifest: Manifest) -> Manifest {
        manifest.qualified()
    }

    /// The column of a report field.
    #[must_use]
    pub fn column<T: Stored>(key: &str, label: &str) -> manifest::Column {
        let mut field = manifest::Field::default();
        T::declare(&mut field);
        let kind = match (field.kind.as_str(), field.references.as_deref()) {
            ("reference", Some("host.user")) => "user",
            ("reference", Some("host.team")) => "team",
            ("file", _) => "reference",
            ("email" | "phone" | "url" | "rich_text" | "auto_number", _) => "text",
            // A table has one line for each row: what has parts stands in it as JSON text.
            ("json" | "options" | "references" | "address", _) => "text",
            (kind, _) => kind,
        };
        let references = field.references.filter(|_| kind == "reference");
        manifest::Column {
            key: key.into(),
            kind: kind.into(),
            scale: field.scale,
            references,
            label: label.into(),
        }
    }

    /// Runs the hook of `T` on packed drafts.
    ///
    /// # Errors
    /// What the hook answers.
    pub fn hook<T: Entity>(ctx: &Context<'_>, hook: &str, drafts: Vec<RawDraft>) -> Result<Vec<RawVerdict>> {
        let mut verdicts = vec![RawVerdict::default(); drafts.len()];
        let (mut typed, mut places) = (Vec::with_capacity(drafts.len()), Vec::with_capacity(drafts.len()));
        for (place, raw) in drafts.iter().enumerate() {
            match Draft::<T>::from_rows(raw.id, raw.before.as_deref(), &raw.after) {
                Ok(draft) => {
                    typed.push(draft);
                    places.push(place);
                }
                // It lacks what `T` cannot be without. The host has found that already and tells the caller.
                Err(_) if hook == "validate" => {}
                Err(malformed) => return Err(malformed.into()),
            }
        }
        T::hook(ctx, hook, &mut typed)?;
        let may_change = matches!(hook, "before_create" | "before_update");
        for (draft, place) in typed.into_iter().zip(places) {
            let (fields, failures) = draft.into_verdict();
            if let Some(verdict) = verdicts.get_mut(place) {
                *verdict = RawVerdict { fields: fields.filter(|_| may_change), failures };
            }
        }
        Ok(verdicts)
    }

    fn input<I: Wire>(text: &str) -> Result<I> {
        let text = if text.is_empty() { "{}" } else { text };
        let json: Value = serde_json::from_str(text)
            .map_err(|_| Refusal::invalid("", "invalid_json", "send a JSON object"))?;
        parse(&json).map_err(Refusal::all)
    }

    /// Runs an action on a record.
    ///
    /// # Errors
    /// What the action answers, or that the input is wrong.
    pub fn on_record<E: Entity, I: Wire, O: Wire>(
        run: fn(&Context<'_>, Reference<E>, I) -> Result<O>,
        ctx: &Context<'_>,
        id: Option<RecordId>,
        text: &str,
    ) -> Result<String> {
        let id = id.ok_or_else(|| Refusal::failed("no_record", "this action needs a record"))?;
        run(ctx, id.into(), input(text)?).map(|output| output.to_json().to_string())
    }

    /// Runs an action on a collection or the module.
    ///
    /// # Errors
    /// What the action answers, or that the input is wrong.
    pub fn on_all<I: Wire, O: Wire>(
        run: fn(&Context<'_>, I) -> Result<O>,
        ctx: &Context<'_>,
        text: &str,
    ) -> Result<String> {
        run(ctx, input(text)?).map(|output| output.to_json().to_string())
    }

    /// Runs a report.
    ///
    /// # Errors
    /// What the report answers, or that the parameters are wrong.
    pub fn report<P: Wire, R: Row>(
        run: fn(&Context<'_>, P) -> Result<Report<R>>,
        ctx: &Context<'_>,
        text: &str,
    ) -> Result<RawReport> {
        let report = run(ctx, input(text)?)?;
        let mut cells = Cells::new();
        report.rows.iter().for_each(|row| row.write(&mut cells));
        let count = u32::try_from(report.rows.len())
            .map_err(|_| Refusal::failed("too_many_rows", "too many rows"))?;
        let notes =
            if report.notes.is_empty() { String::new() } else { Value::Object(report.notes).to_string() };
        Ok(RawReport { cells: cells.into_bytes(), count, notes })
    }

    /// Entity, input and output of an action on a record.
    #[must_use]
    pub fn record_types<E: Entity, I: Wire, O: Wire>(
        _: fn(&Context<'_>, Reference<E>, I) -> Result<O>,
    ) -> (String, Value, Value) {
        (E::KEY.into(), I::schema(), O::schema())
    }

    /// Input and output of an action on a collection or the module.
    #[must_use]
    pub fn all_types<I: Wire, O: Wire>(_: fn(&Context<'_>, I) -> Result<O>) -> (Value, Value) {
        (I::schema(), O::schema())
    }

    /// Parameters and columns of a report.
    #[must_use]
    pub fn report_types<P: Wire, R: Row>(
        _: fn(&Context<'_>, P) -> Result<Report<R>>,
    ) -> (Value, Vec<manifest::Column>) {
        (P::schema(), R::columns())
    }
}

/// The refusal of a name that the plugin does not know.
#[must_use]
pub fn unknown(what: &str, name: &str) -> Refusal {
    Refusal::failed("unknown_name", format!("this plugin has no {what} `{name}`"))
}
