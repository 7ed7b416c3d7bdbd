//! The documents that the repository's manifests turn into.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value as Json, json};

use super::{Document, Offer};
use crate::plugins::Manifest;

const MANIFESTS: [&str; 3] = [
    "plugins/crm/manifest.json",
    "plugins/sales/manifest.json",
    "plugins/examples/kitchen-sink/manifest.json",
];

fn manifest(path: &str) -> Manifest {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    Manifest::parse(&std::fs::read(path).unwrap()).unwrap()
}

fn spec() -> String {
    json!({
        "openapi": "3.0.0", "info": {"title": "x", "version": "1"}, "servers": [], "tags": [{"name": "host"}],
        "paths": {
            "/api/v1/me": {"get": {"security": [{"bearer": []}], "responses": {}}},
            "/api/v1/auth/login": {"post": {"responses": {}}},
        },
        "components": {"schemas": {"Problem": {"type": "object"}}},
    })
    .to_string()
}

/// The document of an organization that has these plugins.
fn document(paths: &[&str]) -> Json {
    let manifests: Vec<Manifest> = paths.iter().map(|path| manifest(path)).collect();
    let offers: Vec<Offer<'_>> = manifests
        .iter()
        .map(|manifest| Offer { module: &manifest.records, manifest: Some(manifest) })
        .collect();
    serde_json::from_str(&Document::new(&spec()).unwrap().text(&offers)).unwrap()
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

/// What a `$ref` stands for, or the thing itself.
fn resolved<'a>(document: &'a Json, one: &'a Json) -> &'a Json {
    match one["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => one,
    }
}

#[test]
fn the_document_holds_the_host_and_the_given_modules_only() {
    let small = document(&[]);
    assert_eq!(small["openapi"], "3.1.0");
    assert_eq!(small["paths"].as_object().unwrap().len(), 2);
    assert_eq!(small["paths"]["/api/v1/auth/login"]["post"], json!({"responses": {}, "security": []}));
    let whole = document(&MANIFESTS);
    assert!(whole["paths"].get("/api/v1/kitchen/dishes/{id}").is_some());
    assert_eq!(whole["components"]["schemas"]["Problem"], json!({"type": "object"}));
    let tags: Vec<&str> =
        whole["tags"].as_array().unwrap().iter().filter_map(|tag| tag["name"].as_str()).collect();
    assert_eq!(tags, ["host", "crm", "sales", "kitchen"]);
}

#[test]
fn the_same_configuration_makes_the_same_bytes() {
    let made = || document(&MANIFESTS).to_string();
    assert_eq!(made(), made());
}

#[test]
fn operation_ids_are_names_and_stand_once() {
    let mut seen = BTreeSet::new();
    for (at, operation) in
        operations(&document(&MANIFESTS)).into_iter().filter(|(_, one)| !one["tags"].is_null())
    {
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{at}: {id}");
        assert!(seen.insert(id.clone()), "{at}: {id} stands twice");
    }
    assert!(seen.len() > 100, "{}", seen.len());
}

#[test]
fn every_path_parameter_is_declared_and_everything_that_is_named_exists() {
    let document = document(&MANIFESTS);
    for (at, operation) in operations(&document) {
        let mut seen = BTreeSet::new();
        let mut named = Vec::new();
        for one in operation["parameters"].as_array().into_iter().flatten() {
            let one = resolved(&document, one);
            assert!(
                seen.insert((one["in"].to_string(), one["name"].to_string())),
                "{at}: {one} stands twice"
            );
            if one["in"] == "path" {
                named.push(format!("{{{}}}", one["name"].as_str().unwrap()));
            }
        }
        let expected: Vec<&str> = at.split('/').filter(|part| part.starts_with('{')).collect();
        assert_eq!(named, expected, "{at}");
    }
    let text = document.to_string();
    for (at, _) in text.match_indices("\"#/components/") {
        let reference = text[at + 1..].split('"').next().unwrap();
        assert!(document.pointer(&reference[1..]).is_some(), "{reference} points at nothing");
    }
}

#[test]
fn every_operation_refuses_those_without_a_token_and_says_what_it_answers() {
    let document = document(&MANIFESTS);
    for (at, operation) in operations(&document).into_iter().filter(|(_, one)| !one["tags"].is_null()) {
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.contains_key("401") && !responses.contains_key("default"), "{at}");
        assert!(responses.keys().any(|status| status.starts_with('2') || status == "501"), "{at}");
        for (status, response) in responses {
            assert!(resolved(&document, response)["description"].is_string(), "{at} {status}");
        }
    }
}
