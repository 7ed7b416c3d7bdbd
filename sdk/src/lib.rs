//! Write Stoa plugins: declare entities, add the logic, get the rest from the host.
//!
//! This is one complete plugin. The host makes of it: a table per organization, a REST resource with filters, sorting
//! and paging, permissions, a change log, imports, an OpenAPI document, and the action and the report below.
//!
//! ```
//! use stoa_sdk::prelude::*;
//!
//! /// Something to be done.
//! #[entity(key = "task", plural = "tasks", title = "subject", hooks(before_create = check, before_update = check))]
//! pub struct Task {
//!     /// What is to be done.
//!     #[field(max = 200, searchable = 2)]
//!     subject: String,
//!     /// The last day on which it may be done.
//!     due_on: Option<Date>,
//!     #[field(default = "normal")]
//!     priority: Priority,
//!     /// What it may cost.
//!     budget: Option<Money>,
//!     #[field(read_only)]
//!     done_at: Option<DateTime>,
//!     #[field(references = "crm.account", on_delete = "detach")]
//!     account: Option<RecordId>,
//! }
//!
//! #[entity]
//! pub enum Priority {
//!     Low,
//!     Normal,
//!     High,
//! }
//!
//! /// Runs inside the write's transaction, for every write: REST, import, action.
//! fn check(ctx: &Context, drafts: &mut [Draft<Task>]) -> Result<()> {
//!     let today = ctx.today()?;
//!     for draft in drafts {
//!         if draft.changes(|task| task.due_on) && draft.due_on.is_some_and(|due| due < today) {
//!             draft.refuse("/due_on", "in_the_past", "choose today or a later day");
//!         }
//!     }
//!     Ok(())
//! }
//!
//! #[entity(value)]
//! pub struct Finish {
//!     /// When, if not now.
//!     at: Option<DateTime>,
//! }
//!
//! /// `POST /api/v1/tasks/tasks/{id}/finish`
//! fn finish(ctx: &Context, id: Reference<Task>, input: Finish) -> Result<()> {
//!     let mut task = ctx.records::<Task>().get(id)?;
//!     if task.done_at.is_some() {
//!         return Err(Refusal::conflict("task_done", "the task is done already").with("allowed", vec!["reopen"]));
//!     }
//!     task.done_at = Some(input.at.unwrap_or(ctx.now()));
//!     ctx.records().save(&mut task)
//! }
//!
//! #[entity(value)]
//! pub struct Period {
//!     from: Option<Date>,
//! }
//!
//! #[entity(row)]
//! pub struct Load {
//!     owner: UserId,
//!     open: i64,
//! }
//!
//! /// `visible_task` holds the records that the caller may read, and no others.
//! const LOAD: Sql = sql!(
//!     "select owner_id, count(*) from visible_task where done_at is null and (?1 is null or due_on >= ?1) ",
//!     "group by owner_id order by 2 desc"
//! );
//!
//! fn load(ctx: &Context, params: Period) -> Result<Report<Load>> {
//!     ctx.sql().read(LOAD, &[&params.from]).map(Report::new)
//! }
//!
//! stoa_sdk::plugin! {
//!     id: "tasks",
//!     name: "Tasks",
//!     module: "tasks",
//!     requires: ["crm"],
//!     entities: [Task],
//!     actions: [
//!         { key: "task.finish", run: finish, on: record, mode: write, label: "Finish" },
//!     ],
//!     reports: [
//!         { key: "load", run: load, reads: Task, label: "Load", help: "Open tasks per owner." },
//!     ],
//!     grants: [Grant::new("rep", "own", "tasks.task", &["list", "read", "create", "update", "finish"])],
//! }
//!
//! // Everything runs natively too, against a host in memory:
//! # fn main() -> Result<()> {
//! let host = stoa_sdk::testing::Host::new::<Plugin>();
//! let task = Task {
//!     subject: "Call back".into(),
//!     due_on: None,
//!     priority: Priority::High,
//!     budget: None,
//!     done_at: None,
//!     account: None,
//! };
//! let id = host.context().records().create(&task)?;
//! finish(&host.context(), id, Finish { at: None })?;
//! assert!(host.context().records().get(id)?.done_at.is_some());
//! assert_eq!(describe().entities[0].plural, "tasks");
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
    pub use crate::manifest::{Grant, Seed, Setting, Step};
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
