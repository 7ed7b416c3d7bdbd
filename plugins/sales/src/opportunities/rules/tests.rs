//! The state machine, case by case.

use super::*;
use crate::pipelines::{Pipeline, Stage};

fn pipeline(n: u64) -> Reference<Pipeline> {
    RecordId::from_halves(1, n).into()
}

fn stage(n: u64) -> Reference<Stage> {
    RecordId::from_halves(2, n).into()
}

const TALK: u64 = 1;
const OFFER: u64 = 2;
const WON: u64 = 3;
const LOST: u64 = 4;
const ELSEWHERE: u64 = 5;

fn plan() -> Plan {
    let station = |n, home, kind, percent| Station {
        id: stage(n),
        pipeline: pipeline(home),
        name: format!("stage {n}"),
        kind,
        probability: Percent::whole(percent),
    };
    Plan::new(
        Some(pipeline(1)),
        vec![
            station(TALK, 1, Kind::Open, 10),
            station(OFFER, 1, Kind::Open, 50),
            station(WON, 1, Kind::Won, 100),
            station(LOST, 1, Kind::Lost, 0),
            station(ELSEWHERE, 2, Kind::Open, 30),
        ],
    )
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn moment() -> Moment {
    Moment {
        now: "2026-11-22T09:30:00Z".parse().unwrap(),
        today: day("2026-11-22"),
        may_backdate: false,
        imported: false,
    }
}

fn import() -> Moment {
    Moment { may_backdate: true, imported: true, ..moment() }
}

fn euro(minor: i64) -> Option<Money> {
    Some(Money::new(minor, "EUR".parse().unwrap()))
}

fn draft() -> Opportunity {
    Opportunity {
        name: "100 seats".into(),
        account: None,
        product: None,
        pipeline: None,
        stage: None,
        amount: euro(10_000),
        opened_on: None,
        expected_close_on: None,
        closed_on: None,
        closed_at: None,
        is_won: false,
        probability: None,
        probability_source: ProbabilitySource::Stage,
        lost_reason: None,
        lost_notes: None,
        next_step: None,
        reopen_count: 0,
        stage_entered_at: None,
    }
}

fn opened(in_stage: u64) -> Opportunity {
    let mut opportunity = Opportunity { stage: Some(stage(in_stage)), ..draft() };
    assert_eq!(open(&mut opportunity, &plan(), &moment()), []);
    opportunity
}

fn codes(rules: &[Failure]) -> Vec<&str> {
    rules.iter().map(|failure| failure.code.as_str()).collect()
}

fn changed(
    before: &Opportunity,
    moment: &Moment,
    change_it: impl FnOnce(&mut Opportunity),
) -> Result<Opportunity, Vec<String>> {
    let mut after = before.clone();
    change_it(&mut after);
    match change(before, &mut after, &plan(), moment) {
        Ok(()) => Ok(after),
        Err(Blocked::Closed) => Err(vec!["closed".into()]),
        Err(Blocked::Rules(rules)) => Err(codes(&rules).into_iter().map(str::to_owned).collect()),
    }
}

#[test]
fn a_new_opportunity_stands_in_the_first_open_stage_of_the_default_pipeline_since_today() {
    let mut new = draft();
    assert_eq!(open(&mut new, &plan(), &moment()), []);
    assert_eq!((new.pipeline, new.stage), (Some(pipeline(1)), Some(stage(TALK))));
    assert_eq!(new.probability, Some(Percent::whole(10)));
    assert_eq!((new.opened_on, new.stage_entered_at), (Some(moment().today), Some(moment().now)));
}

#[test]
fn a_stage_brings_its_pipeline_but_not_another_one() {
    assert_eq!(opened(ELSEWHERE).pipeline, Some(pipeline(2)));
    let mut torn = Opportunity { stage: Some(stage(ELSEWHERE)), pipeline: Some(pipeline(1)), ..draft() };
    assert_eq!(codes(&open(&mut torn, &plan(), &moment())), ["stage_of_other_pipeline"]);
    let mut nowhere = Opportunity { stage: Some(stage(99)), ..draft() };
    assert_eq!(codes(&open(&mut nowhere, &plan(), &moment())), ["unknown_stage"]);
}

#[test]
fn an_import_keeps_its_days_and_invents_none() {
    let mut prospect = Opportunity { stage: Some(stage(TALK)), ..draft() };
    assert_eq!(open(&mut prospect, &plan(), &import()), []);
    assert_eq!((prospect.opened_on, prospect.stage_entered_at), (None, Some(import().now)));

    let (from, to) = (Some(day("2016-10-20")), Some(day("2017-03-01")));
    let mut won = Opportunity { stage: Some(stage(WON)), opened_on: from, closed_on: to, ..draft() };
    assert_eq!(open(&mut won, &plan(), &import()), []);
    assert!(won.is_won);
    assert_eq!((won.opened_on, won.closed_on), (from, to));
    assert_eq!((won.closed_at, won.stage_entered_at), (to.map(Date::midnight), to.map(Date::midnight)));

    let mut engaging = Opportunity { stage: Some(stage(OFFER)), opened_on: from, ..draft() };
    assert_eq!(open(&mut engaging, &plan(), &import()), []);
    assert_eq!(engaging.stage_entered_at, from.map(Date::midnight));
}

#[test]
fn every_broken_rule_is_listed() {
    let mut bad = Opportunity {
        stage: Some(stage(WON)),
        amount: None,
        closed_on: Some(day("2026-11-01")),
        lost_reason: Some("price".into()),
        ..draft()
    };
    let rules = open(&mut bad, &plan(), &moment());
    assert_eq!(codes(&rules), ["backdate_not_allowed", "amount_not_positive", "before_opening", "not_lost"]);
}

#[test]
fn another_day_than_today_needs_the_right_to_backdate_and_no_day_lies_ahead() {
    let close_on = |text: &str, may_backdate| {
        let moment = Moment { may_backdate, ..moment() };
        let mut before = opened(TALK);
        before.opened_on = Some(day("2026-01-01"));
        changed(&before, &moment, |o| {
            o.stage = Some(stage(LOST));
            o.closed_on = Some(day(text));
        })
    };
    assert_eq!(close_on("2026-11-21", false).unwrap_err(), ["backdate_not_allowed"]);
    assert_eq!(close_on("2026-11-21", true).unwrap().closed_on, Some(day("2026-11-21")));
    assert_eq!(close_on("2026-11-22", false).unwrap().closed_at, Some(moment().now));
    assert_eq!(close_on("2026-11-23", true).unwrap_err(), ["in_the_future"]);
}

#[test]
fn a_closed_opportunity_moves_only_through_reopen() {
    let won = changed(&opened(TALK), &moment(), |o| o.stage = Some(stage(WON))).unwrap();
    assert!(won.is_won && won.closed_on.is_some() && won.probability == Some(Percent::WHOLE));

    assert_eq!(changed(&won, &moment(), |o| o.stage = Some(stage(TALK))).unwrap_err(), ["closed"]);
    assert_eq!(changed(&won, &moment(), |o| o.stage = Some(stage(LOST))).unwrap_err(), ["closed"]);
    assert_eq!(
        changed(&won, &moment(), |o| o.probability = Some(Percent::ZERO)).unwrap_err(),
        ["opportunity_closed"]
    );
    assert_eq!(changed(&won, &moment(), |o| o.amount = euro(0)).unwrap_err(), ["amount_not_positive"]);
    assert!(changed(&won, &moment(), |o| o.next_step = Some("invoice".into())).is_ok());

    let reopen_in = |n| {
        changed(&won, &moment(), |o| {
            o.stage = Some(stage(n));
            o.reopen_count += 1;
        })
    };
    let reopened = reopen_in(OFFER).unwrap();
    assert_eq!((reopened.closed_on, reopened.closed_at, reopened.is_won), (None, None, false));
    assert_eq!(reopened.probability, Some(Percent::whole(50)));
    assert_eq!(reopen_in(LOST).unwrap_err(), ["stage_not_open"]);
}

#[test]
fn an_old_closing_day_does_not_hinder_other_changes() {
    let mut won = Opportunity { stage: Some(stage(WON)), closed_on: Some(day("2017-03-01")), ..draft() };
    assert_eq!(open(&mut won, &plan(), &import()), []);
    let renamed = changed(&won, &moment(), |o| o.name = "200 seats".into()).unwrap();
    assert_eq!((renamed.closed_on, renamed.closed_at), (won.closed_on, won.closed_at));
}

#[test]
fn a_probability_follows_the_stage_until_somebody_sets_one() {
    let talk = opened(TALK);
    let offer = changed(&talk, &moment(), |o| o.stage = Some(stage(OFFER))).unwrap();
    assert_eq!(offer.probability, Some(Percent::whole(50)));

    let set = changed(&talk, &moment(), |o| o.probability = Some(Percent::whole(70))).unwrap();
    assert_eq!(set.probability_source, ProbabilitySource::Manual);
    let moved = changed(&set, &moment(), |o| o.stage = Some(stage(OFFER))).unwrap();
    assert_eq!(
        (moved.probability, moved.probability_source),
        (Some(Percent::whole(70)), ProbabilitySource::Manual)
    );

    let unset = changed(&moved, &moment(), |o| o.probability = None).unwrap();
    assert_eq!(
        (unset.probability, unset.probability_source),
        (Some(Percent::whole(50)), ProbabilitySource::Stage)
    );
}

#[test]
fn what_is_open_has_no_closing_day() {
    assert_eq!(
        changed(&opened(TALK), &moment(), |o| o.closed_on = Some(moment().today)).unwrap_err(),
        ["not_closed"]
    );
    assert_eq!(changed(&opened(TALK), &moment(), |o| o.stage = None).unwrap_err(), ["required"]);
    assert_eq!(
        changed(&opened(TALK), &moment(), |o| o.pipeline = Some(pipeline(2))).unwrap_err(),
        ["stage_of_other_pipeline"]
    );
}

#[test]
fn a_stay_never_begins_before_the_last_one_did() {
    let before = opened(TALK);
    let backdater = Moment { may_backdate: true, ..moment() };
    let early = changed(&before, &backdater, |o| {
        o.opened_on = Some(day("2026-11-01"));
        o.stage = Some(stage(LOST));
        o.closed_on = Some(day("2026-11-10"));
    });
    let early = early.unwrap();
    assert_eq!(early.closed_at, Some(day("2026-11-10").midnight()));
    assert_eq!(early.stage_entered_at, before.stage_entered_at);
}
