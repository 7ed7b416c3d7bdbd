//! The part of the filter language that plugins use in `find`, on rows in memory.

use std::cmp::Ordering;

use serde_json::Value;

use crate::cells::{Cell, Reader};
use crate::error::{Refusal, Result};
use crate::id::RecordId;
use crate::manifest::Entity;

fn position(entity: &Entity, key: &str) -> Result<usize> {
    let at = entity.fields.iter().position(|field| field.key == key);
    at.ok_or_else(|| Refusal::failed("unknown_field", format!("{} has no field {key}", entity.key)))
}

fn cell(fields: &[Vec<u8>], at: usize) -> Cell<'_> {
    fields.get(at).and_then(|packed| Reader::new(packed).cell().ok()).unwrap_or(Cell::Null)
}

fn same(cell: Cell<'_>, value: &Value) -> bool {
    match (cell, value) {
        (Cell::Integer(cell), Value::Bool(value)) => (cell != 0) == *value,
        (Cell::Integer(cell), value) => value.as_i64() == Some(cell),
        (Cell::Text(cell), Value::String(value)) => cell == value,
        (Cell::Blob(cell), Value::String(value)) => {
            value.parse::<RecordId>().is_ok_and(|id| id.as_bytes().as_slice() == cell)
        }
        _ => false,
    }
}

/// Conditions that all must hold: `eq`, `in`, `empty`.
pub(super) struct Filter(Vec<(usize, String, Value)>);

impl Filter {
    pub(super) fn parse(entity: &Entity, text: &str) -> Result<Self> {
        let json: Value =
            if text.is_empty() { Value::Null } else { serde_json::from_str(text).unwrap_or_default() };
        let conditions = json.get("and").and_then(Value::as_array).into_iter().flatten();
        let mut parsed = Vec::new();
        for condition in conditions {
            let part = |key: &str| condition.get(key).and_then(Value::as_str).unwrap_or_default();
            if !["eq", "in", "empty"].contains(&part("op")) {
                return Err(Refusal::failed(
                    "unknown_operator",
                    format!("in memory there is no `{}`", part("op")),
                ));
            }
            let value = condition.get("value").cloned().unwrap_or_default();
            parsed.push((position(entity, part("field"))?, part("op").to_owned(), value));
        }
        Ok(Self(parsed))
    }

    pub(super) fn fits(&self, fields: &[Vec<u8>]) -> bool {
        self.0.iter().all(|(at, op, value)| {
            let cell = cell(fields, *at);
            match op.as_str() {
                "eq" => same(cell, value),
                "in" => value.as_array().is_some_and(|values| values.iter().any(|value| same(cell, value))),
                _ => (cell == Cell::Null) == value.as_bool().unwrap_or(true),
            }
        })
    }
}

/// `-amount,name`
pub(super) struct Order(Vec<(usize, bool)>);

impl Order {
    pub(super) fn parse(entity: &Entity, text: &str) -> Result<Self> {
        let keys = text.split(',').filter(|key| !key.is_empty());
        let key = |key: &str| match key.strip_prefix('-') {
            Some(key) => Ok((position(entity, key)?, true)),
            None => Ok((position(entity, key)?, false)),
        };
        keys.map(key).collect::<Result<_>>().map(Self)
    }

    pub(super) fn compare(&self, a: &[Vec<u8>], b: &[Vec<u8>]) -> Ordering {
        let by_key = self.0.iter().map(|(at, down)| {
            let ordering = compare(cell(a, *at), cell(b, *at));
            if *down { ordering.reverse() } else { ordering }
        });
        by_key.fold(Ordering::Equal, Ordering::then)
    }
}

fn compare(a: Cell<'_>, b: Cell<'_>) -> Ordering {
    match (a, b) {
        (Cell::Integer(a), Cell::Integer(b)) => a.cmp(&b),
        (Cell::Text(a), Cell::Text(b)) => a.cmp(b),
        (Cell::Blob(a), Cell::Blob(b)) => a.cmp(b),
        (Cell::Null, Cell::Null) => Ordering::Equal,
        (Cell::Null, _) => Ordering::Less,
        (_, Cell::Null) => Ordering::Greater,
        _ => Ordering::Equal,
    }
}
