//! Opportunities: business that may come, where it stands, and where it stood before.
//!
//! `rules.rs` is the state machine and knows nothing of a host; `hooks.rs` brings every write to it, so that a request,
//! an import and an action share one path; `history.rs` remembers moves, `ownership.rs` gives them
//! to whoever owns the opportunity; `actions.rs` are the moves with a name.

pub(crate) mod actions;
pub(crate) mod history;
pub(crate) mod hooks;
pub(crate) mod ownership;
pub(crate) mod rules;

use stoa_sdk::prelude::*;

use crate::pipelines::{Pipeline, Stage};
use crate::products::Product;

/// Where a probability comes from.
#[entity]
pub(crate) enum ProbabilitySource {
    Stage,
    Manual,
}

/// Business that may come.
#[entity(
    key = "opportunity",
    plural = "opportunities",
    title = "name",
    subject = "account",
    hooks(
        before_create = hooks::before_create,
        after_create = hooks::after_create,
        before_update = hooks::before_update,
        after_update = hooks::after_update
    )
)]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Opportunity {
    #[field(max = 200, searchable = 10)]
    pub name: String,
    #[field(references = "crm.account", inverse = "opportunities", indexed)]
    pub account: Option<RecordId>,
    #[field(indexed, inverse = "opportunities")]
    pub product: Option<Reference<Product>>,
    /// The stage's pipeline; the default one when nothing is said.
    #[field(indexed, inverse = "opportunities")]
    pub pipeline: Option<Reference<Pipeline>>,
    /// Where it stands; the pipeline's first open stage when nothing is said.
    #[field(indexed, inverse = "opportunities")]
    pub stage: Option<Reference<Stage>>,
    #[field(min = 0, max = 1_000_000_000_000_000)]
    pub amount: Option<Money>,
    /// When work on it began. Today for a new one; an import may leave it empty.
    pub opened_on: Option<Date>,
    #[field(indexed)]
    pub expected_close_on: Option<Date>,
    /// When it was won or lost. Another day than today needs the right `backdate`.
    #[field(indexed)]
    pub closed_on: Option<Date>,
    #[field(read_only)]
    pub closed_at: Option<DateTime>,
    #[field(read_only, default = false)]
    pub is_won: bool,
    /// The stage's, unless somebody sets another; send null to go back to the stage's.
    #[field(min = 0, max = 1_000_000)]
    pub probability: Option<Percent>,
    #[field(read_only, default = "stage")]
    pub probability_source: ProbabilitySource,
    #[field(options(
        "price" = "Price",
        "competitor" = "Lost to a competitor",
        "no_budget" = "No budget",
        "no_decision" = "No decision",
        "timing" = "Wrong time",
        "missing_feature" = "Something is missing",
        "lost_contact" = "Contact lost",
        "duplicate" = "Duplicate",
        "test" = "Test",
        "other" = "Other"
    ))]
    pub lost_reason: Option<String>,
    #[field(searchable = 1)]
    pub lost_notes: Option<RichText>,
    #[field(max = 500, searchable = 3)]
    pub next_step: Option<String>,
    #[field(read_only, default = 0)]
    pub reopen_count: i64,
    /// Since when it stands in its stage.
    #[field(read_only)]
    pub stage_entered_at: Option<DateTime>,
}

/// Why an opportunity came into a stage.
#[entity]
pub(crate) enum Cause {
    Created,
    Imported,
    Moved,
    Won,
    Lost,
    Reopened,
}

/// A stay of an opportunity in a stage. Written by the plugin alone; who made the move stands in `created_by`. Every
/// opportunity has exactly one stay that has not ended.
#[entity(key = "stage_history", plural = "stage-history", label = "Stage history", operations())]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StageHistory {
    #[field(on_delete = "cascade", inverse = "stage_history", indexed)]
    pub opportunity: Reference<Opportunity>,
    pub pipeline: Reference<Pipeline>,
    pub from_stage: Option<Reference<Stage>>,
    pub to_stage: Reference<Stage>,
    #[field(indexed)]
    pub entered_at: DateTime,
    pub exited_at: Option<DateTime>,
    /// Length of the stay.
    pub seconds: Option<i64>,
    pub cause: Cause,
    /// What the person said about the move.
    #[field(max = 2000)]
    pub reason: Option<String>,
    /// The amount at the time.
    pub amount: Option<Money>,
    /// The probability at the time.
    pub probability: Option<Percent>,
    /// The expected close date at the time.
    pub expected_close_on: Option<Date>,
}
