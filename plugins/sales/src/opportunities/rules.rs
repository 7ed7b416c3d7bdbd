//! The state machine of opportunities. Pure: what it needs to know is handed in, what it decides is written into the
//! opportunity, and what it refuses is listed in full.

use stoa_sdk::prelude::*;

use super::{Opportunity, ProbabilitySource};
use crate::pipelines::Kind;
use crate::pipelines::plan::{Plan, Station};

/// When and with what rights something happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: DateTime,
    pub(crate) today: Date,
    /// Whether the principal may close on another day than today.
    pub(crate) may_backdate: bool,
    /// Whether this brings in what happened elsewhere: then an empty date stays empty.
    pub(crate) imported: bool,
}

impl Moment {
    /// The instant that stands for a day: now for today, the day's beginning for one that is over.
    fn instant_of(&self, day: Date) -> DateTime {
        if day == self.today { self.now } else { day.midnight().min(self.now) }
    }
}

/// Why a change is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Blocked {
    /// The opportunity is closed: it moves only through `reopen`.
    Closed,
    /// Rules of the input, all of them.
    Rules(Vec<Failure>),
}

type Rules = Vec<Failure>;

fn rule(rules: &mut Rules, pointer: &str, code: &str, detail: impl Into<String>) {
    rules.push(Failure::new(pointer, code, detail));
}

/// Completes a new opportunity; answers every rule that it breaks.
pub(crate) fn open(opportunity: &mut Opportunity, plan: &Plan, moment: &Moment) -> Rules {
    let mut rules = Rules::new();
    if opportunity.opened_on.is_none() && !moment.imported {
        opportunity.opened_on = Some(moment.today);
    }
    let Some(station) = place(opportunity, plan, &mut rules) else {
        return rules;
    };
    match station.kind {
        Kind::Open => {
            stay_open(opportunity, &mut rules);
            set_probability(opportunity, None, true, station);
            opportunity.stage_entered_at =
                Some(opportunity.opened_on.map_or(moment.now, |day| moment.instant_of(day)));
        }
        Kind::Won | Kind::Lost => {
            close(opportunity, station, true, moment, &mut rules);
            opportunity.stage_entered_at = opportunity.closed_at;
        }
    }
    check(opportunity, station, &mut rules);
    rules
}

/// Completes a change of an opportunity, or says what it breaks.
pub(crate) fn change(
    before: &Opportunity,
    after: &mut Opportunity,
    plan: &Plan,
    moment: &Moment,
) -> Result<(), Blocked> {
    let mut rules = Rules::new();
    let moved = before.stage != after.stage;
    let was_closed = before.closed_on.is_some();
    let reopened = after.reopen_count > before.reopen_count;
    if moved && was_closed && !reopened {
        return Err(Blocked::Closed);
    }
    let Some(station) = placed(after, plan, &mut rules) else {
        return Err(Blocked::Rules(rules));
    };

    match station.kind {
        Kind::Open => {
            if was_closed && moved {
                clear_close(after);
            }
            stay_open(after, &mut rules);
            set_probability(after, Some(before), moved, station);
            if moved {
                after.stage_entered_at = Some(moment.now.max(before.stage_entered_at.unwrap_or(moment.now)));
            }
        }
        Kind::Won | Kind::Lost if was_closed && moved => {
            rule(&mut rules, "/stage", "stage_not_open", "reopening needs an open stage");
        }
        Kind::Won | Kind::Lost => {
            if !moved && after.probability != before.probability {
                rule(
                    &mut rules,
                    "/probability",
                    "opportunity_closed",
                    "a closed opportunity keeps its probability",
                );
            }
            let dated = moved || after.closed_on != before.closed_on;
            close(after, station, dated, moment, &mut rules);
            if moved {
                after.stage_entered_at = after.closed_at.max(before.stage_entered_at);
            }
        }
    }
    check(after, station, &mut rules);
    if rules.is_empty() { Ok(()) } else { Err(Blocked::Rules(rules)) }
}

/// Finds the stage of a new opportunity: the one given, else the first open one of the pipeline, else of the default.
fn place<'p>(opportunity: &mut Opportunity, plan: &'p Plan, rules: &mut Rules) -> Option<&'p Station> {
    if opportunity.stage.is_none() {
        let Some(pipeline) = opportunity.pipeline.or(plan.default_pipeline()) else {
            rule(rules, "/pipeline", "required", "there is no default pipeline; send a pipeline or a stage");
            return None;
        };
        let Some(first) = plan.first(pipeline, Kind::Open) else {
            rule(
                rules,
                "/pipeline",
                "no_open_stage",
                "this pipeline has no open stage; send a stage or another pipeline",
            );
            return None;
        };
        opportunity.stage = Some(first.id);
        opportunity.pipeline = Some(pipeline);
    }
    if opportunity.pipeline.is_none() {
        opportunity.pipeline =
            opportunity.stage.and_then(|stage| plan.station(stage)).map(|station| station.pipeline);
    }
    placed(opportunity, plan, rules)
}

/// The stage, which must exist and belong to the pipeline.
fn placed<'p>(opportunity: &Opportunity, plan: &'p Plan, rules: &mut Rules) -> Option<&'p Station> {
    let Some(stage) = opportunity.stage else {
        rule(rules, "/stage", "required", "an opportunity stands in a stage; send one");
        return None;
    };
    let Some(station) = plan.station(stage) else {
        rule(rules, "/stage", "unknown_stage", "there is no such stage");
        return None;
    };
    if opportunity.pipeline != Some(station.pipeline) {
        let detail = format!(
            "the stage {} belongs to another pipeline; send the two that belong together",
            station.name
        );
        rule(rules, "/stage", "stage_of_other_pipeline", detail);
    }
    Some(station)
}

fn clear_close(opportunity: &mut Opportunity) {
    opportunity.closed_on = None;
    opportunity.closed_at = None;
    opportunity.is_won = false;
    opportunity.lost_reason = None;
    opportunity.lost_notes = None;
}

fn stay_open(opportunity: &mut Opportunity, rules: &mut Rules) {
    if opportunity.closed_on.is_some() {
        rule(rules, "/closed_on", "not_closed", "an opportunity in an open stage has no closing day");
    }
    opportunity.closed_at = None;
    opportunity.is_won = false;
}

/// Closes, or keeps closed; `dated` when the closing day is new and must be checked.
fn close(opportunity: &mut Opportunity, station: &Station, dated: bool, moment: &Moment, rules: &mut Rules) {
    let won = station.kind == Kind::Won;
    let day = *opportunity.closed_on.get_or_insert(moment.today);
    if dated {
        if day > moment.today {
            rule(rules, "/closed_on", "in_the_future", "choose today or an earlier day");
        } else if day != moment.today && !moment.may_backdate {
            rule(
                rules,
                "/closed_on",
                "backdate_not_allowed",
                "your roles allow closing today only; leave the day out",
            );
        }
        opportunity.closed_at = Some(moment.instant_of(day));
    }
    if won && opportunity.amount.is_none_or(|amount| amount.minor <= 0) {
        rule(rules, "/amount", "amount_not_positive", "what is won has an amount above zero");
    }
    opportunity.is_won = won;
    opportunity.probability = Some(station.probability);
    opportunity.probability_source = ProbabilitySource::Stage;
}

/// The stage's probability, unless somebody set another. Nothing set means the stage's again.
fn set_probability(
    opportunity: &mut Opportunity,
    before: Option<&Opportunity>,
    moved: bool,
    station: &Station,
) {
    let set_now = before.is_none_or(|before| before.probability != opportunity.probability);
    let set_before = before.is_some_and(|before| before.probability_source == ProbabilitySource::Manual);
    match opportunity.probability {
        Some(given) if set_now => {
            let manual = given != station.probability;
            opportunity.probability_source =
                if manual { ProbabilitySource::Manual } else { ProbabilitySource::Stage };
        }
        Some(_) if set_before || !moved => {}
        _ => {
            opportunity.probability = Some(station.probability);
            opportunity.probability_source = ProbabilitySource::Stage;
        }
    }
}

/// What holds in every state.
fn check(opportunity: &Opportunity, station: &Station, rules: &mut Rules) {
    if let (Some(opened), Some(closed)) = (opportunity.opened_on, opportunity.closed_on)
        && closed < opened
    {
        rule(rules, "/closed_on", "before_opening", "it cannot be closed before it was opened");
    }
    if station.kind != Kind::Lost && (opportunity.lost_reason.is_some() || opportunity.lost_notes.is_some()) {
        rule(rules, "/lost_reason", "not_lost", "only what is lost has a reason for it");
    }
}

#[cfg(test)]
mod tests;
