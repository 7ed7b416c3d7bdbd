//! A plugin that uses everything there is, and a walk over every operation of the document that the host makes of it: what
//! the document promises is served, what it does not allow is refused, and nothing breaks the host. A field type or an
//! attribute without support fails here.
//!
//! The plugin is `plugins/examples/kitchen-sink`; its package lies in the folder named by `STOA_GUESTS`, which
//! `cargo xtask test` sets.

use serde_json::Value;
use stoa_testkit::{Host, Organization};

use crate::walk::call::{self, requests};
use crate::walk::document::{Document, Operation};
use crate::walk::world::World;
use crate::walk::{Faults, fields, travel, twist};

/// A host with the guests, or the line that says why a story is skipped.
fn host() -> Option<Host> {
    let folder = std::env::var_os("STOA_GUESTS").map(std::path::PathBuf::from);
    let packages = folder.filter(|folder| folder.join("kitchen").is_dir());
    if packages.is_none() {
        println!("skipped: STOA_GUESTS names no packages; `cargo xtask test` builds them");
    }
    packages.map(|packages| Host::start_with(&packages))
}

fn document(organization: &Organization<'_>) -> Document {
    Document::new(organization.owner().get("/openapi.json").ok())
}

/// The operations on records and of plugins, not those of the host's own resources.
fn of_modules(document: &Document) -> Vec<Operation<'_>> {
    let tags = ["crm", "kitchen"];
    let ours = |one: &Operation<'_>| {
        one.spec["tags"].get(0).and_then(Value::as_str).is_some_and(|tag| tags.contains(&tag))
    };
    document.operations().into_iter().filter(ours).collect()
}

/// Whether an operation cannot succeed on what only plugin code writes: such a record is in no recycle bin that the walk
/// could put it into.
fn closed(document: &Document, operation: &Operation<'_>) -> bool {
    let bin = operation.path.strip_suffix("/restore").or(operation.path.strip_suffix("/purge"));
    bin.is_some_and(|record| document.find("delete", record).is_none())
}

#[test]
fn every_operation_serves_its_example_as_it_is_documented() {
    let Some(host) = host() else { return };
    let sink = host.organization("sink", &["kitchen"]);
    let document = document(&sink);
    let (world, faults) = (World::new(&document, sink.owner()), Faults::default());
    let mut served = 0;
    // What only the plugin writes comes with the first dish.
    world.create("/api/v1/kitchen/dishes", "smallest");
    for operation in of_modules(&document) {
        for request in requests(&world, &operation) {
            let answer = request.send(&world);
            if let Some(objection) = document.objects(&operation, &answer) {
                faults.add(format!("{}: {objection}", operation.name()));
            } else if operation.can_succeed()
                && !(200..300).contains(&answer.status())
                && !closed(&document, &operation)
            {
                faults.add(format!("{}: {} {}", operation.name(), answer.status(), answer.text()));
            } else {
                served += 1;
            }
        }
    }
    faults.none();
    assert!(served > 60, "{served}");
}

#[test]
fn whatever_the_document_does_not_allow_is_refused_with_a_documented_problem() {
    let Some(host) = host() else { return };
    let sink = host.organization("sink", &["kitchen"]);
    let document = document(&sink);
    let (world, faults) = (World::new(&document, sink.owner()), Faults::default());
    for operation in of_modules(&document).into_iter().filter(|one| one.spec["tags"][0] == "kitchen") {
        let Some(request) = requests(&world, &operation).pop() else { continue };
        twist::all(&world, &operation, &request, &faults);
    }
    faults.none();
    assert!(!host.log().contains("panicked"), "a handler panicked");
}

#[test]
fn every_field_is_written_read_back_filtered_and_sorted_by() {
    let Some(host) = host() else { return };
    let sink = host.organization("sink", &["kitchen"]);
    let document = document(&sink);
    let (world, faults) = (World::new(&document, sink.owner()), Faults::default());
    let operations = of_modules(&document);
    let lists = operations.iter().filter(|one| one.method == "get").map(|one| one.path);
    let collections: Vec<&str> = lists.filter(|path| call::is_entity(&world, path)).collect();
    assert!(collections.len() >= 6, "{collections:?}");
    for address in collections {
        fields::all(&world, address, &faults);
    }
    faults.none();
}

#[test]
fn every_field_goes_out_as_a_file_and_comes_in_again() {
    let Some(host) = host() else { return };
    let sink = host.organization("sink", &["kitchen"]);
    let document = document(&sink);
    let (world, faults) = (World::new(&document, sink.owner()), Faults::default());
    let operations = of_modules(&document);
    let lists = operations.iter().filter(|one| one.method == "get").map(|one| one.path);
    let collections: Vec<&str> =
        lists.filter(|path| path.contains("/kitchen/") && call::is_entity(&world, path)).collect();
    assert!(collections.len() >= 4, "{collections:?}");
    for address in collections {
        travel::all(&world, address, &faults);
    }
    faults.none();
}

#[test]
fn every_operation_of_the_host_answers_as_it_is_documented() {
    let Some(host) = host() else { return };
    let sink = host.organization("sink", &["kitchen"]);
    let document = document(&sink);
    let (world, faults) = (World::new(&document, sink.owner()), Faults::default());
    let modules: Vec<String> = of_modules(&document).iter().map(Operation::name).collect();
    for operation in document.operations().into_iter().filter(|one| !modules.contains(&one.name())) {
        for request in requests(&world, &operation) {
            let answer = request.send(&world);
            if let Some(objection) = document.objects(&operation, &answer) {
                faults.add(format!("{}: {objection}", operation.name()));
            } else if answer.status() >= 500 {
                faults.add(format!("{}: {} {}", operation.name(), answer.status(), answer.text()));
            }
        }
    }
    faults.none();
}

#[test]
fn the_document_is_valid_openapi_and_the_same_for_the_same_configuration() {
    let Some(host) = host() else { return };
    let sink = host.organization("sink", &["kitchen"]);
    let twin = host.organization("twin", &["kitchen"]);
    let (text, other) = (sink.owner().get("/openapi.json").text(), twin.owner().get("/openapi.json").text());
    assert_eq!(text, sink.owner().get("/openapi.json").text(), "asked twice");
    assert_eq!(text.replacen("/t/sink", "/t/twin", 1), other, "another organization with the same modules");
    let document: Value = serde_json::from_str(&text).unwrap();
    let official: Value = serde_json::from_str(include_str!("../fixtures/openapi-3.1.schema.json")).unwrap();
    let official = jsonschema::validator_for(&official).unwrap();
    let faults = Faults::default();
    for error in official.iter_errors(&document) {
        faults.add(format!("{}: {error}", error.instance_path()));
    }
    schemas(&document, "", &faults);
    faults.none();
    assert!(!host.log().contains("use the same name"), "a part of the document hides one of another");
}

/// Everything that stands as `schema`, and every shared one, is a schema.
fn schemas(value: &Value, at: &str, faults: &Faults) {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => {
            members.iter().map(|(key, member)| (format!("{at}/{key}"), member)).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().map(|(n, item)| (format!("{at}/{n}"), item)).collect()
        }
        _ => Vec::new(),
    };
    for (at, member) in members {
        let shared = at.strip_prefix("/components/schemas/").is_some_and(|name| !name.contains('/'));
        if (shared || at.ends_with("/schema")) && !jsonschema::draft202012::meta::is_valid(member) {
            faults.add(format!("{at} is no JSON Schema: {member}"));
        }
        schemas(member, &at, faults);
    }
}
