//! The moves with a name. They write the fields that a request could write, plus the few that only the plugin may; the
//! rules themselves run in the hooks.

use serde_json::{Map, Value};
use stoa_sdk::prelude::*;

use super::{Opportunity, history};
use crate::pipelines::plan::Plan;
use crate::pipelines::{Kind, Stage};

/// Where to.
#[entity(value)]
pub(crate) struct Move {
    /// An open stage of the opportunity's pipeline, or a closed one to win or lose it.
    stage: Reference<Stage>,
    /// Whether a probability that somebody set stays; otherwise the stage's is taken.
    #[field(default = false)]
    keep_probability: bool,
    /// Why, for the history.
    #[field(max = 2000)]
    reason: Option<String>,
}

/// How it was won.
#[entity(value)]
pub(crate) struct Won {
    /// When, if not today; an earlier day needs the right `backdate`.
    closed_on: Option<Date>,
    /// The amount, if another than the opportunity's.
    amount: Option<Money>,
}

/// How it was lost.
#[entity(value)]
pub(crate) struct Lost {
    /// `price`, `competitor`, ... as the field `lost_reason`.
    #[field(max = 100)]
    reason: String,
    #[field(max = 10_000)]
    notes: Option<String>,
    /// When, if not today; an earlier day needs the right `backdate`.
    closed_on: Option<Date>,
}

/// Where it goes on.
#[entity(value)]
pub(crate) struct Reopen {
    /// An open stage.
    stage: Reference<Stage>,
    /// Why, for the history.
    #[field(min = 1, max = 2000)]
    reason: String,
}

type Answer = Map<String, Value>;

/// Writes the change with the plugin's authority: the right to the action is the right to the move, and the host has
/// checked it for this record. Answers the record as it is after the hooks.
fn save(ctx: &Context, mut opportunity: Record<Opportunity>, reason: Option<String>) -> Result<Answer> {
    let id = opportunity.id;
    ctx.records().as_plugin().save(&mut opportunity)?;
    history::note(ctx, id, reason)?;
    Ok(ctx.records::<Opportunity>().as_plugin().get(id)?.to_json())
}

/// `opportunity.move`
pub(crate) fn move_to(ctx: &Context, id: Reference<Opportunity>, input: Move) -> Result<Answer> {
    let mut opportunity = ctx.records::<Opportunity>().get(id)?;
    if opportunity.stage == Some(input.stage) {
        return Err(Refusal::conflict("already_there", "the opportunity stands in this stage"));
    }
    opportunity.stage = Some(input.stage);
    if !input.keep_probability && opportunity.closed_on.is_none() {
        opportunity.probability = None;
    }
    save(ctx, opportunity, input.reason)
}

/// The first stage of this kind in the opportunity's pipeline; a conflict when it is closed already.
fn closing(ctx: &Context, opportunity: &Opportunity, kind: Kind) -> Result<Option<Reference<Stage>>> {
    if opportunity.closed_on.is_some() {
        let detail = "this opportunity is closed; reopen it first";
        return Err(Refusal::conflict("opportunity_closed", detail)
            .with("allowed", serde_json::json!([{ "action": "reopen" }])));
    }
    let plan = Plan::read(ctx)?;
    let station = opportunity.pipeline.and_then(|pipeline| plan.first(pipeline, kind));
    let missing =
        || Refusal::conflict("no_such_stage", "the pipeline has no stage of this kind; add one first");
    station.map(|station| Some(station.id)).ok_or_else(missing)
}

/// `opportunity.close-won`
pub(crate) fn close_won(ctx: &Context, id: Reference<Opportunity>, input: Won) -> Result<Answer> {
    let mut opportunity = ctx.records::<Opportunity>().get(id)?;
    opportunity.stage = closing(ctx, &opportunity, Kind::Won)?;
    opportunity.closed_on = input.closed_on;
    opportunity.amount = input.amount.or(opportunity.amount);
    save(ctx, opportunity, None)
}

/// `opportunity.close-lost`
pub(crate) fn close_lost(ctx: &Context, id: Reference<Opportunity>, input: Lost) -> Result<Answer> {
    let mut opportunity = ctx.records::<Opportunity>().get(id)?;
    opportunity.stage = closing(ctx, &opportunity, Kind::Lost)?;
    opportunity.closed_on = input.closed_on;
    opportunity.lost_reason = Some(input.reason);
    opportunity.lost_notes = input.notes.map(RichText);
    save(ctx, opportunity, None)
}

/// `opportunity.reopen`
pub(crate) fn reopen(ctx: &Context, id: Reference<Opportunity>, input: Reopen) -> Result<Answer> {
    let mut opportunity = ctx.records::<Opportunity>().get(id)?;
    if opportunity.closed_on.is_none() {
        let allowed =
            serde_json::json!([{ "action": "move" }, { "action": "close-won" }, { "action": "close-lost" }]);
        return Err(Refusal::conflict("opportunity_open", "this opportunity is open already")
            .with("allowed", allowed));
    }
    opportunity.stage = Some(input.stage);
    // Only the plugin writes this field: it is how the rules know that the move is a reopening.
    opportunity.reopen_count += 1;
    save(ctx, opportunity, Some(input.reason))
}

#[cfg(test)]
pub(crate) mod tests;
