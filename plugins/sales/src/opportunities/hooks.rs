//! Every write of an opportunity, whoever asks for it, comes through here: batches in, rules applied, history out.

use std::collections::BTreeMap;

use stoa_sdk::prelude::*;

use super::rules::{self, Blocked, Moment};
use super::{Cause, Opportunity};
use super::{history, ownership};
use crate::grants::{BACKDATE, OPPORTUNITY};
use crate::pipelines::Kind;
use crate::pipelines::plan::Plan;

const IMPORT: &str = "import";

fn moment(ctx: &Context) -> Result<Moment> {
    Ok(Moment {
        now: ctx.now(),
        today: ctx.today()?,
        may_backdate: ctx.allows(OPPORTUNITY, BACKDATE),
        imported: ctx.source() == IMPORT,
    })
}

/// Places new opportunities in their stages.
pub(crate) fn before_create(ctx: &Context, drafts: &mut [Draft<Opportunity>]) -> Result<()> {
    let (plan, moment) = (Plan::read(ctx)?, moment(ctx)?);
    for draft in drafts {
        let broken = rules::open(draft, &plan, &moment);
        draft.refuse_all(broken);
    }
    Ok(())
}

/// Applies the state machine to changes.
pub(crate) fn before_update(ctx: &Context, drafts: &mut [Draft<Opportunity>]) -> Result<()> {
    let (plan, moment) = (Plan::read(ctx)?, moment(ctx)?);
    let alone = drafts.len() == 1;
    for draft in drafts {
        let (Some(before), after) = draft.parts() else {
            continue;
        };
        match rules::change(before, after, &plan, &moment) {
            Ok(()) => {}
            Err(Blocked::Rules(broken)) => draft.refuse_all(broken),
            // Of a batch only this record is at fault; alone, the caller learns what is allowed instead.
            Err(Blocked::Closed) if alone && !moment.imported => return Err(closed(draft, &plan)),
            Err(Blocked::Closed) => draft.refuse("/stage", CLOSED, CLOSED_DETAIL),
        }
    }
    Ok(())
}

const CLOSED: &str = "opportunity_closed";
const CLOSED_DETAIL: &str = "this opportunity is closed; reopen it to move it";

/// The conflict of moving what is closed, with the transitions that are allowed.
fn closed(draft: &Draft<Opportunity>, plan: &Plan) -> Refusal {
    let before = draft.before();
    let pipeline = before.and_then(|before| before.pipeline);
    let stages =
        pipeline.into_iter().flat_map(|pipeline| plan.open(pipeline)).map(|station| station.id.to_string());
    let allowed = serde_json::json!([{ "action": "reopen", "stages": stages.collect::<Vec<_>>() }]);
    Refusal::conflict(CLOSED, CLOSED_DETAIL).with("allowed", allowed)
}

/// Begins the first stay of new opportunities.
pub(crate) fn after_create(ctx: &Context, drafts: &mut [Draft<Opportunity>]) -> Result<()> {
    let cause = if ctx.source() == IMPORT { Cause::Imported } else { Cause::Created };
    let stay = |draft: &Draft<Opportunity>| {
        history::stay(draft.id, None, draft, cause).map(|stay| (draft.system.owner, stay))
    };
    let stays: Vec<_> = drafts.iter().map(stay).collect::<Result<_>>()?;
    history::begin(ctx, &stays)
}

/// Lets the stays follow to a new owner; ends the stay of opportunities that moved and begins the next.
pub(crate) fn after_update(ctx: &Context, drafts: &mut [Draft<Opportunity>]) -> Result<()> {
    ownership::follow(ctx, drafts)?;
    let moved: Vec<&Draft<Opportunity>> = drafts.iter().filter(|draft| draft.changes(|o| o.stage)).collect();
    if moved.is_empty() {
        return Ok(());
    }
    let plan = Plan::read(ctx)?;
    let mut ends = BTreeMap::new();
    let mut stays = Vec::with_capacity(moved.len());
    for draft in moved {
        let Some(before) = draft.before() else { continue };
        let stay = history::stay(draft.id, before.stage, draft, cause(before, draft, &plan))?;
        ends.insert(draft.id, stay.entered_at);
        stays.push((draft.system.owner, stay));
    }
    history::end(ctx, &ends)?;
    history::begin(ctx, &stays)
}

fn cause(before: &Opportunity, after: &Opportunity, plan: &Plan) -> Cause {
    let kind = after.stage.and_then(|stage| plan.station(stage)).map(|station| station.kind);
    match kind {
        Some(Kind::Won) => Cause::Won,
        Some(Kind::Lost) => Cause::Lost,
        _ if after.reopen_count > before.reopen_count => Cause::Reopened,
        _ => Cause::Moved,
    }
}
