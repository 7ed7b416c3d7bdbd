//! The published JSON Schema and the types here know the same members.

use super::*;
use serde_json::json;

/// Every key that `schema` knows under `properties`, which must be the keys of `value`.
fn same_keys(schema: &Value, value: &Value) {
    let known: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    let used: Vec<&String> = value.as_object().unwrap().keys().collect();
    let sorted = |mut keys: Vec<&String>| {
        keys.sort();
        keys.into_iter().cloned().collect::<Vec<_>>()
    };
    assert_eq!(sorted(known), sorted(used));
    assert_eq!(schema["additionalProperties"], json!(false));
}

/// One that asks for everything.
fn limits() -> Limits {
    let (one, times) = (Some(1), Times { cpu_ms: Some(1), wall_ms: Some(1) });
    Limits {
        hook: times,
        action: times,
        report: times,
        memory_mib: one,
        host_calls: one,
        rows: one,
        result_kib: one,
        log_kib: one,
    }
}

#[test]
fn limits_that_are_the_usual_are_not_said() {
    assert_eq!(serde_json::to_value(Limits::default()).unwrap(), json!({}));
    let said = Limits { memory_mib: Some(128), ..Limits::default() };
    assert_eq!(serde_json::to_value(said).unwrap(), json!({ "memory_mib": 128 }));
    assert_eq!(serde_json::from_value::<Limits>(json!({ "memory_mib": 128 })).unwrap(), said);
}

#[test]
fn the_published_schema_knows_exactly_the_members_of_a_manifest() {
    let schema: Value = serde_json::from_str(include_str!("../../manifest.schema.json")).unwrap();
    let field = Field {
        min: Some(0),
        max: Some(1),
        min_length: Some(0),
        max_length: Some(1),
        scale: Some(2),
        references: Some(String::new()),
        inverse: Some(String::new()),
        format: Some(String::new()),
        on_delete: Some(String::new()),
        default: Some(json!(1)),
        ..Field::default()
    };
    let definitions = &schema["$defs"];
    same_keys(&definitions["field"], &serde_json::to_value(field).unwrap());
    let text = String::new;
    let column =
        Column { key: text(), kind: text(), scale: Some(1), references: Some(text()), label: text() };
    same_keys(&definitions["column"], &serde_json::to_value(column).unwrap());
    let manifest = Manifest {
        v: 1,
        id: text(),
        name: text(),
        version: text(),
        contract: text(),
        module: None,
        requires: vec![],
        permissions: vec![],
        entities: vec![],
        private: vec![],
        actions: vec![],
        reports: vec![],
        grants: vec![],
        settings: vec![],
        seed: vec![],
        demo: vec![],
        views: vec![View { name: text(), entity: text(), columns: vec![] }],
        reads: vec![Reading::of("p", "v", &[])],
        limits: limits(),
    };
    same_keys(&schema, &serde_json::to_value(manifest).unwrap());
    same_keys(&definitions["grant"], &serde_json::to_value(Grant::new("r", "own", "a.b", &[])).unwrap());
    same_keys(&definitions["limits"], &serde_json::to_value(limits()).unwrap());
    same_keys(&definitions["times"], &serde_json::to_value(limits().hook).unwrap());
    let view = View { name: text(), entity: text(), columns: vec![] };
    same_keys(&definitions["view"], &serde_json::to_value(view).unwrap());
    same_keys(&definitions["reading"], &serde_json::to_value(Reading::of("p", "v", &[])).unwrap());
    same_keys(&definitions["step"], &serde_json::to_value(Step::new("0001", "")).unwrap());
    same_keys(&definitions["seed"], &serde_json::to_value(Seed::new("e", vec![])).unwrap());
}
