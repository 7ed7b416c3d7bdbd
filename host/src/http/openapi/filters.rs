//! How lists are asked: a filter for each field with the operators of its kind, the orders, the members shown.

use serde_json::{Map, Value as Json, json};

use super::parameters::{list, shared_parameter};
use crate::records::filter::{LIST, Op, PATTERN, operators};
use crate::records::schema::{Entity, Field, Kind};

/// How a filter on a field of records is written in an address.
const HOW: &str = "`field[op]=value`; `field=value` is short for `field[eq]=value`. A path names a related record's \
                   field: `account.industry=software`.";

/// What a value of the kind is compared with, as it stands in an address.
fn operand(kind: &Kind) -> Json {
    let id = || json!({ "type": "string", "format": "uuid" });
    match kind {
        Kind::Integer | Kind::Duration => json!({ "type": "integer", "format": "int64" }),
        Kind::Decimal(_) | Kind::Percent => json!({ "type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$" }),
        Kind::Money => json!({
            "type": "string",
            "pattern": r"^-?[0-9]+(\.[0-9]+)?( [A-Z]{3})?$",
            "description": "An amount in the organization's currency, or in one that is named: `1000 EUR`",
        }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Date => json!({ "type": "string", "format": "date" }),
        Kind::DateTime => json!({ "type": "string", "format": "date-time" }),
        Kind::Option(choices) | Kind::Options(choices) => {
            let keys: Vec<&str> = choices.iter().map(|choice| choice.key.as_str()).collect();
            json!({ "type": "string", "enum": keys })
        }
        Kind::Reference(..) | Kind::References(..) | Kind::File => id(),
        _ => json!({ "type": "string", "minLength": 1 }),
    }
}

fn operator(kind: &Kind, op: Op) -> Json {
    match op {
        Op::Empty => json!({ "type": "boolean" }),
        Op::In | Op::Nin => {
            json!({ "type": "string", "description": format!("Values between commas, {LIST} at most") })
        }
        Op::Within => {
            json!({ "type": "string", "description": "`today`, `this_month`, `last_30_days`, `next_fiscal_quarter`, …" })
        }
        Op::Contains | Op::Starts if !matches!(kind, Kind::Options(_) | Kind::References(..)) => {
            json!({ "type": "string", "minLength": 1, "maxLength": PATTERN })
        }
        _ => operand(kind),
    }
}

fn filter(field: &Field) -> Json {
    let offered = operators(&field.kind).into_iter();
    let operators: Map<String, Json> =
        offered.map(|op| (op.word().to_owned(), operator(&field.kind, op))).collect();
    json!({
        "name": &*field.key, "in": "query", "required": false, "style": "deepObject", "explode": true,
        "description": format!("Filter by {}. {HOW}", field.label),
        "schema": { "type": "object", "additionalProperties": false, "properties": operators },
    })
}

fn attributes(entity: &Entity) -> impl Iterator<Item = &Field> {
    entity.system.iter().chain(&entity.fields)
}

fn filter_name(entity: &Entity, field: &Field) -> String {
    format!("{}.filter.{}", entity.object, field.key)
}

/// The shared parameters of the entity's lists.
pub(super) fn parameters(entity: &Entity) -> Vec<(String, Json)> {
    let filters = attributes(entity).map(|field| (filter_name(entity, field), filter(field)));
    let orders: Vec<String> = attributes(entity)
        .filter(|field| field.sortable())
        .flat_map(|field| [field.key.to_string(), format!("-{}", field.key)])
        .collect();
    let keys: Vec<&str> = attributes(entity).map(|field| &*field.key).collect();
    let expandable = attributes(entity).filter(|field| expands(field)).map(|field| field.key.to_string());
    let expandable: Vec<String> =
        ["owner", "team"].into_iter().map(str::to_owned).chain(expandable).collect();
    let say_expand = format!(
        "Related records to show in the place of their ids, two levels deep: {}",
        expandable.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    );
    let own = [
        (
            "sort",
            list(
                "sort",
                json!({ "type": "string", "enum": orders }),
                Some(3),
                "Fields, most significant first; `-` for descending. Newest first unless said",
            ),
        ),
        (
            "fields",
            list(
                "fields",
                json!({ "type": "string", "enum": keys }),
                None,
                "Only these members; `id` and `version` always",
            ),
        ),
        ("expand", list("expand", json!({ "type": "string" }), Some(8), &say_expand)),
    ];
    let own = own.into_iter().map(|(name, parameter)| (format!("{}.{name}", entity.object), parameter));
    filters.chain(own).collect()
}

fn expands(field: &Field) -> bool {
    matches!(field.kind, Kind::Reference(..) | Kind::References(..)) && &*field.key != "id"
}

/// One of the entity's own shared parameters.
pub(super) fn own(entity: &Entity, name: &str) -> Json {
    shared_parameter(&format!("{}.{name}", entity.object))
}

/// What selects records: every filter, and what narrows beside them.
pub(super) fn selection(entity: &Entity) -> Vec<Json> {
    let filters = attributes(entity).map(|field| shared_parameter(&filter_name(entity, field)));
    ["q", "view"].into_iter().map(shared_parameter).chain(filters).collect()
}
