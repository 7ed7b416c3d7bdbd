//! What the museum shows: a small plugin that goes through every door that a host offers. `cargo xtask museum` compiles it
//! with the SDK of a published contract and puts it into `tests/museum`, where it stays as it is.
//!
//! What is here already must keep its meaning: one story (`tests/stories/old_components_still_run.rs`) is told of every
//! exhibit. What a later contract adds comes as a further action.

use stoa_sdk::prelude::*;

/// Something in a glass case.
#[entity(key = "piece", plural = "pieces", title = "name", hooks(
    validate = validate,
    before_create = before_create,
    before_update = before_update,
    after_create = after_create,
))]
pub struct Piece {
    #[field(max = 200)]
    name: String,
    /// In grams.
    #[field(min = 0, indexed)]
    weight: Option<i64>,
    value: Option<Money>,
    found_on: Option<Date>,
    /// How often it was looked at.
    #[field(read_only)]
    looks: Option<i64>,
}

/// What the hooks write down.
#[entity(key = "label", plural = "labels", title = "text", operations())]
pub struct Label {
    #[field(max = 300)]
    text: String,
    piece: Reference<Piece>,
}

fn validate(ctx: &Context, drafts: &mut [Draft<Piece>]) -> Result<()> {
    let today = ctx.today()?;
    for draft in drafts {
        if draft.found_on.is_some_and(|day| day > today) {
            draft.refuse("/found_on", "in_the_future", "choose today or an earlier day");
        }
    }
    Ok(())
}

fn before_create(_: &Context, drafts: &mut [Draft<Piece>]) -> Result<()> {
    for draft in drafts {
        draft.name = draft.name.trim().to_owned();
        draft.looks = Some(0);
    }
    Ok(())
}

fn before_update(_: &Context, drafts: &mut [Draft<Piece>]) -> Result<()> {
    for draft in drafts.iter_mut().filter(|draft| draft.changes(|piece| piece.name.clone())) {
        draft.name = draft.name.trim().to_owned();
    }
    Ok(())
}

fn after_create(ctx: &Context, drafts: &mut [Draft<Piece>]) -> Result<()> {
    for draft in drafts {
        let label = Label { text: format!("{}, new", draft.name), piece: draft.id };
        ctx.records::<Label>().as_plugin().create(&label)?;
    }
    Ok(())
}

/// Who looks.
#[entity(value)]
pub struct Visitor {
    #[field(min = 1, max = 100)]
    name: String,
}

/// What came of it.
#[entity(value)]
pub struct Seen {
    looks: i64,
    /// Visits of this person, in a private table.
    visits: i64,
    organization: String,
    /// Where the call came from.
    source: String,
    may_delete: bool,
    greeting: String,
}

const ENTER: Sql =
    sql!("insert into visit (name, times) values (?1, 1) on conflict (name) do update set times = times + 1");
const VISITS: Sql = sql!("select times from visit where name = ?1");

fn look(ctx: &Context, id: Reference<Piece>, input: Visitor) -> Result<Seen> {
    let mut piece = ctx.records::<Piece>().get(id)?;
    if input.name == "nobody" {
        return Err(Refusal::conflict("nobody_looks", "say who looks").with("allowed", vec!["anybody"]));
    }
    let looks = piece.looks.unwrap_or_default() + 1;
    piece.looks = Some(looks);
    ctx.records().save(&mut piece)?;
    ctx.sql().run(ENTER, &[&input.name])?;
    let visits: Vec<(i64,)> = ctx.sql().read(VISITS, &[&input.name])?;
    ctx.log("info", &format!("{} looked at {}", input.name, piece.name));
    if ctx.random_id() == ctx.random_id() || ctx.random_bytes(16).len() != 16 || ctx.remaining_ms() == 0 {
        return Err(Refusal::conflict("broken", "ids, randomness or time are not what they were"));
    }
    Ok(Seen {
        looks,
        visits: visits.first().map_or(0, |row| row.0),
        organization: ctx.organization().slug,
        source: ctx.source(),
        may_delete: ctx.allows("exhibit.piece", "delete"),
        greeting: ctx.setting("greeting")?,
    })
}

/// How many and how heavy.
#[entity(value)]
pub struct Weighed {
    count: i64,
    weight: i64,
}

/// Which.
#[entity(value)]
pub struct Least {
    /// In grams.
    weight: Option<Decimal<0>>,
}

fn weigh(ctx: &Context, input: Least) -> Result<Weighed> {
    let least = input.weight.map_or(0, Decimal::scaled);
    let pieces = ctx.records::<Piece>().find(&Find::all())?;
    let weights: Vec<i64> =
        pieces.iter().filter_map(|piece| piece.weight).filter(|weight| *weight >= least).collect();
    Ok(Weighed { count: i64::try_from(weights.len()).unwrap_or(i64::MAX), weight: weights.iter().sum() })
}

/// A line of the report.
#[entity(row)]
pub struct Line {
    name: String,
    weight: Option<i64>,
    value: Option<Money>,
    found_on: Option<Date>,
}

const LINES: Sql =
    sql!("select name, weight, value, value_currency, found_on from visible_piece order by name");

fn catalogue(ctx: &Context, (): ()) -> Result<Report<Line>> {
    let lines: Vec<Line> = ctx.sql().read(LINES, &[])?;
    let heavy = lines.iter().filter(|line| line.weight > Some(1000)).count();
    Ok(Report::new(lines).note("heavy", heavy))
}

stoa_sdk::plugin! {
    id: "exhibit",
    name: "Exhibit",
    module: "exhibit",
    permissions: ["records.as-plugin"],
    entities: [Piece, Label],
    private: vec![Step::new("0001_visits", "create table visit (name text primary key, times integer not null) strict")],
    actions: [
        { key: "piece.look", run: look, on: record, mode: write, label: "Look at" },
        { key: "piece.weigh", run: weigh, on: collection, entity: Piece, mode: read, label: "Weigh" },
    ],
    reports: [
        { key: "catalogue", run: catalogue, reads: Piece, label: "Catalogue", help: "What there is to see." },
    ],
    grants: [
        Grant::new("owner", "org", "exhibit.piece", &["list", "read", "create", "update", "delete", "look", "weigh"]),
        Grant::new("rep", "own", "exhibit.piece", &["list", "read", "create", "look", "weigh"]),
        Grant::new("owner", "org", "exhibit.label", &["list", "read"]),
    ],
    settings: vec![Setting { key: "greeting".into(), schema: serde_json::json!({ "type": "string" }), default: "Welcome".into() }],
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checked_in_manifest_is_what_the_code_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/manifest.json");
        stoa_sdk::testing::matches_file(path, &super::describe().to_pretty_json()).unwrap();
    }
}
