//! Who owns the stays: always the opportunity's owner, so that whoever sees the one sees the other.

use std::collections::BTreeMap;

use stoa_sdk::prelude::*;

use super::{Opportunity, StageHistory};

/// The most records that one call of the host answers or takes.
const AT_ONCE: usize = 1000;

/// Owners of opportunities, as they are after the write.
type Owners = BTreeMap<Reference<Opportunity>, Option<UserId>>;

type Stay = Record<StageHistory>;

/// Gives all stays of opportunities that have a new owner to that owner.
pub(crate) fn follow(ctx: &Context, drafts: &[Draft<Opportunity>]) -> Result<()> {
    let given = drafts.iter().filter(|draft| draft.changes_owner());
    let owners: Owners = given.map(|draft| (draft.id, draft.system.owner)).collect();
    let ids: Vec<_> = owners.keys().copied().collect();
    give(ctx, &ids, &owners)
}

fn elsewhere(stay: &Stay, owners: &Owners) -> bool {
    owners.get(&stay.opportunity).is_some_and(|owner| *owner != stay.system.owner)
}

/// One find and one update for all; in halves only when there are more stays than a call answers.
fn give(ctx: &Context, ids: &[Reference<Opportunity>], owners: &Owners) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let records = ctx.records().as_plugin();
    let mut stays: Vec<Stay> = records.find(&Find::all().one_of("opportunity", ids).sort("-entered_at"))?;
    if stays.len() >= AT_ONCE {
        if let (first @ [_, ..], second @ [_, ..]) = ids.split_at(ids.len() / 2) {
            give(ctx, first, owners)?;
            return give(ctx, second, owners);
        }
        ctx.log("warn", "an opportunity has more stays than one call takes; the oldest keep their owner");
    }
    stays.retain(|stay| elsewhere(stay, owners));
    for stay in &mut stays {
        stay.system.owner = owners.get(&stay.opportunity).copied().flatten();
    }
    records.save_all(&mut stays)
}

#[cfg(test)]
mod tests {
    use stoa_sdk::testing::Host;

    use super::*;
    use crate::opportunities::Cause;
    use crate::opportunities::actions::tests::{draft, office};

    fn new() -> Option<UserId> {
        Some(UserId(RecordId::from_halves(7, 7)))
    }

    /// Hands opportunities over and moves nothing.
    fn hand_over(host: &Host, count: usize) {
        let records = host.context().records();
        let mut given: Vec<Record<Opportunity>> = records.find(&Find::all()).unwrap();
        given.truncate(count);
        given.iter_mut().for_each(|opportunity| opportunity.system.owner = new());
        records.save_all(&mut given).unwrap();
    }

    fn owners(host: &Host) -> Vec<(Cause, bool)> {
        let stays = host.stored::<StageHistory>().unwrap();
        stays.iter().map(|stay| (stay.cause, stay.system.owner == new())).collect()
    }

    #[test]
    fn every_stay_follows_to_the_new_owner_and_other_opportunities_keep_theirs() {
        let office = office();
        let records = office.host.context().records::<Opportunity>();
        records.create_all(&[draft("handed over"), draft("kept")]).unwrap();
        let mut first = office.host.stored::<Opportunity>().unwrap().remove(0);
        first.stage = Some(office.offer);
        records.save(&mut first).unwrap();
        hand_over(&office.host, 1);
        assert_eq!(office.host.stored::<Opportunity>().unwrap()[0].system.owner, new());
        assert_eq!(
            owners(&office.host),
            [(Cause::Created, true), (Cause::Created, false), (Cause::Moved, true)]
        );
        let ended = office.host.stored::<StageHistory>().unwrap()[0].exited_at;
        assert!(ended.is_some(), "only the owner is written");
        // Its next stay belongs to the new owner as well.
        let mut first = office.host.stored::<Opportunity>().unwrap().remove(0);
        first.stage = Some(office.talk);
        records.save(&mut first).unwrap();
        assert_eq!(owners(&office.host)[3], (Cause::Moved, true));
    }

    #[test]
    fn a_batch_is_handed_over_in_as_many_calls_as_one_record() {
        let cost = |count: usize| {
            let office = office();
            let rows: Vec<_> = (0..count).map(|n| draft(&format!("row {n}"))).collect();
            office.host.context().records().create_all(&rows).unwrap();
            let before = office.host.calls();
            hand_over(&office.host, count);
            assert!(owners(&office.host).iter().all(|(_, new)| *new));
            office.host.calls() - before
        };
        // Finding, changing, pipelines and stages, all stays, their change.
        assert_eq!((cost(1), cost(500)), (6, 6));
    }

    #[test]
    fn more_stays_than_a_call_answers_follow_in_parts() {
        let office = office();
        let ctx = office.host.context();
        let rows: Vec<_> = (0..600).map(|n| draft(&format!("row {n}"))).collect();
        ctx.records().create_all(&rows).unwrap();
        let mut moved = office.host.stored::<Opportunity>().unwrap();
        moved.iter_mut().for_each(|opportunity| opportunity.stage = Some(office.offer));
        ctx.records().save_all(&mut moved).unwrap();
        hand_over(&office.host, 600);
        let owners = owners(&office.host);
        assert_eq!((owners.len(), owners.iter().filter(|(_, new)| *new).count()), (1200, 1200));
    }
}
