//! What `cargo xtask bench plugins` measures: a hook that does what hooks usually do, and a report that reads the same rows
//! so often that one reading can be told from the call around it.

use stoa_sdk::prelude::*;

/// Eight columns of the usual types.
#[entity(key = "item", plural = "items", title = "name", hooks(before_create = before_create))]
pub struct Item {
    #[field(max = 200)]
    name: String,
    #[field(max = 500)]
    remark: Option<String>,
    count: Option<i64>,
    weight: Option<i64>,
    made_on: Option<Date>,
    sold_on: Option<Date>,
    good: bool,
    #[field(max = 20)]
    color: Option<String>,
}

fn before_create(ctx: &Context, drafts: &mut [Draft<Item>]) -> Result<()> {
    let today = ctx.today()?;
    for draft in drafts {
        draft.name = draft.name.trim().to_owned();
        if draft.made_on.is_some_and(|day| day > today) {
            draft.refuse("/made_on", "in_the_future", "choose today or an earlier day");
        }
    }
    Ok(())
}

/// How much is read.
#[entity(value)]
pub struct Asked {
    #[field(min = 0, max = 1_000)]
    times: i64,
    #[field(min = 0, max = 1_000)]
    rows: i64,
}

/// One row that is read.
#[entity(row)]
pub struct Line {
    name: String,
    remark: Option<String>,
    count: Option<i64>,
    weight: Option<i64>,
    made_on: Option<Date>,
    sold_on: Option<Date>,
    good: bool,
    color: Option<String>,
}

/// What was read.
#[entity(row)]
pub struct Sum {
    rows: i64,
    count: i64,
}

const LINES: Sql =
    sql!("select name, remark, count, weight, made_on, sold_on, good, color from visible_item limit ?1");

fn crossing(ctx: &Context, asked: Asked) -> Result<Report<Sum>> {
    let mut sum = Sum { rows: 0, count: 0 };
    for _ in 0..asked.times {
        let lines: Vec<Line> = ctx.sql().read(LINES, &[&asked.rows])?;
        for line in &lines {
            sum.rows += 1;
            sum.count += line.count.unwrap_or_default();
        }
    }
    Ok(Report::new(vec![sum]))
}

stoa_sdk::plugin! {
    id: "measured",
    name: "Measured",
    module: "measured",
    entities: [Item],
    reports: [{ key: "crossing", run: crossing, reads: Item, label: "Crossing", help: "Rows that were read." }],
    grants: [Grant::new("owner", "org", "measured.item", &["list", "read", "create"])],
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checked_in_manifest_is_what_the_code_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/manifest.json");
        stoa_sdk::testing::matches_file(path, &super::describe().to_pretty_json()).unwrap();
    }
}
