//! What goes out to whom, and the trail of it.

use serde_json::{Value as Json, json};

use super::*;
use crate::records::tests::world::{Desk, World, grant};

/// Collects what is written, until it has enough.
struct Collected {
    bytes: Vec<u8>,
    chunks: usize,
    most: usize,
}

impl Sink for Collected {
    fn take(&mut self, bytes: Vec<u8>) -> bool {
        self.bytes.extend_from_slice(&bytes);
        self.chunks += 1;
        self.chunks < self.most
    }
}

fn wanted(format: Format, fields: &str) -> Wanted {
    Wanted {
        format,
        fields: Some(fields.to_owned()),
        filter: Filter::And(Vec::new()),
        words: None,
        sort: None,
        titles: false,
        mark: false,
        query: format!("format={}&fields={fields}", format.as_str()),
    }
}

fn out(desk: &Desk<'_>, entity: &str, wanted: Wanted) -> Result<String, RecordError> {
    let export = desk.world.records.export(&desk.scope, &desk.world.entity(entity), wanted)?;
    let mut collected = Collected { bytes: Vec::new(), chunks: 0, most: usize::MAX };
    export.stream(&mut collected)?;
    Ok(String::from_utf8(collected.bytes).unwrap())
}

#[test]
fn cells_are_written_by_their_kind_and_texts_are_guarded() {
    let world = World::new();
    let owner = world.owner();
    let tree = json!({
        "name": "=cmd|'/c calc'!A0", "body": "two\nlines, \"quoted\"", "amount": -5, "ratio": "-1.5",
        "price": {"amount": "-1234.50", "currency": "EUR"}, "share": "12.5", "done": true, "day": "2026-02-28",
        "at": "2026-02-28T09:30:00Z", "color": "blue", "phone": "+43 1", "extra": {"a": "=1"},
    });
    owner.create("tree", tree).unwrap();
    let fields = "name,body,amount,ratio,price,share,done,day,at,color,phone,extra,root,code";
    let csv = out(&owner, "tree", wanted(Format::Csv, fields)).unwrap();
    assert_eq!(
        csv,
        "name,body,amount,ratio,price,price.currency,share,done,day,at,color,phone,extra,root,code\r\n\
         '=cmd|'/c calc'!A0,\"two\nlines, \"\"quoted\"\"\",-5,-1.500,-1234.50,EUR,12.5,true,2026-02-28,\
         2026-02-28T09:30:00.000Z,blue,'+43 1,\"{\"\"a\"\":\"\"=1\"\"}\",,\r\n"
    );
    let line = out(&owner, "tree", wanted(Format::Jsonl, "name,price,root")).unwrap();
    let line: Json = serde_json::from_str(line.trim_end()).unwrap();
    assert_eq!(
        line,
        json!({"name": "=cmd|'/c calc'!A0", "price": {"amount": "-1234.50", "currency": "EUR"}, "root": null})
    );
    let marked = Wanted { mark: true, ..wanted(Format::Csv, "code") };
    assert_eq!(out(&owner, "tree", marked).unwrap(), "\u{feff}code\r\n\"\"\r\n");
    for bad in ["nothing", "name,name", "", "deleted_at"] {
        let refused = out(&owner, "tree", wanted(Format::Csv, bad));
        assert!(matches!(refused, Err(RecordError::BadRequest { code: "unknown_field", .. })), "{bad}");
    }
}

#[test]
fn records_come_as_they_were_made_or_in_the_order_that_is_asked_for() {
    let world = World::new();
    let owner = world.owner();
    // More than two pages, so that the walk goes on.
    let rows: Vec<Json> =
        (0..1_201).map(|at| json!({"name": format!("n{:04}", (at * 7) % 1_201), "amount": at})).collect();
    for rows in rows.chunks(400) {
        owner.create_all("tree", rows.to_vec()).unwrap();
    }
    let names = |csv: String| -> Vec<String> { csv.lines().skip(1).map(str::to_owned).collect() };
    let made = names(out(&owner, "tree", wanted(Format::Csv, "amount")).unwrap());
    assert_eq!(made, (0..1_201).map(|at| at.to_string()).collect::<Vec<_>>());
    let entity = world.entity("tree");
    let sorted = Wanted { sort: Some(Sort::parse(&entity, "-name").unwrap()), ..wanted(Format::Csv, "name") };
    let sorted = names(out(&owner, "tree", sorted).unwrap());
    assert_eq!(sorted.len(), 1_201);
    assert!(sorted.is_sorted_by(|a, b| a > b));
    let json = json!({"field": "amount", "op": "lt", "value": 600});
    let filter = crate::records::filter::parse_json(&owner.context(), &entity, &json).unwrap();
    let some = names(out(&owner, "tree", Wanted { filter, ..wanted(Format::Csv, "amount") }).unwrap());
    assert_eq!(some, (0..600).map(|at| at.to_string()).collect::<Vec<_>>());
}

#[test]
fn an_export_has_what_its_caller_may_read_and_export() {
    let mut world = World::new();
    let grants = [
        ("rep", "read", crate::policy::Scope::Org),
        ("rep", "create", crate::policy::Scope::Own),
        ("rep", "export", crate::policy::Scope::Own),
        ("readonly", "read", crate::policy::Scope::Org),
        ("manager", "export", crate::policy::Scope::Org),
        ("manager", "read", crate::policy::Scope::Own),
    ]
    .map(|(role, action, scope)| grant(role, "garden.tree", action, scope));
    let load = crate::policy::Policy::new().load(world.organization.id, &grants).await_on(&world);
    world.policy = load;
    let (rita, sam) = (world.person("rita", "rep", None), world.person("sam", "rep", None));
    for (caller, name) in [(&rita, "hers"), (&sam, "his")] {
        world.desk(caller.clone()).create("tree", json!({"name": name})).unwrap();
    }
    let csv = |caller: &crate::caller::Caller| {
        out(&world.desk(caller.clone()), "tree", wanted(Format::Csv, "name"))
    };
    assert_eq!(csv(&rita).unwrap(), "name\r\nhers\r\n");
    assert_eq!(csv(&world.owner().scope.caller).unwrap(), "name\r\nhers\r\nhis\r\n");
    assert_eq!(csv(&world.person("mia", "manager", None)).unwrap(), "name\r\n");
    let refused = csv(&world.person("ron", "readonly", None));
    assert!(matches!(refused, Err(RecordError::Forbidden { action, .. }) if action == "export"));
    // With an order the rows are chosen before; they are judged again when their turn comes.
    let sorted = Wanted { sort: Some(Sort::newest()), ..wanted(Format::Csv, "name") };
    let desk = world.desk(rita.clone());
    let export = world.records.export(&desk.scope, &world.entity("tree"), sorted).unwrap();
    let hers = desk.ids("tree", &json!({"field": "name", "op": "eq", "value": "hers"})).unwrap()[0];
    world.owner().delete("tree", hers).unwrap();
    let mut collected = Collected { bytes: Vec::new(), chunks: 0, most: usize::MAX };
    assert_eq!(export.stream(&mut collected).unwrap(), 0);
}

trait AwaitOn: Future + Sized {
    fn await_on(self, world: &World) -> std::sync::Arc<crate::policy::PolicyIndex>;
}

impl<F: Future<Output = Result<std::sync::Arc<crate::policy::PolicyIndex>, crate::policy::PolicyError>>>
    AwaitOn for F
{
    fn await_on(self, world: &World) -> std::sync::Arc<crate::policy::PolicyIndex> {
        world.runtime.block_on(self).unwrap()
    }
}

#[test]
fn titles_stand_beside_ids_if_their_records_may_be_read() {
    let world = World::new();
    let owner = world.owner();
    let tree = owner.create("tree", json!({"name": "=Oak"})).unwrap();
    owner.create("leaf", json!({"name": "a", "tree": tree.to_string()})).unwrap();
    owner.create("leaf", json!({"name": "b"})).unwrap();
    let titled = |format| Wanted { titles: true, ..wanted(format, "name,tree") };
    assert_eq!(
        out(&owner, "leaf", titled(Format::Csv)).unwrap(),
        format!("name,tree,tree.title\r\na,{tree},'=Oak\r\nb,,\r\n")
    );
    let lines = out(&owner, "leaf", titled(Format::Jsonl)).unwrap();
    assert!(
        lines.starts_with(&format!("{{\"name\":\"a\",\"tree\":\"{tree}\",\"tree.title\":\"=Oak\"}}\n")),
        "{lines}"
    );
    assert!(lines.ends_with("{\"name\":\"b\",\"tree\":null,\"tree.title\":null}\n"));
}

#[test]
fn every_export_leaves_its_trail_also_one_that_broke_off() {
    let world = World::new();
    let owner = world.owner();
    let rows: Vec<Json> =
        (0..1_500).map(|at| json!({"name": format!("n{at}"), "body": "x".repeat(200)})).collect();
    for rows in rows.chunks(500) {
        owner.create_all("tree", rows.to_vec()).unwrap();
    }
    out(&owner, "tree", wanted(Format::Csv, "name")).unwrap();
    world.clock.advance(1_000);
    let export = world
        .records
        .export(&owner.scope, &world.entity("tree"), wanted(Format::Jsonl, "name,body"))
        .unwrap();
    let mut gone = Collected { bytes: Vec::new(), chunks: 0, most: 1 };
    assert!(export.stream(&mut gone).is_err());
    let trail = world.records.exports(&owner.scope, None, None, 10).unwrap();
    let told: Vec<(&str, &str, Option<i64>, Option<&str>)> = trail
        .iter()
        .map(|one| (one.entity.as_str(), one.format.as_str(), one.rows, one.outcome.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            ("garden.tree", "jsonl", Some(500), Some("broken")),
            ("garden.tree", "csv", Some(1_500), Some("complete"))
        ]
    );
    assert_eq!(trail[1].query, "format=csv&fields=name");
    assert_eq!(trail[0].principal, owner.scope.caller.principal.id);
    assert_eq!(world.records.exports(&owner.scope, None, Some(trail[0].id), 10).unwrap().len(), 1);
    assert!(world.records.exports(&owner.scope, Some(PrincipalId::new()), None, 10).unwrap().is_empty());
}

#[test]
fn a_workbook_holds_texts_and_no_formulas() {
    use calamine::{Data, Reader as _};
    let world = World::new();
    let owner = world.owner();
    let tree = json!({
        "name": "=1+1", "amount": 12, "ratio": "1.500", "done": false, "day": "2026-02-28",
        "price": {"amount": "12345678901234567.89", "currency": "EUR"},
    });
    owner.create("tree", tree).unwrap();
    let export = world
        .records
        .export(&owner.scope, &world.entity("tree"), wanted(Format::Xlsx, "name,amount,ratio,done,day,price"))
        .unwrap();
    let path = world.folder.path().join("x.xlsx");
    assert_eq!(export.workbook(&path, world.folder.path()).unwrap(), 1);
    let mut workbook: calamine::Xlsx<_> = calamine::open_workbook(&path).unwrap();
    let range = workbook.worksheet_range("trees").unwrap();
    let cells: Vec<&Data> = range.rows().nth(1).unwrap().iter().collect();
    assert_eq!(cells[0], &Data::String("'=1+1".into()));
    assert_eq!((cells[1], cells[2], cells[3]), (&Data::Float(12.0), &Data::Float(1.5), &Data::Bool(false)));
    assert!(matches!(cells[4], Data::DateTime(day) if day.to_ymd_hms_milli().0 == 2026));
    assert_eq!(cells[5], &Data::String("12345678901234567.89".into()), "a cell keeps fifteen digits");
    assert!(workbook.worksheet_formula("trees").unwrap().is_empty());
    assert!(xlsx::fits(MOST_ROWS).is_ok() && xlsx::fits(MOST_ROWS + 1).is_err());
    owner.create("tree", json!({"name": "long", "extra": "x".repeat(40_000)})).unwrap();
    let export =
        world.records.export(&owner.scope, &world.entity("tree"), wanted(Format::Xlsx, "extra")).unwrap();
    let refused = export.workbook(&path, world.folder.path());
    assert!(
        matches!(&refused, Err(RecordError::Invalid(faults)) if faults[0].code == "cell_too_long"),
        "{refused:?}"
    );
}
