//! How the grounds of the agreement are generated.

use proptest::prelude::*;

use super::generated::{Asker, Case, Ground, LABELS, Lent, Part, Said, Schema, Sort, Tree};
use crate::policy::Scope as Reach;

pub(super) fn ground(trees: usize, cases: usize, askers: usize) -> impl Strategy<Value = Ground> {
    let sorts = vec![Sort::Integer, Sort::Text, Sort::Boolean, Sort::Date, Sort::Option];
    let spec = (prop::sample::select(sorts), prop::sample::select(LABELS.to_vec()));
    let schema = prop::collection::vec(spec, 2..=5).prop_map(Schema);
    (schema, prop::collection::vec(tree(), trees), prop::collection::vec(case(askers), 1..=cases))
        .prop_map(|(schema, trees, cases)| Ground { schema, trees, cases })
}

fn tree() -> impl Strategy<Value = Tree> {
    let lent = (0..7_u8, any::<bool>(), prop::bool::weighted(0.2)).prop_map(|(with, update, ended)| Lent {
        with,
        update,
        ended,
    });
    let values = prop::array::uniform5(prop::option::weighted(0.7, 0..6_u8));
    // One share with each, as the file has it.
    let shares = prop::collection::vec(lent, 0..=2).prop_map(|mut shares| {
        shares.sort_by_key(|lent| lent.with);
        shares.dedup_by_key(|lent| lent.with);
        shares
    });
    (prop::option::of(0..4_u8), prop::option::of(0..3_u8), 0..3_u8, values, shares)
        .prop_map(|(owner, team, by, values, shares)| Tree { owner, team, by, values, shares })
}

fn part() -> impl Strategy<Value = Part> {
    let leaf = prop_oneof![
        3 => (0..5_u8, 0..9_u8, 0..6_u8).prop_map(|(at, op, value)| Part::Test(at, op, value)),
        1 => (0..8_u8, 0..5_u8).prop_map(|(which, at)| Part::Asker(which, at)),
    ];
    leaf.prop_recursive(2, 9, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..=3).prop_map(Part::And),
            prop::collection::vec(inner.clone(), 1..=3).prop_map(Part::Or),
            inner.prop_map(|inner| Part::Not(Box::new(inner))),
        ]
    })
}

fn said() -> impl Strategy<Value = Said> {
    let action = prop_oneof![4 => Just("read"), 1 => Just("update"), 1 => Just("delete")];
    let reach = prop::sample::select(Reach::ALL.to_vec());
    let deny = || prop::bool::weighted(0.15);
    let records = (0..10_u8, action, reach, prop::option::weighted(0.6, part()), deny()).prop_map(
        |(of, action, reach, condition, deny)| Said::Records { of, action, reach, condition, deny },
    );
    let even = || prop::bool::weighted(0.5);
    prop_oneof![
        8 => records,
        1 => (0..10_u8, 0..5_u8, any::<bool>(), even())
            .prop_map(|(of, field, update, deny)| Said::Field { of, field, update, deny }),
        1 => (0..10_u8, 0..5_u8, any::<bool>(), even())
            .prop_map(|(of, label, update, deny)| Said::Label { of, label, update, deny }),
    ]
}

fn asker() -> impl Strategy<Value = Asker> {
    let names = prop::sample::subsequence(vec!["a", "b", "c", "d", "unknown"], 0..=4);
    let teams = || prop::sample::subsequence(vec![0, 1, 2], 0..=2);
    let limits = prop_oneof![
        8 => Just(None),
        1 => Just(Some("garden.tree:*")),
        1 => Just(Some("read")),
        1 => Just(Some("garden.bed:read")),
    ];
    // The first two are spoken of by rows.
    let number = prop_oneof![3 => Just(0_u8), 2 => Just(1), 1 => 2..4_u8];
    (number, prop::bool::weighted(0.25), names, teams(), teams(), limits).prop_map(
        |(number, program, roles, teams, below, limits)| Asker {
            number,
            program,
            roles,
            teams,
            below,
            limits,
        },
    )
}

fn case(askers: usize) -> impl Strategy<Value = Case> {
    let rows = prop_oneof![
        4 => prop::collection::vec(said(), 1..=8),
        2 => prop::collection::vec(said(), 9..=24),
        1 => prop::collection::vec(said(), 25..=60),
    ];
    let links = prop::collection::vec((0..4_usize, 0..4_usize), 0..3);
    (rows, links, prop::collection::vec(asker(), 1..=askers)).prop_map(|(rows, mut links, askers)| {
        links.sort_unstable();
        links.dedup();
        Case { rows, links, askers }
    })
}
