//! A module made by hand: one entity with every kind of field, and others that refer to it under each rule.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::json;

use crate::records::schema::{
    Choice, Entity, Field, Kind, Module, OnDelete, Operations, Parts, Step, Target,
};
use crate::records::tx::Hook;

/// The plugin's id.
pub(crate) const PLUGIN: &str = "garden";

pub(crate) fn field(key: &str, kind: Kind) -> Field {
    Field {
        key: key.into(),
        kind,
        column: 0,
        required: false,
        required_when: None,
        unique: false,
        indexed: false,
        searchable: 0,
        class: crate::policy::Label::Internal,
        custom: false,
        inverse: None,
        read_only: false,
        min: None,
        max: None,
        min_length: None,
        max_length: 200,
        default: None,
        label: key.to_owned(),
        help: String::new(),
        json_key: crate::records::json::json_key(key),
    }
}

fn refers(key: &str, to: &str, rule: OnDelete) -> Field {
    field(key, Kind::Reference(Target { plugin: PLUGIN.into(), entity: to.into() }, rule))
}

fn named() -> Field {
    Field { required: true, indexed: true, ..field("name", Kind::Text) }
}

/// The fields of `tree`: every kind there is.
pub(crate) fn tree_fields() -> Vec<Field> {
    let choice = |key: &str, label: &str| Choice { key: key.into(), label: label.into(), archived: false };
    let colors = vec![choice("red", "Red"), choice("green", "Green"), choice("blue", "Deep blue")];
    vec![
        named(),
        field("body", Kind::RichText),
        field("amount", Kind::Integer),
        Field { indexed: true, ..field("ratio", Kind::Decimal(3)) },
        field("price", Kind::Money),
        field("share", Kind::Percent),
        field("done", Kind::Boolean),
        field("day", Kind::Date),
        field("at", Kind::DateTime),
        field("spell", Kind::Duration),
        field("color", Kind::Option(colors)),
        refers("root", "tree", OnDelete::Cascade),
        refers("parent", "tree", OnDelete::Cascade),
        field("email", Kind::Email),
        field("phone", Kind::Phone),
        field("site", Kind::Url),
        field("extra", Kind::Json),
        Field { unique: true, max_length: 20, ..field("code", Kind::Text) },
        Field { read_only: true, ..field("stamp", Kind::Integer) },
        Field { default: Some(json!(5)), min: Some(0), max: Some(9), ..field("rank", Kind::Integer) },
    ]
}

pub(crate) fn entity(key: &str, fields: Vec<Field>, hooks: &[Hook]) -> Arc<Entity> {
    let parts = Parts {
        key: key.to_owned(),
        plural: format!("{key}s"),
        label: key.to_owned(),
        title: Some("name".to_owned()),
        fields,
        hooks: hooks.iter().copied().collect(),
        operations: Operations { create: true, update: true, delete: true },
        duplicates: Vec::new(),
    };
    Arc::new(Entity::new(PLUGIN, parts))
}

/// A module of these entities; `version` changes its fingerprint.
pub(crate) fn module(version: &str, entities: Vec<Arc<Entity>>, private: Vec<Step>) -> Arc<Module> {
    let tables: HashSet<String> = entities.iter().map(|entity| entity.key.to_string()).collect();
    Arc::new(Module {
        plugin: PLUGIN.into(),
        version: "1.0.0".into(),
        entities,
        private,
        tables: Arc::new(tables),
        fingerprint: version.into(),
        may_act_as_plugin: true,
        between: crate::records::schema::Between::default(),
    })
}

/// The whole garden: `leaf` goes with its tree, `note` loses it, `nest` holds it back.
pub(crate) fn garden() -> Arc<Module> {
    let other = |key: &str, rule| entity(key, vec![named(), refers("tree", "tree", rule)], &Hook::ALL);
    let entities = vec![
        entity("tree", tree_fields(), &Hook::ALL),
        other("leaf", OnDelete::Cascade),
        other("note", OnDelete::Detach),
        other("nest", OnDelete::Restrict),
    ];
    module("1", entities, Vec::new())
}
