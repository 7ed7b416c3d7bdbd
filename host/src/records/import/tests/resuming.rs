//! Imports that stop, run again, meet the same record twice, or only pretend.

use std::fmt::Write as _;

use super::*;
use crate::records::Fault;
use crate::records::tx::Hook;
use crate::records::value::Value;

fn numbered(rows: usize) -> String {
    (0..rows).fold("name\n".to_owned(), |mut file, row| {
        let _ = writeln!(file, "n{row}");
        file
    })
}

#[test]
fn a_second_run_of_the_same_job_doubles_nothing() {
    let desk = Desk::new();
    let job = desk.submit(&plain(), numbered(1_203).as_bytes()).unwrap();
    assert_eq!(counts(&desk.run(&job)), [1_203, 0, 0]);
    assert_eq!(counts(&desk.run(&job)), [1_203, 0, 0]);
    assert_eq!(desk.trees(), 1_203);
}

#[test]
fn a_run_that_ended_after_a_batch_goes_on_behind_it() {
    let mut desk = Desk::new();
    let mut file = numbered(700);
    file.push_str("\"\"\nlast\n");
    let job = desk.submit(&plain(), file.as_bytes()).unwrap();
    // The second batch ends in a panic, as if the host had died.
    desk.hooks = Script::new(|_, hook, entity, drafts| {
        let name = entity.field("name").unwrap().column;
        let died = drafts.iter().any(|draft| draft.after[name] == Value::Text("n600".into()));
        assert!(!(hook == Hook::AfterCreate && died), "dies");
        Ok(())
    });
    let runtime = desk.world.runtime.enter();
    assert!(desk.imports.run(&job, &desk.scope, &desk.hooks).is_err());
    drop(runtime);
    assert_eq!(desk.trees(), 500);

    desk.hooks = Arc::clone(&desk.script) as _;
    assert_eq!(counts(&desk.run(&job)), [701, 0, 1]);
    assert_eq!(desk.trees(), 701);
    assert_eq!(desk.world.number("select count(distinct name) from tree"), 701);
    assert_eq!(brief(&desk.errors(&job)), ["702,name,required"]);
}

#[test]
fn one_external_id_twice_in_a_file_is_one_record_that_changes() {
    let desk = Desk::new();
    let file = "id,name,amount\n1,a,1\n2,b,2\n1,c,3\n2,b,2\n1,d,\n,e,5\n";
    let job = desk.submit(&upsert(), file.as_bytes()).unwrap();
    assert_eq!(counts(&desk.run(&job)), [2, 3, 1]);
    assert_eq!(brief(&desk.errors(&job)), ["7,id,required"]);
    assert_eq!(desk.names(), ["b", "d"]);
    assert_eq!(
        desk.world.number("select count(*) from tree where name = 'd' and amount is null and version = 3"),
        1
    );
    assert_eq!(desk.world.number("select count(*) from tree where name = 'b' and version = 1"), 1);

    // The same file again changes what it finds, in its order, and makes nothing.
    assert_eq!(desk.import(&upsert(), file), [0, 5, 1]);
    assert_eq!(desk.trees(), 2);
    let skipping = json!({
        "entity": "garden.tree", "mode": "upsert", "external_id": { "source": "old", "column": "id" },
        "mapping": { "name": { "column": "name" }, "amount": { "column": "amount", "empty": "skip" } },
    });
    assert_eq!(desk.import(&skipping, "id,name,amount\n2,z,\n"), [0, 1, 0]);
    assert_eq!(desk.world.number("select amount from tree where name = 'z'"), 2);
}

#[test]
fn in_mode_create_an_external_id_that_is_taken_is_a_fault() {
    let desk = Desk::new();
    let mut spec = upsert();
    spec["mode"] = json!("create");
    let job = desk.submit(&spec, b"id,name,amount\n1,a,1\n1,b,2\n").unwrap();
    assert_eq!(counts(&desk.run(&job)), [1, 0, 1]);
    assert_eq!(brief(&desk.errors(&job)), ["3,id,not_unique"]);
}

#[test]
fn a_dry_run_tells_everything_and_leaves_nothing() {
    let desk = Desk::new();
    let mut spec = upsert();
    spec["dry_run"] = json!(true);
    let job = desk.submit(&spec, b"id,name,amount\n1,a,1\n2,,2\n3,c,x\n").unwrap();
    let before = desk.world.number("select count(*) from _stoa_changes");
    assert_eq!(counts(&desk.run(&job)), [1, 0, 2]);
    for table in [
        "select count(*) from tree",
        "select count(*) from _stoa_external_ids",
        "select count(*) from _stoa_import",
        "select count(*) from _stoa_import_errors",
    ] {
        assert_eq!(desk.world.number(table), 0, "{table}");
    }
    assert_eq!(desk.world.number("select count(*) from _stoa_changes"), before);
    let result = desk.run(&job);
    let listed: Vec<String> = result["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{} {}", one["line"], one["code"]))
        .collect();
    assert_eq!(listed, ["3 \"required\"", "4 \"wrong_type\""]);
    assert!(desk.script.hooks().contains(&Hook::AfterCreate));
    assert_eq!(desk.import(&upsert(), "id,name,amount\n1,a,1\n"), [1, 0, 0]);
}

#[test]
fn a_batch_that_a_hook_refuses_as_a_whole_loses_only_the_row_that_causes_it() {
    let mut desk = Desk::new();
    desk.hooks = Script::new(|_, hook, entity, drafts| {
        let name = entity.field("name").unwrap().column;
        let bad = drafts.iter().any(|draft| draft.after[name] == Value::Text("n7".into()));
        if hook == Hook::AfterCreate && bad {
            return Err(RecordError::Invalid(vec![Fault::at("name", "refused", "not this one")]));
        }
        Ok(())
    });
    let job = desk.submit(&plain(), numbered(20).as_bytes()).unwrap();
    assert_eq!(counts(&desk.run(&job)), [19, 0, 1]);
    assert_eq!(brief(&desk.errors(&job)), ["9,name,refused"]);
    assert_eq!(desk.trees(), 19);
}
