//! The engine's part: keys in step with rows, writes that meet their likes, sets that grow and are dismissed.

mod checks;
mod pure;
mod together;
mod writes;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::check::{self, Subjects};
use super::rule::Rule;
use crate::ids::OrganizationId;
use crate::records::RecordError;
use crate::records::schema::{Entity, Field, Kind, Module, Operations, Parts};
use crate::records::tests::garden::{PLUGIN, field, module};
use crate::records::tests::world::{Desk, World};

pub(super) fn rules(policy: &str) -> Vec<Rule> {
    serde_json::from_value(json!([
        {
            "key": "mail", "label": "Same e-mail address", "criteria": [{ "field": "email", "kind": "email" }],
            "on": { "create": policy, "update": policy, "import": policy }
        },
        {
            "key": "name", "label": "Same name and number", "threshold": 80,
            "criteria": [
                { "field": "name", "kind": "person", "method": "jaro_winkler", "threshold": 85, "weight": 3 },
                { "field": "phone", "kind": "phone", "weight": 1, "null_matches": true }
            ]
        },
        { "key": "firm", "label": "Same company", "criteria": [{ "field": "firm", "kind": "company" }] }
    ]))
    .unwrap()
}

pub(super) fn person_fields() -> Vec<Field> {
    vec![
        field("name", Kind::Text),
        field("email", Kind::Email),
        field("phone", Kind::Phone),
        field("firm", Kind::Text),
    ]
}

pub(super) fn person(rules: Vec<Rule>) -> Arc<Entity> {
    named("person", person_fields(), rules)
}

pub(super) fn named(key: &str, fields: Vec<Field>, duplicates: Vec<Rule>) -> Arc<Entity> {
    let parts = Parts {
        key: key.to_owned(),
        plural: format!("{key}s"),
        label: key.to_owned(),
        title: Some("name".to_owned()),
        fields,
        hooks: std::collections::HashSet::new(),
        operations: Operations { create: true, update: true, delete: true },
        duplicates,
    };
    Arc::new(Entity::new(PLUGIN, parts))
}

pub(super) fn people(policy: &str) -> Arc<Module> {
    module("1", vec![person(rules(policy))], Vec::new())
}

pub(super) fn world(policy: &str) -> World {
    World::of(OrganizationId::new(), people(policy))
}

pub(super) fn conflict<T: std::fmt::Debug>(outcome: Result<T, RecordError>) -> (String, Json, Json) {
    match outcome {
        Err(RecordError::Conflict { code, extra, .. }) => {
            (code.into_owned(), extra["duplicates"].clone(), extra["hidden"].clone())
        }
        other => panic!("{other:?} is no conflict"),
    }
}

pub(super) fn ids(listed: &Json) -> BTreeSet<String> {
    listed.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

pub(super) fn checked(desk: &Desk<'_>, payload: Json) -> Json {
    let Json::Object(members) = payload else { panic!("no object") };
    let entity = desk.world.entity("person");
    let subjects = Subjects::Records(vec![members]);
    let found = check::check(&desk.world.records, &desk.scope, &entity, &subjects).unwrap();
    assert_eq!(found["complete"], true);
    found["data"][0].clone()
}

pub(super) fn because<'w>(desk: Desk<'w>, reason: &str) -> Desk<'w> {
    let mut desk = desk;
    desk.scope.allow_duplicates = Some(reason.into());
    desk
}
