//! What plugins used is kept by day: after a restart, for each organization, added up as one asks.

use std::time::Duration;

use serde_json::{Value, json};
use stoa_testkit::{Client, Setup};
use stoa_tests::text;

use super::a_hostile_plugin_is_refused::{act, guests, organization, refused};
use crate::staff::claim;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Milliseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "an administrator's second factor goes by the time of a real day"
)]
fn present() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

fn periods(staff: &Client, query: &str) -> Vec<Value> {
    let answer = staff.get(&format!("/admin/v1/plugin-usage/periods?plugin=hostile&{query}")).ok();
    answer["data"].as_array().unwrap().clone()
}

#[test]
fn what_a_plugin_used_is_kept_by_day_and_outlives_the_process() {
    let Some(guests) = guests() else { return };
    let yesterday = present() - i64::try_from(DAY.as_millis()).unwrap();
    let mut host = Setup::default().plugins(&guests).at(yesterday).start();
    let owner = organization(&host, &guests, "acme").owner();
    for _ in 0..3 {
        act(&owner, "ping").ok();
    }
    host.restart();
    let elapsed = u64::try_from(present() - yesterday).unwrap();
    host.advance(Duration::from_millis(elapsed));
    let owner = organization(&host, &guests, "globex").owner();
    act(&owner, "ping").ok();
    assert_eq!(refused(&act(&owner, "panic")), "plugin_panicked");

    let staff = claim(&host).client;
    let days = periods(&staff, "from=2020-01-01&granularity=day");
    let [first, second] = &days[..] else { panic!("{days:?}") };
    assert!(text(first, "period") < text(second, "period"), "{days:?}");
    let counted = |one: &Value| (one["kind"].clone(), one["calls"].clone(), one["failures"].clone());
    assert_eq!(counted(first), (json!("action"), json!(3), json!(0)), "it was counted before the restart");
    assert_eq!(counted(second), (json!("action"), json!(2), json!(1)), "and this just now");
    assert!(first["cpu_us"].as_u64().unwrap() > 0 && first["wall_us"].as_u64().unwrap() > 0);
    assert_ne!(first["organization_id"], second["organization_id"]);
    assert_eq!(periods(&staff, "from=2020-01-01&granularity=day"), days, "nothing is counted twice");

    let day = text(first, "period");
    assert_eq!(periods(&staff, &format!("from={day}&to={day}&granularity=day")), std::slice::from_ref(first));
    let months = periods(&staff, "from=2020-01-01&granularity=month");
    assert!(months.iter().all(|one| text(one, "period").len() == "2026-11".len()), "{months:?}");
    let of = format!("from=2020-01-01&organization={}", text(second, "organization_id"));
    let total = periods(&staff, &of);
    assert_eq!((total.len(), &total[0]["period"], &total[0]["calls"]), (1, &Value::Null, &json!(2)));

    let page = "/admin/v1/plugin-usage/periods?plugin=hostile&from=2020-01-01&granularity=day&limit=1";
    let one = staff.get(page).ok();
    assert_eq!(one["data"], json!([first]));
    let rest = staff.get(&format!("{page}&cursor={}", text(&one, "next_cursor"))).ok();
    assert_eq!((&rest["data"], &rest["next_cursor"]), (&json!([second]), &Value::Null));

    for (query, field) in [
        ("from=2026-13-01", "from"),
        ("to=yesterday", "to"),
        ("from=2026-02-02&to=2026-02-01", "from"),
        ("granularity=year", "granularity"),
    ] {
        let answer = staff.get(&format!("/admin/v1/plugin-usage/periods?{query}"));
        answer.expect(400);
        assert!(answer.text().contains(field), "{}", answer.text());
    }
    staff.get("/admin/v1/plugin-usage/periods?cursor=a~b").expect(400);
}
