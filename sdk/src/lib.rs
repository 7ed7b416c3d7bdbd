//! Write Stoa plugins: declare entities, add the logic, get the rest from the host.
//!
//! This is one complete plugin. The host makes of it: a table per organization, a REST resource with filters, sorting
//! and paging, permissions, a change log, imports, an OpenAPI document, and the action and the report below. `stoa plugin new`
//! begins with it, and it stands in `plugins/examples/notes`.
//!
//! ```
//! use stoa_sdk::prelude::*;
//!
//! /// Something worth remembering about an account.
//! #[entity(key = "note", plural = "notes", title = "text")]
//! pub struct Note {
//!     #[field(max = 1_000, searchable = 5)]
//!     text: String,
//!     /// The company that it is about.
//!     #[field(references = "crm.account", on_delete = "detach", inverse = "notes", indexed)]
//!     account: Option<RecordId>,
//!     #[field(read_only, default = false)]
//!     pinned: bool,
//! }
//!
//! /// `POST /api/v1/notes/notes/{id}/pin`
//! fn pin(ctx: &Context, id: Reference<Note>, _: ()) -> Result<()> {
//!     let mut note = ctx.records::<Note>().get(id)?;
//!     if note.pinned {
//!         return Err(Refusal::conflict("already_pinned", "the note is pinned already"));
//!     }
//!     note.pinned = true;
//!     ctx.records().save(&mut note)
//! }
//!
//! /// An account and the number of its notes that the caller may read.
//! #[entity(row)]
//! pub struct Line {
//!     #[field(references = "crm.account")]
//!     account: RecordId,
//!     notes: i64,
//! }
//!
//! /// `GET /api/v1/notes/reports/known`
//! fn known(ctx: &Context, _: ()) -> Result<Report<Line>> {
//!     let text = sql!(
//!         "select account, count(*) from visible_note where account is not null ",
//!         "group by account order by 2 desc, 1 limit 100"
//!     );
//!     ctx.sql().read(text, &[]).map(Report::new)
//! }
//!
//! stoa_sdk::plugin! {
//!     id: "notes",
//!     name: "Notes",
//!     module: "notes",
//!     requires: ["crm"],
//!     entities: [Note],
//!     actions: [{ key: "note.pin", run: pin, on: record, mode: write, label: "Pin" }],
//!     reports: [{ key: "known", run: known, reads: Note, label: "Known", help: "Notes per account." }],
//!     grants: [
//!         Grant::new("manager", "team", "notes.note", &["list", "read", "create", "update", "delete", "pin"]),
//!         Grant::new("rep", "own", "notes.note", &["list", "read", "create", "update", "pin"]),
//!         Grant::new("readonly", "org", "notes.note", &["list", "read"]),
//!     ],
//! }
//!
//! // Everything runs natively too, against a host in memory:
//! # fn main() -> Result<()> {
//! let host = stoa_sdk::testing::Host::new::<Plugin>();
//! let note = Note { text: "Call back".into(), account: None, pinned: false };
//! let id = host.context().records().create(&note)?;
//! pin(&host.context(), id, ())?;
//! assert!(host.context().records().get(id)?.pinned);
//! assert_eq!(describe().entities[0].plural, "notes");
//! # Ok(())
//! # }
//! ```
//!
//! - [`entity`] on a struct declares a kind of record; on an enum, the choices of an option field; with `value`, an
//!   action's input or output; with `row`, a row of a report. `#[field(...)]` says more: `required`, `unique`,
//!   `indexed`, `read_only`, `searchable`, `min`, `max`, `references`, `on_delete`, `inverse`, `options("a" = "A")`,
//!   `format`, `default`, `class`, `label`, `help`, `key`. A doc comment is the help text. A field that is no `Option` is required.
//! - [`plugin!`] lists what the plugin offers and makes the component, [`describe`](Plugin::describe) included.
//! - Hooks: `validate`, `before_create`, `before_update`, `before_delete`, `after_create`, `after_update`,
//!   `after_delete`. They get batches; refuse single drafts with [`Draft::refuse`], the whole call with a [`Refusal`].
//! - Fields are plain Rust: texts, numbers, [`Date`], [`Money`], an enum or [`Options`] of one, a [`Reference`] or a
//!   `Vec` of them, [`Address`], [`FileId`], [`Duration`], [`AutoNumber`], [`Json`]. `docs/PLUGINS.md` has the table, and
//!   `plugins/examples/kitchen-sink` uses every one.
//! - A record's owner is `record.system.owner`: change it and [`save`](Records::save) the record.
//! - [`sql!`] writes a statement; nothing else converts to [`Sql`].

#![warn(missing_docs)]

// The macros name this crate by its name, in here too.
extern crate self as stoa_sdk;

pub mod backend;
pub mod cells;
mod composite;
mod context;
mod date;
mod decimal;
mod duration;
pub mod entity;
mod error;
#[cfg(target_family = "wasm")]
pub mod export;
pub mod field;
mod id;
pub mod manifest;
mod money;
#[doc(hidden)]
pub mod object;
mod plugin;
mod records;
mod scalar;
pub mod sql;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod text;

pub use stoa_sdk_macros::{entity, plugin};

pub use crate::backend::{Organization, Principal};
pub use crate::composite::{Address, Options};
pub use crate::context::Context;
pub use crate::date::{Date, DateTime, InvalidDate};
pub use crate::decimal::{Decimal, InvalidNumber, Percent, divide_rounded};
pub use crate::duration::Duration;
pub use crate::entity::{Draft, Entity, Record, System};
pub use crate::error::{Failure, Refusal, Result};
pub use crate::field::{Stored, Wire};
pub use crate::id::{FileId, InvalidId, RecordId, Reference, TeamId, UserId};
pub use crate::manifest::Manifest;
pub use crate::money::{Currency, Money};
pub use crate::plugin::{Plugin, Report, Row, unknown as unknown_name};
pub use crate::records::{Find, Records};
pub use crate::sql::{Cursor, Database, Sql};
pub use crate::text::{AutoNumber, Choice, Email, Json, Phone, RichText, Url};

/// What most plugins need: `use stoa_sdk::prelude::*;` is the one glob import that the house style allows.
pub mod prelude {
    pub use crate::manifest::{Grant, Limits, Seed, Setting, Step, Times};
    pub use crate::{
        Address, AutoNumber, Choice, Context, Currency, Date, DateTime, Decimal, Draft, Duration, Email,
        Entity, Failure, FileId, Find, Json, Money, Options, Percent, Phone, Record, RecordId, Reference,
        Refusal, Report, Result, RichText, Sql, TeamId, Url, UserId, entity, sql,
    };
}

/// What the macros' code names. Not for authors.
#[doc(hidden)]
pub mod __private {
    pub use crate::plugin::glue;
    pub use serde_json::{Map, Value, json};
}
