//! The documents of the shipped manifests.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::read;
use crate::plugins::{Manifest, openapi};

const SHIPPED: [&str; 2] = ["plugins/crm/manifest.json", "plugins/sales/manifest.json"];

fn documents() -> Vec<Json> {
    SHIPPED.iter().map(|path| openapi::document(&Manifest::parse(&read(path)).unwrap())).collect()
}

/// Every operation with its path and method.
fn operations(document: &Json) -> Vec<(String, Json)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, methods): (&String, &Json)| {
        let methods = methods.as_object().unwrap().clone();
        let path = path.clone();
        methods.into_iter().map(move |(method, operation)| (format!("{method} {path}"), operation))
    };
    paths.iter().flat_map(of_path).collect()
}

#[test]
fn operation_ids_are_unique_over_all_plugins() {
    let mut seen = BTreeSet::new();
    for (at, operation) in documents().iter().flat_map(operations) {
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{at}: {id}");
        assert!(seen.insert(id.clone()), "{at}: {id} stands twice");
    }
    assert!(seen.len() > 20);
}

#[test]
fn every_path_parameter_is_declared_and_every_schema_that_is_named_exists() {
    let schemas: BTreeSet<String> = documents()
        .iter()
        .flat_map(|document| {
            document["components"]["schemas"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        })
        .collect();
    for document in documents() {
        for (at, operation) in operations(&document) {
            let named: Vec<&str> = operation["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|one| one["in"] == "path")
                .map(|one| one["name"].as_str().unwrap())
                .collect();
            let expected: &[&str] = if at.contains("{id}") { &["id"] } else { &[] };
            assert_eq!(named, expected, "{at}");
            assert!(
                operation["responses"].as_object().is_some_and(|all| all.contains_key("default")),
                "{at}"
            );
        }
        let text = document.to_string();
        for (at, _) in text.match_indices("#/components/schemas/") {
            let name = text[at..].split('"').next().unwrap().rsplit('/').next().unwrap();
            assert!(schemas.contains(name) || name == "Problem", "{name}");
        }
    }
}

#[test]
fn parameters_of_an_operation_are_named_once() {
    for (at, operation) in documents().iter().flat_map(operations) {
        let mut seen = BTreeSet::new();
        for one in operation["parameters"].as_array().into_iter().flatten() {
            assert!(seen.insert((one["in"].to_string(), one["name"].to_string())), "{at}: {one}");
        }
    }
}
