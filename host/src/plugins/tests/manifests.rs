//! A manifest hears of all its faults, each with its place.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Value as Json, json};

use super::read;
use crate::plugins::Manifest;

fn good() -> Json {
    serde_json::from_slice(&read("plugins/sales/manifest.json")).unwrap()
}

/// The places of the faults.
fn pointers(manifest: &[u8]) -> BTreeSet<String> {
    let installed = HashSet::from(["crm".to_owned(), "sales".to_owned(), "bad".to_owned()]);
    let Err(faults) = Manifest::parse_among(manifest, Some(&installed)) else {
        return BTreeSet::new();
    };
    faults.into_iter().map(|fault| fault.pointer).collect()
}

#[test]
fn a_bad_manifest_hears_of_every_fault_and_its_place() {
    let stated: Json = serde_json::from_slice(&read("tests/guests/bad-manifest/faults.json")).unwrap();
    let stated: BTreeSet<String> =
        stated["pointers"].as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect();
    let found = pointers(&read("tests/guests/bad-manifest/manifest.json"));
    let missed: Vec<&String> = stated.difference(&found).collect();
    let made_up: Vec<&String> = found.difference(&stated).collect();
    assert!(missed.is_empty() && made_up.is_empty(), "not found: {missed:#?}\nnot stated: {made_up:#?}");
}

#[test]
fn the_shipped_manifests_have_no_fault() {
    for path in ["plugins/crm/manifest.json", "plugins/sales/manifest.json"] {
        let manifest = Manifest::parse(&read(path)).unwrap();
        assert!(!manifest.records.entities.is_empty(), "{path}");
    }
    for path in [
        "tests/guests/hostile/manifest.json",
        "tests/guests/thief/manifest.json",
        "plugins/examples/kitchen-sink/manifest.json",
    ] {
        Manifest::parse(&read(path)).unwrap();
    }
}

#[test]
fn what_is_no_manifest_at_all_is_one_fault_of_the_whole() {
    for bad in ["", "null", "[]", "{", "{}{}", "\u{0}"] {
        assert_eq!(pointers(bad.as_bytes()), BTreeSet::from([String::new()]), "{bad:?}");
    }
    let empty = pointers(b"{}");
    for member in ["/v", "/id", "/name", "/version", "/contract"] {
        assert!(empty.contains(member), "{member}");
    }
}

#[test]
fn one_change_for_the_worse_is_one_fault_in_its_place() {
    let cases = [
        ("/id", json!("host"), "/id"),
        ("/contract", json!("10.0"), "/contract"),
        ("/contract", json!("1"), "/contract"),
        ("/version", json!("1"), "/version"),
        ("/module", json!(7), "/module"),
        ("/entities/0/fields/0/type", json!("blob"), "/entities/0/fields/0/type"),
        ("/entities/0/fields/0/required", json!("yes"), "/entities/0/fields/0/required"),
        ("/entities/0/fields/0/surprise", json!(1), "/entities/0/fields/0/surprise"),
        ("/entities/0/surprise", json!(1), "/entities/0/surprise"),
        ("/entities/0/fields/0/key", json!("_row"), "/entities/0/fields/0/key"),
        ("/entities/0/fields/0/key", json!("Name"), "/entities/0/fields/0/key"),
        ("/entities/0/fields/0/max_length", json!(-1), "/entities/0/fields/0/max_length"),
        ("/entities/0/key", json!("visible_x"), "/entities/0/key"),
        ("/entities/0/plural", json!("reports"), "/entities/0/plural"),
        ("/entities", json!({}), "/entities"),
        ("/surprise~1d", json!(1), "/surprise~1d"),
        ("/grants/0/scope", json!("galaxy"), "/grants/0/scope"),
        ("/seed/0/entity", json!("nothing"), "/seed/0/entity"),
    ];
    for (at, value, expected) in cases {
        let mut manifest = good();
        let (parent, key) = at.rsplit_once('/').unwrap();
        manifest.pointer_mut(parent).unwrap()[key.replace("~1", "/").as_str()] = value.clone();
        let found = pointers(&serde_json::to_vec(&manifest).unwrap());
        assert!(found.contains(expected), "{at} = {value}: {found:?}");
    }
}
