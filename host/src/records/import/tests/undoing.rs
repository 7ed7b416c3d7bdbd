//! The way back: what an import made is gone, what it changed is as before, and what is others' by now stays.

use super::orchard::orchard;
use super::undo::Options;
use super::*;
use crate::ids::RecordId;

impl Desk {
    fn undo(&self, job: &Job, options: Options) -> (Job, Json) {
        let undo =
            self.world.runtime.block_on(self.imports.submit_undo(&self.scope, job.id, options)).unwrap();
        let undo = self.world.runtime.block_on(self.jobs.claim(undo.id)).unwrap();
        let result = self.run(&undo);
        (undo, result)
    }

    /// Every plant as it is seen, but for what every change changes.
    fn plants(&self) -> Vec<Json> {
        let page = self.world.owner().page("plant", &Json::Null, "name", 200, None).unwrap();
        let mut plants = page["data"].as_array().unwrap().clone();
        for plant in &mut plants {
            let members = plant.as_object_mut().unwrap();
            for stamp in ["version", "updated_at", "updated_by"] {
                members.remove(stamp);
            }
        }
        plants
    }

    fn plant(&self, name: &str) -> RecordId {
        let name = json!({ "field": "name", "op": "eq", "value": name });
        self.world.owner().ids("plant", &name).unwrap()[0]
    }
}

fn told_by(result: &Json) -> [i64; 4] {
    ["deleted", "restored", "unchanged", "skipped"].map(|key| result[key].as_i64().unwrap())
}

fn spec() -> Json {
    json!({
        "entity": "garden.plant", "mode": "upsert", "external_id": { "source": "old", "column": "id" },
        "mapping": {
            "name": { "column": "name" }, "amount": { "column": "amount" }, "code": { "column": "code" },
            "price": { "column": "price", "currency": "EUR" },
            "uses": { "column": "uses" }, "place.city": { "column": "city" },
            "parent": { "column": "parent", "lookup": { "by": "external_id:old" } },
            "friends": { "column": "friends", "lookup": { "by": "external_id:old" } },
        },
    })
}

const FIRST: &str = "id,name,amount,code,price,uses,city,parent,friends\n\
    1,Oak,1,a,1.5,wood,Wien,,\n2,Elm,2,b,,food;wood,,1,1\n3,Ash,,,,,,2,1;2\n";
const SECOND: &str = "id,name,amount,code,price,uses,city,parent,friends\n\
    1,Oak tree,5,c,,shade,Graz,,3\n2,Elm,2,b,,food;wood,,1,1\n5,Yew,,,,,,3,3\n4,Fir,4,a,,,,5,1;3\n";

#[test]
fn the_undo_of_a_second_import_leaves_everything_as_before_and_of_the_first_nothing() {
    let desk = Desk::of(orchard());
    let (first, result) = desk.whole(&spec(), FIRST);
    assert_eq!(counts(&result), [3, 0, 0], "{result}");
    let before = desk.plants();
    let (second, result) = desk.whole(&spec(), SECOND);
    assert_eq!(counts(&result), [2, 2, 0], "{result}");
    assert_ne!(desk.plants(), before);

    let (_, dry) = desk.undo(&second, Options { dry_run: true, force: false });
    assert_eq!(told_by(&dry), [2, 1, 0, 0], "{dry}");
    assert_ne!(desk.plants(), before);

    let (undo, result) = desk.undo(&second, Options::default());
    assert_eq!(told_by(&result), [2, 1, 0, 0], "{result}");
    assert_eq!(desk.plants(), before);
    assert!(desk.errors(&undo).is_empty());
    assert_eq!(desk.world.number("select count(*) from _stoa_links"), 3);
    assert_eq!(desk.world.number("select count(*) from _stoa_external_ids"), 3);
    // What it had taken is free again: the same file can come once more.
    let (_, result) = desk.undo(&second, Options::default());
    assert_eq!(told_by(&result), [0, 0, 3, 0], "{result}");
    assert_eq!(counts(&desk.whole(&spec(), SECOND).1), [2, 2, 0]);
    let (third, _) = (desk.world.number("select count(*) from plant where deleted_at is null"), ());
    assert_eq!(third, 5);
    assert_eq!(desk.world.number("select count(*) from plant where code = 'c'"), 1);

    // The first made three, of which the last import changed one and others refer to: they stay, and are told.
    let (undo, result) = desk.undo(&first, Options::default());
    assert_eq!(told_by(&result), [0, 0, 0, 3], "{result}");
    let mut codes: Vec<String> =
        desk.errors(&undo).iter().map(|line| line.split(',').nth(3).unwrap().to_owned()).collect();
    codes.sort();
    assert_eq!(codes, ["changed_since", "referred_to", "referred_to"]);
}

#[test]
fn an_import_that_nobody_has_touched_is_gone_children_first() {
    let desk = Desk::of(orchard());
    let (first, _) = desk.whole(&spec(), FIRST);
    let before = desk.plants();
    // The same again changes nothing, so there is nothing to undo in it.
    let (second, result) = desk.whole(&spec(), FIRST);
    assert_eq!(counts(&result), [0, 3, 0]);
    assert_eq!(told_by(&desk.undo(&second, Options::default()).1), [0, 0, 0, 0]);
    assert_eq!(desk.plants(), before);
    let (_, result) = desk.undo(&first, Options::default());
    assert_eq!(told_by(&result), [3, 0, 0, 0], "{result}");
    assert!(desk.plants().is_empty());
    for table in ["_stoa_links", "_stoa_external_ids"] {
        assert_eq!(
            desk.world.raw(move |conn| Ok(conn
                .prepare(&format!("select count(*) from {table}"))?
                .query_row([], |row| row.get::<_, i64>(0))?)),
            0,
            "{table}"
        );
    }
    assert_eq!(desk.world.number("select count(*) from plant where deleted_at is not null"), 3);
    // What it did is in the change log like everything else.
    assert_eq!(
        desk.world.number("select count(*) from _stoa_changes where source = 'job' and operation = 'update'"),
        3
    );
}

#[test]
fn what_others_changed_since_is_left_and_named_unless_forced() {
    let desk = Desk::of(orchard());
    desk.whole(&spec(), FIRST);
    let before = desk.plants();
    let (second, _) = desk.whole(&spec(), SECOND);
    let owner = desk.world.owner();
    owner.update("plant", desk.plant("Oak tree"), None, json!({ "amount": 77 })).unwrap();
    owner.update("plant", desk.plant("Fir"), None, json!({ "body": "mine" })).unwrap();
    owner.create("pot", json!({ "name": "p", "plants": [desk.plant("Yew").to_string()] })).unwrap();
    let (undo, result) = desk.undo(&second, Options::default());
    assert_eq!(told_by(&result), [0, 0, 0, 3], "{result}");
    let mut left: Vec<String> = desk
        .errors(&undo)
        .iter()
        .map(|line| line.split(',').skip(2).take(2).collect::<Vec<_>>().join(" "))
        .collect();
    left.sort();
    assert_eq!(left, [" referred_to", "amount changed_since", "body changed_since"]);
    assert_eq!(desk.world.number("select count(*) from plant where name = 'Oak tree' and amount = 77"), 1);
    let (_, result) = desk.undo(&second, Options { force: true, dry_run: false });
    assert_eq!(told_by(&result), [2, 1, 0, 0], "{result}");
    assert_eq!(desk.plants(), before);
}

#[test]
fn a_change_elsewhere_in_a_record_does_not_keep_its_fields_from_coming_back() {
    let desk = Desk::of(orchard());
    desk.whole(&spec(), FIRST);
    let (second, _) = desk.whole(&spec(), SECOND);
    desk.world.owner().update("plant", desk.plant("Oak tree"), None, json!({ "body": "mine" })).unwrap();
    let (_, result) = desk.undo(&second, Options::default());
    assert_eq!(told_by(&result), [2, 1, 0, 0], "{result}");
    assert_eq!(
        desk.world.number("select count(*) from plant where name = 'Oak' and amount = 1 and body = 'mine'"),
        1
    );
}

#[test]
fn old_values_that_others_have_by_now_stay_theirs() {
    let desk = Desk::of(orchard());
    desk.whole(&spec(), FIRST);
    let change = "id,name,amount,code,price,uses,city,parent,friends\n1,Oak,1,z,1.5,wood,Wien,,\n";
    let (second, _) = desk.whole(&spec(), change);
    desk.world.owner().create("plant", json!({ "name": "New", "code": "a" })).unwrap();
    let (undo, result) = desk.undo(&second, Options::default());
    assert_eq!(told_by(&result), [0, 0, 0, 1], "{result}");
    assert!(desk.errors(&undo)[0].contains(",code,not_unique,"), "{:?}", desk.errors(&undo));
}

#[test]
fn an_undo_that_stopped_goes_on_and_counts_nothing_twice() {
    let desk = Desk::of(orchard());
    let spec = json!({
        "entity": "garden.plant", "mode": "upsert", "key": { "field": "code" },
        "mapping": { "name": { "column": "name" }, "code": { "column": "code" } },
    });
    let file = |rows: std::ops::Range<usize>, name: &str| {
        let lines: Vec<String> = rows.map(|row| format!("{name}{row},c{row}\n")).collect();
        format!("name,code\n{}", lines.concat())
    };
    desk.whole(&spec, file(0..300, "a"));
    let (second, result) = desk.whole(&spec, file(0..800, "b"));
    assert_eq!(counts(&result), [500, 300, 0]);
    let undo = desk
        .world
        .runtime
        .block_on(desk.imports.submit_undo(&desk.scope, second.id, Options::default()))
        .unwrap();
    let undo = desk.world.runtime.block_on(desk.jobs.claim(undo.id)).unwrap();
    // Asked to stop: it does so after a batch, and what that did stays.
    desk.world.runtime.block_on(desk.jobs.cancel(desk.scope.organization.id, undo.id)).unwrap();
    let runtime = desk.world.runtime.enter();
    assert!(matches!(desk.imports.run(&undo, &desk.scope, &desk.hooks), Err(ImportError::Job(_))));
    drop(runtime);
    let restored = desk.world.number("select count(*) from plant where name like 'a%'");
    assert!((1..300).contains(&restored), "{restored}");
    let (_, result) = desk.undo(&second, Options::default());
    assert_eq!(told_by(&result), [500, 300 - restored, restored, 0], "{result}");
    assert_eq!(
        desk.world.number("select count(*) from plant where deleted_at is null and name like 'a%'"),
        300
    );
    assert_eq!(desk.world.number("select count(*) from plant where deleted_at is null"), 300);
}

#[test]
fn there_is_nothing_to_undo_in_what_kept_nothing_or_is_not_over() {
    let desk = Desk::of(orchard());
    let mut dry = spec();
    dry["dry_run"] = json!(true);
    let submit = |job: JobId| {
        desk.world.runtime.block_on(desk.imports.submit_undo(&desk.scope, job, Options::default()))
    };
    let conflict = |outcome: Result<Job, ImportError>| {
        assert!(
            matches!(&outcome, Err(ImportError::Records(RecordError::Conflict { code, .. })) if code == "import_not_undoable"),
            "{outcome:?}"
        );
    };
    let (job, _) = desk.whole(&dry, FIRST);
    conflict(submit(job.id));
    let running = desk.submit(&spec(), FIRST.as_bytes()).unwrap();
    conflict(submit(running.id));
    let (done, _) = desk.whole(&spec(), FIRST);
    let undo = submit(done.id).unwrap();
    assert!(matches!(submit(undo.id), Err(ImportError::Job(JobError::NotFound(_)))));
    assert!(matches!(submit(JobId::new()), Err(ImportError::Job(JobError::NotFound(_)))));
}

#[test]
fn an_undo_restores_no_field_that_whoever_undoes_may_not_write() {
    let mut desk = Desk::of(orchard());
    let columns = "id,name,amount,code,price,uses,city,parent,friends\n";
    desk.whole(&spec(), format!("{columns}1,Oak,1,a,,,,,\n2,Elm,2,b,,,,,\n"));
    let (second, result) = desk.whole(&spec(), format!("{columns}1,Oak,9,a,,,,,\n2,Alder,2,b,,,,,\n"));
    assert_eq!(counts(&result), [0, 2, 0], "{result}");
    let whole = ["read", "import", "update", "delete"];
    let whole = whole.map(|action| ["role:rep", "garden.plant", action, "org", "allow"]);
    let locked = [["role:rep", "garden.plant#amount", "update", "org", "deny"]];
    desk.world.rule(&[&whole[..], &locked[..]].concat());
    let owner = desk.scope.clone();
    desk.scope = desk.world.scope(importing(&desk.world.person("Ann", "rep", None)));
    let (undo, result) = desk.undo(&second, Options::default());
    assert_eq!(told_by(&result), [0, 1, 0, 1], "{result}");
    let errors = desk.errors(&undo);
    assert!(errors.len() == 1 && errors[0].contains("field_not_writable,"), "{errors:?}");
    assert!(errors[0].contains("amount"), "{errors:?}");
    assert_eq!(desk.world.owner().get("plant", desk.plant("Oak")).unwrap()["amount"], 9);
    desk.plant("Elm");

    desk.scope = owner;
    let (_, result) = desk.undo(&second, Options::default());
    assert_eq!(told_by(&result), [0, 1, 1, 0], "{result}");
    assert_eq!(desk.world.owner().get("plant", desk.plant("Oak")).unwrap()["amount"], 1);
}
