//! The one property of the policy: what a list shows, what a point decision lets and what casbin says are the same, for any
//! schema, rows, principal and record.
//!
//! A case is a policy and a principal. For each action the policy is asked of all records of its ground in one statement, and
//! of each record in memory and by casbin, and the lists are compared. A failing ground shrinks to the few rows that it takes; its seed
//! is kept in `host/proptest-regressions`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::generated::{Asker, Case, Ground, OBJECT, Tree, person, team};
use super::strategies::ground;
use crate::caller::{Caller, Principal, Source};
use crate::clock::UnixMillis;
use crate::ids::{OrganizationId, RecordId, RequestId, ShareId};
use crate::policy::reference::{self, Asked, Reference};
use crate::policy::{FieldUse, Overlay, limits};
use crate::records::list;
use crate::records::rights::{permits, predicate};
use crate::records::schema::ID;
use crate::records::tests::garden::module;
use crate::records::tests::world::{World, ids_of};
use crate::records::{RecordError, Scope};

/// Grounds of a round, the records of each, the most policies on each, and the most principals under each policy.
const GROUNDS: u32 = 8;
const TREES: usize = 8;
const POLICIES: usize = 24;
const ASKERS: usize = 12;
/// What every run compares at least: there are rounds until that is done.
const AT_LEAST: usize = 10_000;
const ACTIONS: [&str; 3] = ["read", "update", "delete"];

/// A world with these trees in it.
struct Planted<'g> {
    world: World,
    ground: &'g Ground,
    ids: Vec<RecordId>,
}

impl<'g> Planted<'g> {
    fn new(ground: &'g Ground) -> Self {
        let entities = vec![ground.schema.entity()];
        let world = World::of(OrganizationId::new(), module("1", entities, Vec::new()));
        let members = |(at, tree): (usize, &Tree)| tree.members(&ground.schema, format!("tree {at}"));
        let rows = ground.trees.iter().enumerate().map(members).collect();
        let made = world.owner().create_all("tree", rows).unwrap();
        let ids: Vec<RecordId> = made.into_iter().map(Result::unwrap).collect();
        let each: Vec<(RecordId, Tree)> = ids.iter().copied().zip(ground.trees.iter().cloned()).collect();
        let now = world.clock.now();
        world.raw(move |conn| {
            for (id, tree) in &each {
                conn.execute(
                    "update tree set owner_id = ?2, team_id = ?3, created_by = ?4 where id = ?1",
                    rusqlite::params![
                        id.as_bytes(),
                        tree.owner.map(|one| *person(one).as_bytes()),
                        tree.team.map(|one| *team(one).as_bytes()),
                        person(tree.by).as_bytes()
                    ],
                )?;
                lend(conn, *id, tree, now)?;
            }
            Ok(())
        });
        Self { world, ground, ids }
    }

    fn scope(&self, who: &Arc<Principal>) -> Scope {
        let (organization, request) = (self.world.organization.id, RequestId::new());
        self.world.scope(Caller { organization, principal: Arc::clone(who), request, source: Source::Api })
    }

    /// The trees that a statement selects, and those that are let one by one, for each action.
    fn found(&self, scope: &Scope) -> Vec<(Vec<RecordId>, Vec<RecordId>)> {
        let (scope, entity) = (scope.clone(), self.world.entity("tree"));
        self.world.raw(move |conn| {
            let all = list::rows(conn, &entity, "1", "", &[])?;
            let id = |values: &Vec<crate::records::value::Value>| values[ID].id().unwrap();
            let ask = |action: &str| {
                let rows = scope.policy.decide(&scope.caller.principal, OBJECT, action);
                let (mut sql, mut params) = (String::new(), Vec::new());
                predicate(&scope, &entity, &rows, None, &mut sql, &mut params)?;
                let selected = list::rows(conn, &entity, &sql, "", &params)?;
                let lets = |values: &&Vec<_>| permits(conn, &scope, &entity, &Some(rows.clone()), values);
                Ok((selected.iter().map(id).collect(), all.iter().filter(lets).map(id).collect()))
            };
            ACTIONS.into_iter().map(ask).collect()
        })
    }

    /// What casbin lets for this action.
    fn reference(&self, casbin: &Reference, who: &Principal, action: &str) -> Vec<RecordId> {
        let now: UnixMillis = self.world.clock.now();
        let limited = who.limits.as_ref().is_some_and(|limits| !limits::covers(limits, OBJECT, action));
        let lets = |tree: &Tree| {
            let asked = Asked {
                owner: tree.owner.map(|one| person(one).to_string()).unwrap_or_default(),
                team: tree.team.map(|one| team(one).to_string()).unwrap_or_default(),
                shared: tree.shared_with(who, action != "read"),
                facts: tree.facts(&self.ground.schema, who, now),
            };
            !limited && casbin.lets(OBJECT, action, &asked)
        };
        let each = self.ids.iter().zip(&self.ground.trees);
        each.filter(|(_, tree)| lets(tree)).map(|(id, _)| *id).collect()
    }

    /// Holds the three equal for one policy, and answers for how many principals.
    fn agree(&mut self, case: &Case) -> Result<usize, TestCaseError> {
        let (text, overlay) = case.policy(&self.ground.schema);
        let clock = self.world.clock.clone();
        let index = self.world.runtime.block_on(reference::index(&text, &overlay, clock)).unwrap();
        self.world.policy = Arc::new(index);
        let askers = case.askers();
        for asker in &askers {
            self.agrees((&text, &overlay), case, asker)?;
        }
        Ok(askers.len())
    }

    fn agrees(
        &self,
        (text, overlay): (&str, &Overlay),
        case: &Case,
        asker: &Asker,
    ) -> Result<(), TestCaseError> {
        let schema = &self.ground.schema;
        let told = || case.told(schema, &[asker]);
        let who = Arc::new(asker.who());
        let labels = schema.labels();
        let casbin = Reference::of(text, overlay, (OBJECT, &labels), &who);
        let casbin = self.world.runtime.block_on(casbin);
        let scope = self.scope(&who);
        let mut readable = Vec::new();
        for (action, (mut selected, mut lets)) in ACTIONS.into_iter().zip(self.found(&scope)) {
            let mut says = self.reference(&casbin, &who, action);
            for ids in [&mut selected, &mut lets, &mut says] {
                ids.sort_unstable();
            }
            prop_assert_eq!(self.names(&lets), self.names(&says), "point and casbin, {}: {}", action, told());
            prop_assert_eq!(
                self.names(&selected),
                self.names(&says),
                "SQL and casbin, {}: {}",
                action,
                told()
            );
            let decision = scope.policy.decide(&who, OBJECT, action);
            prop_assert!(!decision.never() || says.is_empty());
            prop_assert!(!decision.always() || says.len() == self.ids.len());
            if action == "read" {
                readable = says;
            }
        }
        self.shown(&scope, &casbin, &readable, &told)
    }

    /// The list as it is answered: the records that may be read, each without what is masked.
    fn shown(
        &self,
        scope: &Scope,
        casbin: &Reference,
        readable: &[RecordId],
        told: &dyn Fn() -> String,
    ) -> Result<(), TestCaseError> {
        let (schema, entity) = (&self.ground.schema, self.world.entity("tree"));
        let says = |by: FieldUse| -> Vec<String> {
            let fields = schema.labels().into_iter().map(|(field, _)| field);
            fields.filter(|field| !casbin.lets_field(OBJECT, field, by)).collect()
        };
        let masked = says(FieldUse::Read);
        let locked = entity.fields.iter().filter(|field| scope.may_write(&entity, field).is_err());
        let locked: Vec<String> = locked.map(|field| field.key.to_string()).collect();
        prop_assert_eq!(locked, says(FieldUse::Write), "fields that may not be written: {}", told());
        let page = match self.world.desk(scope.caller.clone()).page("tree", &Json::Null, "", 200, None) {
            Err(RecordError::Forbidden { .. }) if readable.is_empty() => return Ok(()),
            other => other.unwrap(),
        };
        let mut shown = ids_of(&page);
        shown.sort_unstable();
        prop_assert_eq!(self.names(&shown), self.names(readable), "the list and casbin: {}", told());
        for row in page["data"].as_array().unwrap() {
            let withheld = row.get("_masked").cloned().unwrap_or(json!([]));
            prop_assert_eq!(withheld, json!(masked), "fields that may not be read: {}", told());
            prop_assert!(masked.iter().all(|field| row.get(field).is_none()), "{}: {}", row, told());
        }
        Ok(())
    }

    fn names(&self, ids: &[RecordId]) -> Vec<usize> {
        ids.iter().filter_map(|id| self.ids.iter().position(|known| known == id)).collect()
    }
}

fn lend(
    conn: &crate::storage::Connection,
    id: RecordId,
    tree: &Tree,
    now: UnixMillis,
) -> Result<(), RecordError> {
    for lent in &tree.shares {
        let (kind, subject) = match lent.with {
            with @ 0..4 => ("user", *person(with).as_bytes()),
            with => ("team", *team(with - 4).as_bytes()),
        };
        conn.execute(
            "insert or ignore into _stoa_shares values (?1, 'tree', ?2, ?3, ?4, ?5, ?6, ?7, ?4)",
            rusqlite::params![
                ShareId::new().as_bytes(),
                id.as_bytes(),
                kind,
                subject,
                if lent.update { "update" } else { "read" },
                lent.ended.then_some(now),
                now
            ],
        )?;
    }
    Ok(())
}

static COMPARED: AtomicUsize = AtomicUsize::new(0);

#[test]
fn a_list_shows_what_a_point_decision_lets_and_what_casbin_says() {
    while COMPARED.load(Ordering::Relaxed) < AT_LEAST {
        proptest!(ProptestConfig { max_shrink_iters: 400, ..ProptestConfig::with_cases(GROUNDS) }, |(
            ground in ground(TREES, POLICIES, ASKERS)
        )| {
            let mut planted = Planted::new(&ground);
            for case in &ground.cases {
                COMPARED.fetch_add(planted.agree(case)?, Ordering::Relaxed);
            }
        });
    }
}
