//! Both back-ends of the filter language agree: what SQLite selects is what the filter says in memory, over random rows of
//! every kind and random filters through relations, for somebody who may read some of the rows.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value as Json, json};

use super::garden::{entity, field, module};
use super::world::{Desk, World, ids_of};
use crate::ids::{OrganizationId, RecordId};
use crate::records::RecordError;
use crate::records::derived::targets;
use crate::records::filter::{Filter, Related, Satisfies, parse_json, person_row};
use crate::records::list;
use crate::records::schema::{Choice, Entity, Field, ID, Kind, Module, OWNER, OnDelete, Target};
use crate::records::value::Value;

/// Beds with herbs in them; herbs have mates.
pub(super) fn plot() -> Arc<Module> {
    let choices = ["red", "green", "blue"]
        .map(|key| Choice { key: key.into(), label: key.into(), archived: false })
        .to_vec();
    let to = |key: &str| Target { plugin: "garden".into(), entity: key.into() };
    let bed = vec![
        Field { indexed: true, ..field("name", Kind::Text) },
        field("size", Kind::Integer),
        field("tags", Kind::Options(choices.clone())),
        field("spot", Kind::Address),
        field("plan", Kind::Json),
        field("north_id", Kind::Reference(to("bed"), OnDelete::Detach)),
    ];
    let herb = vec![
        Field { indexed: true, ..field("name", Kind::Text) },
        field("bed", Kind::Reference(to("bed"), OnDelete::Detach)),
        Field {
            inverse: Some("mated".into()),
            ..field("mates", Kind::References(to("herb"), OnDelete::Detach))
        },
        field("price", Kind::Money),
        field("ratio", Kind::Decimal(2)),
        field("share", Kind::Percent),
        field("done", Kind::Boolean),
        field("day", Kind::Date),
        field("at", Kind::DateTime),
        field("spell", Kind::Duration),
        field("color", Kind::Option(choices.clone())),
        field("tags", Kind::Options(choices)),
        field("email", Kind::Email),
        field("number", Kind::AutoNumber("H-{000}".into())),
    ];
    module("1", vec![entity("bed", bed, &[]), entity("herb", herb, &[])], Vec::new())
}

const NAMES: [&str; 6] = ["a", "Ab", "Öl", "öL", "ΣΑΣ", "50%"];
/// The clock of a test world stands here: 2023-11-14, 22:13 UTC.
const DAYS: [&str; 5] = ["2023-11-13", "2023-11-14", "2023-11-15", "2023-12-31", "2024-02-29"];
const INSTANTS: [&str; 4] =
    ["2023-11-14T00:00:00Z", "2023-11-14T23:59:59.999Z", "2023-11-15T00:00:00Z", "2022-01-01T00:00:00Z"];
const PERIODS: [&str; 9] = [
    "today",
    "tomorrow",
    "this_week",
    "this_month",
    "last_year",
    "next_quarter",
    "this_fiscal_year",
    "last_2_days",
    "next_4_months",
];

fn some(values: &[&str]) -> BoxedStrategy<Json> {
    let values: Vec<Json> = values.iter().map(|value| json!(value)).collect();
    prop_oneof![1 => Just(Json::Null), 3 => prop::sample::select(values)].boxed()
}

/// A list with one or two of the keys.
fn several(keys: &'static [&'static str]) -> BoxedStrategy<Json> {
    prop::sample::subsequence(keys, 0..=2).prop_map(|keys| json!(keys)).boxed()
}

const COLORS: [&str; 3] = ["red", "green", "blue"];

fn bed() -> impl Strategy<Value = Json> {
    let spot = prop::sample::select(vec![
        Json::Null,
        json!({ "city": "Wien" }),
        json!({ "city": "Graz", "country": "AT" }),
        json!({ "country": "DE" }),
    ]);
    let plan = prop::sample::select(vec![Json::Null, json!({ "x": 1 })]);
    (some(&NAMES), 0..4_i64, several(&COLORS), spot, plan, any::<u8>()).prop_map(
        |(name, size, tags, spot, plan, north)| {
            let size = if size == 3 { Json::Null } else { json!(size) };
            json!({ "name": name, "size": size, "tags": tags, "spot": spot, "plan": plan, "north": north })
        },
    )
}

fn herb() -> impl Strategy<Value = Json> {
    let price = prop::sample::select(vec![
        Json::Null,
        json!({ "amount": "5", "currency": "EUR" }),
        json!({ "amount": "5", "currency": "USD" }),
        json!({ "amount": "7.50", "currency": "EUR" }),
    ]);
    let first = (some(&NAMES), any::<u8>(), prop::collection::vec(any::<u8>(), 0..3), price);
    let second =
        (some(&["0.5", "-1.25"]), some(&["12.5", "0"]), prop::option::of(any::<bool>()), some(&DAYS));
    let third = (some(&INSTANTS), prop::option::of(0..2_i64), some(&COLORS), several(&COLORS));
    (first, second, third, some(&["Ann@example.com", "bob@example.com"])).prop_map(
        |((name, bed, mates, price), (ratio, share, done, day), (at, spell, color, tags), email)| {
            json!({
                "name": name, "bed": bed, "mates": mates, "price": price, "ratio": ratio, "share": share, "done": done,
                "day": day, "at": at, "spell": spell, "color": color, "tags": tags, "email": email,
            })
        },
    )
}

/// Two plain operators, and the list operators, over these values.
fn compared(name: &'static str, values: &[&str], more: &[&'static str]) -> BoxedStrategy<Json> {
    let ops: Vec<&str> =
        ["eq", "ne", "gt", "lte", "in", "nin", "empty"].iter().chain(more).copied().collect();
    tested(name, values, ops)
}

fn tested(name: &'static str, values: &[&str], ops: Vec<&'static str>) -> BoxedStrategy<Json> {
    let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    let value = prop::collection::vec(prop::sample::select(values), 1..=2);
    (prop::sample::select(ops), value, any::<bool>(), prop::sample::select(PERIODS.to_vec()))
        .prop_map(move |(op, values, is, period)| {
            let value = match op {
                "in" | "nin" => json!(values),
                "empty" => json!(is),
                "within" => json!(period),
                _ => json!(values[0]),
            };
            json!({ "field": name, "op": op, "value": value })
        })
        .boxed()
}

/// `@b1` stands for the id of a bed, `@h1` for that of a herb.
const BEDS: [&str; 3] = ["@b0", "@b1", "@b2"];
const HERBS: [&str; 3] = ["@h0", "@h1", "@h2"];

fn of_bed() -> BoxedStrategy<Json> {
    let keys = ["contains", "in", "nin", "empty"].to_vec();
    prop_oneof![
        compared("name", &NAMES, &["contains", "starts"]),
        compared("size", &["0", "1", "2"], &[]),
        tested("tags", &COLORS, keys),
        compared("spot.city", &["Wien", "graz"], &["contains", "starts"]),
        tested("spot", &["x"], vec!["empty"]),
        tested("plan", &["x"], vec!["empty"]),
        tested("north_id", &BEDS, vec!["eq", "ne", "in", "nin", "empty"]),
        compared("north.size", &["0", "1"], &[]),
        tested("north_id.spot", &["x"], vec!["empty"]),
        compared("owner.name", &["Ann", "Bob"], &["contains"]),
    ]
    .boxed()
}

fn of_herb() -> BoxedStrategy<Json> {
    let several = || ["contains", "in", "nin", "empty"].to_vec();
    prop_oneof![
        compared("name", &NAMES, &["contains", "starts"]),
        tested("bed", &BEDS, vec!["eq", "ne", "in", "nin", "empty"]),
        tested("mates", &HERBS, several()),
        compared("price", &["5", "7.5 EUR", "5 USD"], &[]),
        compared("ratio", &["0.5", "-1.25"], &[]),
        compared("share", &["12.5", "0"], &[]),
        compared("done", &["true", "false"], &[]),
        compared("day", &DAYS, &["within", "within", "starts"]),
        compared("at", &INSTANTS, &["within", "within"]),
        compared("spell", &["0", "1"], &[]),
        compared("color", &COLORS, &["contains"]),
        tested("tags", &COLORS, several()),
        compared("email", &["Ann@example.com"], &["contains", "starts"]),
        compared("number", &["H-001"], &["starts"]),
        compared("bed.name", &NAMES, &["contains"]),
        tested("bed.tags", &COLORS, several()),
        compared("bed.spot.country", &["AT", "de"], &[]),
        compared("bed.north.name", &NAMES, &["starts"]),
        compared("mates.name", &NAMES, &["contains"]),
        compared("mates.bed.size", &["0", "1"], &[]),
        compared("created_by.name", &["Ann"], &["starts"]),
    ]
    .boxed()
}

/// A filter on records of `key`, with up to `hops` relations from here on.
fn filter(key: &'static str, hops: usize) -> BoxedStrategy<Json> {
    let plain = if key == "bed" { of_bed() } else { of_herb() };
    let leaf = if hops == 0 { plain } else { prop_oneof![3 => plain, 1 => related(key, hops)].boxed() };
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|parts| json!({ "and": parts })),
            prop::collection::vec(inner.clone(), 0..3).prop_map(|parts| json!({ "or": parts })),
            inner.prop_map(|inner| json!({ "not": inner })),
        ]
    })
    .boxed()
}

fn related(key: &'static str, hops: usize) -> BoxedStrategy<Json> {
    let relations = match key {
        "bed" => vec![("herbs", "herb"), ("north", "bed"), ("beds", "bed"), ("garden.herbs", "herb")],
        _ => vec![("bed", "bed"), ("mates", "herb"), ("mated", "herb")],
    };
    let alternatives = relations.into_iter().map(|(name, other)| {
        let inner = prop::option::of(filter(other, hops - 1));
        (prop::sample::select(vec!["has", "has_no"]), any::<bool>(), inner).prop_map(
            move |(op, is, inner)| json!({ "field": name, "op": op, "value": inner.unwrap_or(json!(is)) }),
        )
    });
    prop::strategy::Union::new(alternatives.map(Strategy::boxed)).boxed()
}

/// The rows that somebody may read, in memory.
struct Memory<'w> {
    world: &'w World,
    rows: HashMap<String, (Arc<Entity>, Vec<Vec<Value>>)>,
}

impl<'w> Memory<'w> {
    fn of(desk: &Desk<'w>) -> Self {
        let caller = desk.scope.caller.principal.id;
        let mine = |row: &Vec<Value>| row[OWNER] == Value::Id(*caller.as_bytes());
        let rows = ["bed", "herb"].map(|key| {
            let entity = desk.world.entity(key);
            let kind = Arc::clone(&entity);
            let all = desk
                .world
                .raw(move |conn| list::rows(conn, &kind, "deleted_at is null", " order by _row", &[]));
            (key.to_owned(), (entity, all.into_iter().filter(mine).collect()))
        });
        Self { world: desk.world, rows: rows.into() }
    }

    fn selected(&self, key: &str, filter: &Filter) -> Result<Vec<RecordId>, RecordError> {
        let (entity, rows) = &self.rows[key];
        let mut ids = Vec::new();
        for row in rows {
            if filter.matches(entity, row, self)? {
                ids.extend(row[ID].id());
            }
        }
        Ok(ids)
    }
}

impl Related for Memory<'_> {
    fn row(&self, target: &Target, id: RecordId) -> Result<Option<(Arc<Entity>, Vec<Value>)>, RecordError> {
        if &*target.plugin == "host" {
            return person_row(&self.world.records, self.world.organization.id, target, id);
        }
        let (entity, rows) = &self.rows[&*target.entity];
        let row = rows.iter().find(|row| row[ID].id() == Some(id));
        Ok(row.map(|row| (Arc::clone(entity), row.clone())))
    }

    fn has(
        &self,
        referrer: &Target,
        field: &str,
        id: RecordId,
        satisfies: &Satisfies<'_>,
    ) -> Result<bool, RecordError> {
        let (entity, rows) = &self.rows[&*referrer.entity];
        let field = entity.attribute(field).unwrap();
        for row in rows {
            let value = &row[field.column];
            let refers = match field.kind {
                Kind::References(..) => targets(value).contains(&id),
                _ => value.id() == Some(id),
            };
            if refers && satisfies(entity, row)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Plants the rows, half of them Ann's and half Bob's, and answers the ids of beds and herbs.
fn plant(desks: [&Desk<'_>; 2], beds: &[Json], herbs: &[Json]) -> [Vec<RecordId>; 2] {
    let whose = |at: usize| desks[at % 2];
    let pick = |ids: &[RecordId], at: usize, from: &Json| -> Option<RecordId> {
        // Nobody refers to what he may not read.
        let mine: Vec<RecordId> = ids.iter().copied().skip(at % 2).step_by(2).collect();
        let number = usize::try_from(from.as_u64()?).ok()?;
        if number % 4 == 0 { None } else { mine.get(number % mine.len().max(1)).copied() }
    };
    let (mut made_beds, mut made_herbs) = (Vec::new(), Vec::new());
    for (at, bed) in beds.iter().enumerate() {
        let mut bed = bed.clone();
        let north = bed.as_object_mut().unwrap().remove("north").unwrap();
        bed["north_id"] = json!(pick(&made_beds, at, &north));
        made_beds.push(whose(at).create("bed", bed).unwrap());
    }
    for (at, herb) in herbs.iter().enumerate() {
        let mut herb = herb.clone();
        herb["bed"] = json!(pick(&made_beds, at, &herb["bed"]));
        let mates = herb["mates"].as_array().unwrap().iter();
        herb["mates"] = json!(mates.filter_map(|mate| pick(&made_herbs, at, mate)).collect::<Vec<_>>());
        made_herbs.push(whose(at).create("herb", herb).unwrap());
    }
    [made_beds, made_herbs]
}

/// The filter with ids in place of what stands for them.
fn with_ids(filter: &Json, [beds, herbs]: &[Vec<RecordId>; 2]) -> Json {
    let mut text = filter.to_string();
    for at in 0..3 {
        let id = |ids: &[RecordId]| ids.get(at).copied().unwrap_or_else(RecordId::new).to_string();
        text = text.replace(&format!("@b{at}"), &id(beds)).replace(&format!("@h{at}"), &id(herbs));
    }
    serde_json::from_str(&text).unwrap()
}

#[test]
fn sql_and_memory_select_the_same_rows() {
    let world = World::of(OrganizationId::new(), plot());
    let (ann, bob) =
        (world.desk(world.person("Ann", "rep", None)), world.desk(world.person("Bob", "rep", None)));
    let rows = (prop::collection::vec(bed(), 0..7), prop::collection::vec(herb(), 0..9));
    let filters = (prop::collection::vec(filter("bed", 3), 8), prop::collection::vec(filter("herb", 3), 8));
    let run = TestRunner::new(Config::with_cases(256)).run(
        &(rows, filters),
        |((beds, herbs), (of_beds, of_herbs))| {
            world.clear();
            let ids = plant([&ann, &bob], &beds, &herbs);
            let memory = Memory::of(&ann);
            for (key, filters) in [("bed", of_beds), ("herb", of_herbs)] {
                let entity = world.entity(key);
                for filter in filters {
                    let json = with_ids(&filter, &ids);
                    let parsed = match parse_json(&ann.context(), &entity, &json) {
                        Err(RecordError::BadRequest {
                            code: "path_too_long" | "filter_too_costly" | "filter_too_deep",
                            ..
                        }) => continue,
                        other => other.unwrap(),
                    };
                    let page = ann.page(key, &json, "created_at", 200, None).unwrap();
                    let expected = memory.selected(key, &parsed).unwrap();
                    prop_assert_eq!(&page["count"], expected.len(), "{}", json);
                    prop_assert_eq!(ids_of(&page), expected, "{}", json);
                }
            }
            Ok(())
        },
    );
    run.unwrap();
}
