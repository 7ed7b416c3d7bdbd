//! Any input to the parsers of filters: they never panic, and what they accept becomes SQL that SQLite prepares.
//!
//! A second in the ordinary run; `STOA_FUZZ_SECONDS=600 cargo test -p stoa --lib fuzz` for longer.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::agreement::plot;
use super::world::{Desk, World};
use crate::ids::OrganizationId;
use crate::records::RecordError;
use crate::records::filter::{Filter, Op, Sight, parse_json, parse_query};

const NAMES: [&str; 30] = [
    "name",
    "size",
    "tags",
    "spot",
    "spot.city",
    "plan",
    "north",
    "north_id",
    "herbs",
    "beds",
    "bed",
    "bed.north.name",
    "mates",
    "mates.name",
    "mated",
    "price",
    "ratio",
    "share",
    "done",
    "day",
    "at",
    "color",
    "number",
    "owner.email",
    "team.name",
    "id",
    "created_at",
    "nothing",
    "north.north.north.north.name",
    "",
];
const VALUES: [&str; 20] = [
    "",
    "a",
    "1",
    "-1.25",
    "true",
    "false",
    "today",
    "last_3_weeks",
    "next_fiscal_year",
    "red",
    "red,blue",
    "5 EUR",
    "Öl%_\\",
    "2024-02-29",
    "2024-02-29T00:00:00Z",
    "00000000-0000-7000-8000-000000000000",
    "9223372036854775808",
    "'",
    "\u{0}",
    "Wien",
];

fn budget() -> Duration {
    let seconds = std::env::var("STOA_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1))
}

/// Choices out of bytes.
struct Bytes<'b>(std::slice::Iter<'b, u8>);

impl Bytes<'_> {
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let at = self.0.next().map_or(0, |byte| usize::from(*byte));
        from[at % from.len()]
    }

    /// A filter, or nearly one.
    fn filter(&mut self, depth: usize) -> Json {
        let parts = |bytes: &mut Self| -> Json {
            let many = bytes.pick(&[0, 1, 2, 3]);
            (0..many).map(|_| bytes.filter(depth + 1)).collect()
        };
        let kind = if depth > 10 { 9 } else { self.pick(&[0, 1, 2, 3, 4, 9, 9, 9, 9, 9, 9]) };
        match kind {
            0 => json!({ "and": parts(self) }),
            1 => json!({ "or": parts(self) }),
            2 => json!({ "not": self.filter(depth + 1) }),
            3 => json!({ "field": self.pick(&NAMES), "op": "has", "value": self.filter(depth + 1) }),
            4 => self.pick(&[&json!(null), &json!([]), &json!({}), &json!({ "field": 1 })]).clone(),
            _ => {
                let (field, (op, _)) = (self.pick(&NAMES), self.pick(&Op::ALL));
                let value = match self.pick(&[0, 0, 0, 1, 2]) {
                    1 => json!([self.pick(&VALUES), self.pick(&VALUES)]),
                    2 => json!(self.pick(&[i64::MIN, 0, 7])),
                    _ => json!(self.pick(&VALUES)),
                };
                json!({ "field": field, "op": op, "value": value })
            }
        }
    }
}

/// What was accepted is SQL.
fn prepares(desk: &Desk<'_>, key: &str, filter: &Filter) {
    let entity = desk.world.entity(key);
    let condition = match filter.condition(&desk.world.records, &desk.scope, &entity, Sight::Caller) {
        Err(RecordError::BadRequest { .. }) => return,
        other => other.unwrap(),
    };
    let (mut sql, mut params) = (format!("select 1 from \"{key}\" where "), Vec::new());
    condition.write(&mut sql, &mut params);
    let prepared = desk.world.records.read(&desk.scope, &desk.world.module, |conn| {
        let statement = conn.prepare(&sql)?;
        Ok(statement.parameter_count())
    });
    assert_eq!(prepared.unwrap(), params.len(), "{sql}");
}

fn asked(desk: &Desk<'_>, input: &[u8]) {
    let context = desk.context();
    for key in ["bed", "herb"] {
        let entity = desk.world.entity(key);
        let mut bytes = Bytes(input.iter());
        if let Ok(filter) = parse_json(&context, &entity, &bytes.filter(0)) {
            prepares(desk, key, &filter);
        }
        if let Ok(filter) = serde_json::from_slice(input)
            .map_err(drop)
            .and_then(|json| parse_json(&context, &entity, &json).map_err(drop))
        {
            prepares(desk, key, &filter);
        }
        let (name, (op, _), value) = (bytes.pick(&NAMES), bytes.pick(&Op::ALL), bytes.pick(&VALUES));
        let text = String::from_utf8_lossy(input);
        let (raw, after) = text.split_once('=').unwrap_or((&text, value));
        for test in [(format!("{name}[{op}]"), value.to_owned()), (raw.to_owned(), after.to_owned())] {
            if let Ok(filter) = parse_query(&context, &entity, &[test]) {
                prepares(desk, key, &filter);
            }
        }
    }
}

#[test]
fn no_input_breaks_the_parsers_and_what_they_accept_is_sql() {
    let world = World::of(OrganizationId::new(), plot());
    let desk = AssertUnwindSafe(world.owner());
    bolero::check!().with_test_time(budget()).for_each(|input: &[u8]| {
        let desk: &Desk<'_> = &desk;
        asked(desk, input);
    });
}
