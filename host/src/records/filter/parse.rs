//! From text to tree: the query string (`amount[gte]=1000`) and the JSON form (`{"and":[{"field":…,"op":…,"value":…}]}`).

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::path::{self, Relation};
use super::tags;
use super::{Context, DEPTH, Filter, HOPS, Has, Op, Path, RELATIONS, TESTS, operand, shown};
use crate::records::error::RecordError;
use crate::records::schema::{Entity, Kind};

/// What a test compares with, as it was written.
#[derive(Clone, Debug)]
pub(super) enum Operand<'j> {
    /// One value, or several for `in` and `nin`.
    Texts(Vec<String>),
    /// A filter on related records, for `has` and `has_no`.
    Filter(&'j Json),
}

/// The tests of a query string, all of which must hold: each key is `amount` or `amount[gte]`.
///
/// # Errors
/// [`RecordError::BadRequest`]: no such field or operator, a value that the field cannot have, or too much of it.
pub fn parse_query(
    context: &Context<'_>,
    entity: &Entity,
    tests: &[(String, String)],
) -> Result<Filter, RecordError> {
    let mut reading = Reading::new(context);
    let read = |(key, value): &(String, String)| {
        let (name, op) = match key.split_once('[') {
            None => (key.as_str(), Op::Eq),
            Some((name, rest)) => {
                let word = rest.strip_suffix(']').ok_or_else(|| unknown_parameter(entity, key))?;
                (name, Op::parse(word).ok_or_else(|| unknown_operator(key))?)
            }
        };
        let texts = match op {
            Op::In | Op::Nin => value.split(',').map(str::to_owned).collect(),
            _ => vec![value.clone()],
        };
        if !tags::asked(context, entity, name)? && path::unknown(context, entity, name)? {
            return Err(unknown_parameter(entity, key));
        }
        reading.test(entity, name, op, Operand::Texts(texts), Place::default())
    };
    Ok(Filter::And(tests.iter().map(read).collect::<Result<_, _>>()?))
}

/// A filter from its JSON form: `{"and":[…]}`, `{"or":[…]}`, `{"not":…}`, `{"field":…,"op":…,"value":…}`.
///
/// # Errors
/// [`RecordError::BadRequest`], as for the query string, or the filter is too deep or too large.
pub fn parse_json(context: &Context<'_>, entity: &Entity, json: &Json) -> Result<Filter, RecordError> {
    Reading::new(context).node(entity, json, Place::default())
}

fn unknown_parameter(entity: &Entity, key: &str) -> RecordError {
    let detail = format!("`{}` is neither a parameter nor a field of {}", shown(key), entity.object);
    RecordError::bad("unknown_parameter", detail)
}

fn unknown_operator(key: &str) -> RecordError {
    let known: Vec<&str> = Op::ALL.iter().map(|(word, _)| *word).collect();
    let detail = format!("the operator of `{}` is not one of {}", shown(key), known.join(" "));
    RecordError::bad("unknown_operator", detail)
}

fn malformed() -> RecordError {
    RecordError::bad(
        "invalid_filter",
        "a filter is {\"and\":[…]}, {\"or\":[…]}, {\"not\":…} or {\"field\",\"op\",\"value\"}, with a text, a number, true or \
         false as the value, a list of them for `in` and `nin`, a filter for `has` and `has_no`",
    )
}

/// How deep inside of a filter something stands.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    nested: usize,
    hops: usize,
}

/// A filter being read, and what it has spent.
struct Reading<'c> {
    context: &'c Context<'c>,
    tests: usize,
    relations: usize,
}

impl<'c> Reading<'c> {
    fn new(context: &'c Context<'c>) -> Self {
        Self { context, tests: 0, relations: 0 }
    }

    fn node(&mut self, entity: &Entity, json: &Json, place: Place) -> Result<Filter, RecordError> {
        if place.nested > DEPTH {
            let detail = format!("a filter nests at most {DEPTH} deep; flatten it");
            return Err(RecordError::bad("filter_too_deep", detail));
        }
        let members = json.as_object().ok_or_else(malformed)?;
        let inside = Place { nested: place.nested + 1, ..place };
        if members.len() == 1 {
            if let Some(parts) = members.get("and") {
                return Ok(Filter::And(self.parts(entity, parts, inside)?));
            }
            if let Some(parts) = members.get("or") {
                return Ok(Filter::Or(self.parts(entity, parts, inside)?));
            }
            if let Some(inner) = members.get("not") {
                return Ok(Filter::Not(Box::new(self.node(entity, inner, inside)?)));
            }
        }
        self.leaf(entity, members, place)
    }

    fn parts(&mut self, entity: &Entity, parts: &Json, place: Place) -> Result<Vec<Filter>, RecordError> {
        let parts = parts.as_array().ok_or_else(malformed)?;
        parts.iter().map(|part| self.node(entity, part, place)).collect()
    }

    fn leaf(
        &mut self,
        entity: &Entity,
        members: &Map<String, Json>,
        place: Place,
    ) -> Result<Filter, RecordError> {
        if members.keys().any(|key| !matches!(key.as_str(), "field" | "op" | "value")) {
            return Err(malformed());
        }
        let name = members.get("field").and_then(Json::as_str).ok_or_else(malformed)?;
        let op = members.get("op").map_or(Some("eq"), Json::as_str).and_then(Op::parse);
        let op = op.ok_or_else(|| unknown_operator(name))?;
        let scalar = |value: &Json| match value {
            Json::String(text) => Ok(text.clone()),
            Json::Number(_) | Json::Bool(_) => Ok(value.to_string()),
            _ => Err(malformed()),
        };
        let operand = match members.get("value") {
            Some(Json::Array(items)) if matches!(op, Op::In | Op::Nin) => {
                Operand::Texts(items.iter().map(scalar).collect::<Result<_, _>>()?)
            }
            Some(filter @ Json::Object(_)) if matches!(op, Op::Has | Op::HasNo) => Operand::Filter(filter),
            Some(value) => Operand::Texts(vec![scalar(value)?]),
            None if matches!(op, Op::Has | Op::HasNo) => Operand::Texts(vec!["true".to_owned()]),
            None => return Err(malformed()),
        };
        self.test(entity, name, op, operand, place)
    }

    /// One test. A negative one over a relation is the complement of the positive one.
    fn test(
        &mut self,
        entity: &Entity,
        name: &str,
        op: Op,
        operand: Operand<'_>,
        place: Place,
    ) -> Result<Filter, RecordError> {
        self.tests += 1;
        if self.tests > TESTS {
            let detail =
                format!("a filter has at most {TESTS} tests; use `in` for several values of a field");
            return Err(RecordError::bad("filter_too_large", detail));
        }
        if tags::asked(self.context, entity, name)? {
            return tags::test(op, &operand);
        }
        let related = name.contains('.') || matches!(op, Op::Has | Op::HasNo);
        let (op, operand, negated) = match (op, operand) {
            (Op::Ne, operand) if related => (Op::Eq, operand, true),
            (Op::Nin, operand) if related => (Op::In, operand, true),
            (Op::Empty, Operand::Texts(texts)) if related && texts == ["true"] => {
                (Op::Empty, Operand::Texts(vec!["false".to_owned()]), true)
            }
            (Op::Has | Op::HasNo, Operand::Texts(texts)) => {
                let wanted = match texts.first().map(String::as_str) {
                    Some("true") => true,
                    Some("false") => false,
                    _ => return Err(operand::truth(name, op)),
                };
                (Op::Has, Operand::Texts(texts), wanted == (op == Op::HasNo))
            }
            (Op::HasNo, operand) => (Op::Has, operand, true),
            (op, operand) => (op, operand, false),
        };
        let filter = self.walk(entity, name, name, op, &operand, place)?;
        Ok(if negated { Filter::Not(Box::new(filter)) } else { filter })
    }

    /// The test that the rest of `name` stands for on records of `entity`; `whole` is for messages.
    fn walk(
        &mut self,
        entity: &Entity,
        name: &str,
        whole: &str,
        op: Op,
        operand: &Operand<'_>,
        place: Place,
    ) -> Result<Filter, RecordError> {
        let context = self.context;
        if op == Op::Has
            && let Some(relation) = path::relation(context, entity, name)?
        {
            let place = self.hop(whole, place)?;
            let inner = match operand {
                Operand::Filter(json) => {
                    self.node(&relation.entity, json, Place { nested: place.nested + 1, ..place })?
                }
                Operand::Texts(_) => Filter::all(),
            };
            return Ok(through(relation, inner));
        }
        let Some((head, rest)) = name.split_once('.') else {
            let field = context.field(entity, name)?.ok_or_else(|| path::no_field(entity, name, whole))?;
            return operand::test(context, field, None, whole, op, operand).map(Filter::Test);
        };
        if let Some(field) = context.field(entity, head)?
            && matches!(field.kind, Kind::Address)
        {
            return operand::test(context, field, Some(rest), whole, op, operand).map(Filter::Test);
        }
        let relation =
            path::forward(context, entity, head)?.ok_or_else(|| path::no_relation(entity, head, whole))?;
        let place = self.hop(whole, place)?;
        let inner = self.walk(&relation.entity, rest, whole, op, operand, place)?;
        Ok(through(relation, inner))
    }

    fn hop(&mut self, whole: &str, place: Place) -> Result<Place, RecordError> {
        let hops = place.hops + 1;
        if hops > HOPS {
            let detail = format!(
                "`{}` lies more than {HOPS} references away; test a field that is nearer",
                shown(whole)
            );
            return Err(RecordError::bad("path_too_long", detail));
        }
        self.relations += 1;
        if self.relations > RELATIONS {
            let detail = format!(
                "with `{}` the filter looks through more than {RELATIONS} relations; put several tests on one relation \
                 into one `has` with a filter",
                shown(whole)
            );
            return Err(RecordError::bad("filter_too_costly", detail));
        }
        Ok(Place { hops, ..place })
    }
}

fn through(relation: Relation, inner: Filter) -> Filter {
    let Relation { field, target, entity: _, backwards } = relation;
    let inner = Box::new(inner);
    if backwards {
        Filter::Has(Has { referrer: target, field, inner })
    } else {
        Filter::Path(Path { field: Arc::clone(&field), target, inner })
    }
}
