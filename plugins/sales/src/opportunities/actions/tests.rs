//! The actions, through hooks and history, on a host in memory.

use stoa_sdk::testing::Host;

use super::*;
use crate::opportunities::{Cause, ProbabilitySource, StageHistory};
use crate::pipelines::Pipeline;

pub(crate) struct Office {
    pub(crate) host: Host,
    pub(crate) talk: Reference<Stage>,
    pub(crate) offer: Reference<Stage>,
    won: Reference<Stage>,
    lost: Reference<Stage>,
}

pub(crate) fn office() -> Office {
    let host = Host::new::<crate::Plugin>();
    let home = Pipeline { name: "Home".into(), is_default: true, archived: false };
    let home = host.context().records().create(&home).unwrap();
    let stage = |name: &str, position, kind, probability: Option<i32>| {
        let stage = Stage {
            pipeline: home,
            name: name.into(),
            full_name: None,
            position,
            kind,
            probability: probability.map(Percent::whole),
            category: None,
            rotten_after_days: None,
        };
        host.context().records().create(&stage).unwrap()
    };
    let (talk, offer) = (stage("Talk", 1, Kind::Open, Some(10)), stage("Offer", 2, Kind::Open, Some(50)));
    let (won, lost) = (stage("Won", 3, Kind::Won, None), stage("Lost", 4, Kind::Lost, None));
    Office { host, talk, offer, won, lost }
}

pub(crate) fn draft(name: &str) -> Opportunity {
    Opportunity {
        name: name.into(),
        account: None,
        product: None,
        pipeline: None,
        stage: None,
        amount: Some(Money::new(5000, "EUR".parse().unwrap())),
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

impl Office {
    fn opportunity(&self) -> Reference<Opportunity> {
        self.host.context().records().create(&draft("100 seats")).unwrap()
    }

    fn get(&self, id: Reference<Opportunity>) -> Record<Opportunity> {
        self.host.context().records().get(id).unwrap()
    }

    fn history(&self) -> Vec<Record<StageHistory>> {
        self.host.stored().unwrap()
    }
}

#[test]
fn a_move_closes_one_stay_and_opens_the_next_at_the_same_instant() {
    let office = office();
    let id = office.opportunity();
    office.host.set_time(office.host.context().now().millis() + 3_600_000, "2026-11-22");
    let input =
        Move { stage: office.offer, keep_probability: false, reason: Some("asked for a price".into()) };
    let answer = move_to(&office.host.context(), id, input).unwrap();
    assert_eq!(answer["probability"], "50");

    let history = office.history();
    assert_eq!(history.len(), 2);
    assert_eq!((history[0].cause, history[0].seconds), (Cause::Created, Some(3600)));
    assert_eq!(history[0].exited_at, Some(history[1].entered_at));
    assert_eq!((history[1].from_stage, history[1].to_stage), (Some(office.talk), office.offer));
    assert_eq!(history[1].reason.as_deref(), Some("asked for a price"));
    assert_eq!(history[1].amount.map(|amount| amount.minor), Some(5000));
}

#[test]
fn winning_needs_an_amount_above_zero() {
    let office = office();
    let id = office.opportunity();
    let nothing = Some(Money::new(0, "EUR".parse().unwrap()));
    let refusal =
        close_won(&office.host.context(), id, Won { closed_on: None, amount: nothing }).unwrap_err();
    assert_eq!(refusal.failures[0].code, "amount_not_positive");
    assert_eq!(office.get(id).stage, Some(office.talk));

    close_won(&office.host.context(), id, Won { closed_on: None, amount: None }).unwrap();
    let won = office.get(id);
    assert!(won.is_won && won.stage == Some(office.won));
    assert_eq!(won.closed_on.map(|day| day.to_string()).as_deref(), Some("2026-11-22"));
}

#[test]
fn what_is_closed_tells_how_to_go_on_and_reopening_is_counted() {
    let office = office();
    let ctx = office.host.context();
    let id = office.opportunity();
    let lost = Lost { reason: "price".into(), notes: None, closed_on: None };
    close_lost(&ctx, id, lost).unwrap();
    assert_eq!(office.get(id).stage, Some(office.lost));

    let input = Move { stage: office.offer, keep_probability: false, reason: None };
    let refusal = move_to(&ctx, id, input).unwrap_err();
    assert_eq!((refusal.kind.as_str(), refusal.code.as_str()), ("conflict", "opportunity_closed"));
    assert_eq!(refusal.extra["allowed"][0]["action"], "reopen");
    assert_eq!(refusal.extra["allowed"][0]["stages"].as_array().map(Vec::len), Some(2));

    reopen(&ctx, id, Reopen { stage: office.offer, reason: "new budget".into() }).unwrap();
    let open = office.get(id);
    assert_eq!((open.reopen_count, open.closed_on, open.lost_reason.clone()), (1, None, None));
    let causes: Vec<Cause> = office.history().iter().map(|stay| stay.cause).collect();
    assert_eq!(causes, [Cause::Created, Cause::Lost, Cause::Reopened]);
    assert_eq!(office.history().iter().filter(|stay| stay.exited_at.is_none()).count(), 1);
}

#[test]
fn a_changed_stage_in_a_request_takes_the_same_path() {
    let office = office();
    let id = office.opportunity();
    let mut opportunity = office.get(id);
    opportunity.stage = Some(office.won);
    office.host.context().records().save(&mut opportunity).unwrap();
    assert!(office.get(id).is_won);
    assert_eq!(office.history().len(), 2);
}

#[test]
fn a_batch_is_imported_with_one_open_stay_each_and_bad_rows_are_named() {
    let office = office();
    office.host.set_source("import");
    let day = |text: &str| Some(text.parse::<Date>().unwrap());
    let closed = |stage, on: &str| Opportunity {
        stage: Some(stage),
        opened_on: day("2016-10-20"),
        closed_on: day(on),
        ..draft("old")
    };
    let rows = vec![closed(office.won, "2017-03-01"), closed(office.lost, "2017-03-02"), draft("new")];
    let ctx = office.host.context();
    ctx.records().create_all(&rows).unwrap();

    let history = office.history();
    assert_eq!(history.len(), 3);
    assert!(history.iter().all(|stay| stay.exited_at.is_none() && stay.cause == Cause::Imported));
    assert_eq!(history[0].entered_at.to_string(), "2017-03-01T00:00:00Z");
    assert_eq!(office.host.stored::<Opportunity>().unwrap()[2].opened_on, None);

    office.host.deny("sales.opportunity", "backdate");
    let refusal = ctx.records().create_all(&rows).unwrap_err();
    assert_eq!(refusal.failures.len(), 2);
    assert_eq!(office.history().len(), 3);
}

#[test]
fn a_probability_that_somebody_set_stays_only_when_asked_for() {
    let office = office();
    let ctx = office.host.context();
    for (keep, expected) in [(true, 70), (false, 50)] {
        let id = office.opportunity();
        let mut opportunity = office.get(id);
        opportunity.probability = Some(Percent::whole(70));
        ctx.records().save(&mut opportunity).unwrap();
        move_to(&ctx, id, Move { stage: office.offer, keep_probability: keep, reason: None }).unwrap();
        assert_eq!(office.get(id).probability, Some(Percent::whole(expected)), "keep {keep}");
    }
}

#[test]
fn a_batch_of_500_costs_as_many_calls_as_one_record() {
    let office = office();
    office.host.set_source("import");
    let cost = |count: usize| {
        let before = office.host.calls();
        let rows: Vec<Opportunity> = (0..count).map(|n| draft(&format!("row {n}"))).collect();
        office.host.context().records().create_all(&rows).unwrap();
        office.host.calls() - before
    };
    // The creation itself, pipelines, stages, and one creation for all stays.
    assert_eq!((cost(1), cost(500)), (4, 4));
}
