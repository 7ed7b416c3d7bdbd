//! What goes out as CSV, XLSX or JSON Lines comes in again with the mapping that is suggested for it, and is equal.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::orchard::orchard;
use super::*;
use crate::records::export::{Format as Out, Sink, Wanted};
use crate::records::filter::Filter;

struct Collected(Vec<u8>);

impl Sink for Collected {
    fn take(&mut self, bytes: Vec<u8>) -> bool {
        self.0.extend_from_slice(&bytes);
        true
    }
}

impl Desk {
    fn out(&self, format: Out) -> Vec<u8> {
        let wanted = Wanted {
            format,
            fields: None,
            filter: Filter::And(Vec::new()),
            words: None,
            sort: None,
            titles: true,
            mark: format == Out::Csv,
            query: String::new(),
        };
        let entity = self.world.entity("plant");
        let export = self.world.records.export(&self.scope, &entity, wanted).unwrap();
        if format == Out::Xlsx {
            let path = self.world.folder.path().join("out.xlsx");
            export.workbook(&path, self.world.folder.path()).unwrap();
            return std::fs::read(&path).unwrap();
        }
        let mut collected = Collected(Vec::new());
        export.stream(&mut collected).unwrap();
        collected.0
    }

    /// Every plant by its code, without what belongs to the host.
    fn content(&self) -> Vec<Json> {
        let page = self.world.owner().page("plant", &Json::Null, "code", 200, None).unwrap();
        let mut plants = page["data"].as_array().unwrap().clone();
        for plant in &mut plants {
            let members = plant.as_object_mut().unwrap();
            for key in [
                "id",
                "version",
                "created_at",
                "updated_at",
                "created_by",
                "updated_by",
                "source",
                "number",
                "stamp",
            ] {
                members.remove(key);
            }
        }
        plants
    }
}

/// Values that are hard to carry, one of them for each kind.
fn plant(code: usize) -> impl Strategy<Value = Json> {
    let text = || "[=+@'a-c,;\"\\- ü]{1,8}".prop_map(|text| format!("x{text}").split_off(1));
    let named = text().prop_filter("a name has something", |text| !text.trim().is_empty());
    let rich = "[=+@'a-c,;\"\\- ü\n\t]{0,12}";
    let number = prop_oneof![any::<i32>().prop_map(i64::from), any::<i64>()];
    let first = (named, rich, number.clone(), -999_999_999_i64..999_999_999, any::<Option<bool>>());
    let second = (
        prop::option::of((1900_i16..2100, 1_i8..=12, 1_i8..=28)),
        prop::option::of(-62_000_000_000_000_i64..250_000_000_000_000),
        prop::option::of(-1_000_000_i64..10_000_000),
        prop::sample::subsequence(vec!["food", "wood", "shade"], 0..=3),
        prop::option::of(text()),
        prop::bool::ANY,
    );
    (first, second).prop_map(move |((name, body, amount, price, done), (day, at, share, uses, city, extra))| {
        let scaled = |value: i64, scale: u8| {
            let mut text = String::new();
            crate::records::money::write_scaled(value, scale, &mut text);
            text
        };
        json!({
            "code": format!("c{code}"), "name": name, "body": body, "amount": amount, "done": done,
            "ratio": scaled(price, 3),
            "price": { "amount": scaled(price, 2), "currency": "EUR" },
            "day": day.map(|(year, month, day)| format!("{year:04}-{month:02}-{day:02}")),
            "at": at.map(crate::clock::rfc3339), "spell": amount, "share": share.map(|share| scaled(share, 4)),
            "uses": uses, "color": if extra { json!("blue") } else { Json::Null },
            "place": { "city": city, "street": if extra { "=1\n@2" } else { "" }, "country": "AT" },
            "email": if extra { json!("+a=b@example.com") } else { Json::Null }, "phone": "+43 (1) 2",
            "site": "https://example.com/?a=b,c", "extra": if extra { json!({ "a": ["=1", -5, null] }) } else { json!(-7) },
            "rank": 3, "external_ids": if code == 1 { json!({ "erp": format!("=e{code}"), "old": "1,2" }) } else { Json::Null },
        })
    })
}

#[test]
fn what_went_out_comes_in_again_and_is_equal() {
    let plants = (plant(0), plant(1), plant(2));
    let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    runner
        .run(&plants, |(first, second, third)| {
            let desk = Desk::of(orchard());
            let owner = desk.world.owner();
            let mut ids = Vec::new();
            for mut plant in [first, second, third] {
                if let Some(last) = ids.last() {
                    plant["parent"] = json!(last);
                    plant["friends"] = json!(ids);
                }
                ids.push(owner.create("plant", plant).unwrap().to_string());
            }
            let before = desk.content();
            for format in [Out::Csv, Out::Xlsx, Out::Jsonl] {
                there_and_back(&desk, format, &before);
            }
            Ok(())
        })
        .unwrap();
}

/// Takes everything out, makes every field empty, and brings it back by the records' ids.
fn there_and_back(desk: &Desk, format: Out, before: &[Json]) {
    let file = desk.out(format);
    let upload = desk.world.folder.path().join("again");
    std::fs::write(&upload, &file).unwrap();
    let options = json!({ "entity": "garden.plant" }).to_string();
    let found =
        desk.world.runtime.block_on(desk.imports.detect(&desk.scope, Some(&options), &upload)).unwrap();
    let mut spec = found.suggestion.unwrap().spec;
    assert_eq!(spec["mapping"]["price"]["column"], "price");
    spec["mode"] = json!("update");
    spec["key"] = json!({ "field": "id", "column": "id" });
    let ignore = spec["ignore"].as_array().unwrap().iter().filter(|column| **column != "id");
    spec["ignore"] = ignore.cloned().collect();
    desk.world.raw(|conn| {
        let columns = "body, amount, ratio, price, price_currency, share, done, day, at, spell, color, parent, email, phone, \
                       site, extra, uses, friends, place, rank";
        let emptied = columns.split(", ").map(|column| format!("{} = null", column.trim())).collect::<Vec<_>>().join(", ");
        conn.batch(&format!("update plant set {emptied}, name = 'emptied', code = 'e' || _row, external_ids = null"))?;
        conn.batch("delete from _stoa_links")?;
        Ok(conn.batch("delete from _stoa_external_ids")?)
    });
    let (job, result) = desk.whole(&spec, &file);
    let shown = String::from_utf8_lossy(&file).into_owned();
    assert_eq!(
        counts(&result),
        [0, 3, 0],
        "{format:?} {:?} {}",
        desk.errors(&job),
        if format == Out::Xlsx { "" } else { &shown }
    );
    assert_eq!(desk.content(), before, "{format:?}");
}
