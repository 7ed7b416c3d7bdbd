//! The OpenAPI document of an organization: complete, resolvable, and every operation in it is guarded.

use std::collections::BTreeSet;

use serde_json::Value;
use stoa_testkit::Host;
use stoa_tests::text;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    spec: &'a Value,
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods =
                item.as_object().unwrap().iter().filter(|(method, _)| METHODS.contains(&method.as_str()));
            methods.map(move |(method, spec)| Operation { method, path, spec })
        })
        .collect()
}

/// A path with an id in the place of every parameter.
fn filled(path: &str) -> String {
    let segment = |part: &str| {
        if part.starts_with('{') {
            "00000000-0000-7000-8000-000000000000".to_owned()
        } else {
            part.to_owned()
        }
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

#[test]
fn the_document_is_openapi_3_1_and_lists_what_the_organization_has() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let document = acme.owner().get("/openapi.json").ok();
    assert!(text(&document, "openapi").starts_with("3.1"), "{}", document["openapi"]);
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let paths: BTreeSet<&str> = operations(&document).iter().map(|operation| operation.path).collect();
    for path in [
        "/api/v1/crm/accounts",
        "/api/v1/crm/accounts/{id}",
        "/api/v1/crm/contacts",
        "/api/v1/sales/opportunities",
        "/api/v1/sales/opportunities/{id}/move",
        "/api/v1/sales/opportunities/{id}/close-won",
        "/api/v1/sales/opportunities/{id}/close-lost",
        "/api/v1/sales/opportunities/{id}/reopen",
        "/api/v1/sales/reports/win_rate",
        "/api/v1/sales/reports/sales_cycle",
        "/api/v1/sales/reports/pipeline_by_stage",
        "/api/v1/sales/reports/sales_by_owner_and_product",
        "/api/v1/imports",
        "/api/v1/jobs/{id}",
    ] {
        assert!(paths.contains(path), "{path} is not among {paths:?}");
    }
}

#[test]
fn a_module_without_a_licence_is_absent_from_the_document() {
    let host = Host::start();
    let small = host.organization("small", &[]);
    let document = small.owner().get("/openapi.json").ok();
    let sales: Vec<_> =
        operations(&document).iter().map(|o| o.path).filter(|path| path.contains("/sales/")).collect();
    assert!(sales.is_empty(), "{sales:?}");
    assert!(!document.to_string().contains("pportunit"), "a schema of the module is still there");
    assert!(operations(&document).iter().any(|operation| operation.path == "/api/v1/crm/accounts"));
}

#[test]
fn every_operation_is_named_once_and_every_reference_resolves() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let document = acme.owner().get("/openapi.json").ok();
    let mut names = BTreeSet::new();
    for Operation { method, path, spec } in operations(&document) {
        assert!(
            names.insert(text(spec, "operationId").to_owned()),
            "{method} {path}: {} twice",
            spec["operationId"]
        );
        assert!(
            spec["summary"].is_string() || spec["description"].is_string(),
            "{method} {path} says nothing"
        );
        assert!(
            spec["responses"].as_object().is_some_and(|responses| !responses.is_empty()),
            "{method} {path}"
        );
        let declared: BTreeSet<&str> = spec["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|parameter| match parameter["$ref"].as_str() {
                Some(shared) => document.pointer(shared.trim_start_matches('#')).unwrap_or(parameter),
                None => parameter,
            })
            .filter(|parameter| parameter["in"] == "path")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            assert!(declared.contains(name), "{method} {path}: {name} is not declared");
        }
    }
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads outside"));
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                references.insert(reference.clone());
            }
            members.values().for_each(|member| collect(member, references));
        }
        _ => {}
    }
}

#[test]
fn every_operation_answers_401_without_a_token() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let document = acme.owner().get("/openapi.json").ok();
    let mut guarded = 0;
    for Operation { method, path, spec } in operations(&document) {
        if spec["security"].as_array().is_some_and(Vec::is_empty) {
            // Logging in and setting up: the only operations of people without a token.
            assert!(!path.contains("/crm/") && !path.contains("/sales/"), "{method} {path} is open");
            continue;
        }
        let path = filled(path);
        let answer = acme.anonymous().call(&method.to_uppercase(), &path).send();
        assert_eq!(answer.status(), 401, "{method} {path}: {}", answer.text());
        guarded += 1;
    }
    assert!(guarded > 40, "{guarded}");
}

#[test]
fn the_interactive_page_asks_nobody_outside() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let page = acme.anonymous().get("/docs");
    page.expect(200);
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    for outside in ["src=\"http", "href=\"http", "src=\"//", "href=\"//", "@import"] {
        assert!(!page.text().contains(outside), "{outside}");
    }
}
