//! The stays of opportunities in stages: contiguous, and exactly one of each without an end.

use std::collections::BTreeMap;

use stoa_sdk::prelude::*;

use super::{Cause, Opportunity, StageHistory};
use crate::pipelines::Stage;

/// The stay that begins where the opportunity stands now.
pub(crate) fn stay(
    id: Reference<Opportunity>,
    from_stage: Option<Reference<Stage>>,
    opportunity: &Opportunity,
    cause: Cause,
) -> Result<StageHistory> {
    let unplaced = || Refusal::failed("unplaced", "an opportunity came past the rules without a stage");
    Ok(StageHistory {
        opportunity: id,
        pipeline: opportunity.pipeline.ok_or_else(unplaced)?,
        from_stage,
        to_stage: opportunity.stage.ok_or_else(unplaced)?,
        entered_at: opportunity.stage_entered_at.ok_or_else(unplaced)?,
        exited_at: None,
        seconds: None,
        cause,
        reason: None,
        amount: opportunity.amount,
        probability: opportunity.probability,
        expected_close_on: opportunity.expected_close_on,
    })
}

/// Writes stays, each owned by the opportunity's owner, so that whoever sees the one sees the other.
pub(crate) fn begin(ctx: &Context, stays: &[(Option<UserId>, StageHistory)]) -> Result<()> {
    ctx.records().as_plugin().create_for(stays).map(|_| ())
}

/// A filter names at most this many values.
const AT_ONCE: usize = 200;

fn open_stays(ctx: &Context, opportunities: &[Reference<Opportunity>]) -> Result<Vec<Record<StageHistory>>> {
    let mut stays = Vec::new();
    for some in opportunities.chunks(AT_ONCE) {
        let what = Find::all().one_of("opportunity", some).empty("exited_at");
        stays.extend(ctx.records().as_plugin().find(&what)?);
    }
    Ok(stays)
}

/// Ends the open stays of these opportunities at these instants.
pub(crate) fn end(ctx: &Context, ends: &BTreeMap<Reference<Opportunity>, DateTime>) -> Result<()> {
    let ids: Vec<_> = ends.keys().copied().collect();
    let mut stays = open_stays(ctx, &ids)?;
    for stay in &mut stays {
        let Some(end) = ends.get(&stay.opportunity).copied() else {
            continue;
        };
        stay.seconds = Some(end.millis_since(stay.entered_at).max(0) / 1000);
        stay.exited_at = Some(end.max(stay.entered_at));
    }
    ctx.records().as_plugin().save_all(&mut stays)
}

/// Notes what the person said about the move that was just made.
pub(crate) fn note(ctx: &Context, id: Reference<Opportunity>, reason: Option<String>) -> Result<()> {
    if reason.is_none() {
        return Ok(());
    }
    let mut stays = open_stays(ctx, &[id])?;
    stays.iter_mut().for_each(|stay| stay.reason.clone_from(&reason));
    ctx.records().as_plugin().save_all(&mut stays)
}
