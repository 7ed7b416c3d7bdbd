//! The filter language: one syntax tree behind the query string, its JSON form and whatever else selects records,
//! compiled to SQL with every value bound.

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::error::RecordError;
use super::input;
use super::money::{exponent, parse_scaled};
use super::schema::{Entity, Field, Kind};
use super::value::Value;

/// Deepest nesting of and, or, not.
const DEPTH: usize = 8;
/// Most tests in one filter.
const TESTS: usize = 64;
/// Most values of one `in`.
const LIST: usize = 200;
/// Longest text to search for; SQLite refuses LIKE patterns over 256 bytes.
const PATTERN: usize = 100;

/// A comparison.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Op {
    /// Equal; the default.
    Eq,
    /// Not equal; an absent value is different from every value.
    Ne,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// One of.
    In,
    /// None of; an absent value is none of them.
    Nin,
    /// Contains the text, letters of either case.
    Contains,
    /// Starts with the text, letters of either case.
    Starts,
    /// `true`: has no value; `false`: has one.
    Empty,
}

impl Op {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "gt" => Self::Gt,
            "gte" => Self::Gte,
            "lt" => Self::Lt,
            "lte" => Self::Lte,
            "in" => Self::In,
            "nin" => Self::Nin,
            "contains" => Self::Contains,
            "starts" => Self::Starts,
            "empty" => Self::Empty,
            _ => return None,
        })
    }

    const fn symbol(self) -> &'static str {
        match self {
            Self::Ne => " is not ",
            Self::Gt => " > ",
            Self::Gte => " >= ",
            Self::Lt => " < ",
            Self::Lte => " <= ",
            _ => " = ",
        }
    }
}

/// A condition on records of one entity.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All hold; none: always.
    And(Vec<Self>),
    /// One holds; none: never.
    Or(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// A field compares.
    Test {
        /// Column name.
        column: String,
        /// How.
        op: Op,
        /// With what, in stored form.
        values: Vec<Value>,
        /// For money: the currency of each value. Amounts of different currencies are never compared.
        currencies: Vec<String>,
    },
}

/// A test from the query string: `key` is `amount` or `amount[gte]`.
///
/// # Errors
/// [`RecordError::BadRequest`]: no such field or operator, or a value that the field cannot have.
pub fn from_query(
    entity: &Entity,
    key: &str,
    value: &str,
    base_currency: &str,
) -> Result<Filter, RecordError> {
    let (name, op) = match key.split_once('[') {
        None => (key, "eq"),
        Some((name, rest)) => (name, rest.strip_suffix(']').ok_or_else(|| unknown_parameter(entity, key))?),
    };
    let field = entity.attribute(name).ok_or_else(|| unknown_parameter(entity, key))?;
    let op = Op::parse(op).ok_or_else(|| unknown_operator(key))?;
    let values: Vec<&str> = match op {
        Op::In | Op::Nin => value.split(',').collect(),
        _ => vec![value],
    };
    test(field, op, &values, base_currency)
}

fn unknown_parameter(entity: &Entity, key: &str) -> RecordError {
    let key: String = key.chars().take(64).collect();
    RecordError::bad(
        "unknown_parameter",
        format!("`{key}` is neither a parameter nor a field of {}", entity.object),
    )
}

fn unknown_operator(key: &str) -> RecordError {
    let key: String = key.chars().take(64).collect();
    let known = "eq ne gt gte lt lte in nin contains starts empty";
    RecordError::bad("unknown_operator", format!("the operator of `{key}` is not one of {known}"))
}

/// A filter from its JSON form: `{"and":[…]}`, `{"or":[…]}`, `{"not":…}`, `{"field":…,"op":…,"value":…}`.
///
/// # Errors
/// [`RecordError::BadRequest`], as for the query string, or the filter is too deep or too large.
pub fn from_json(entity: &Entity, json: &Json, base_currency: &str) -> Result<Filter, RecordError> {
    let mut tests = 0;
    node(entity, json, base_currency, 0, &mut tests)
}

fn node(
    entity: &Entity,
    json: &Json,
    currency: &str,
    depth: usize,
    tests: &mut usize,
) -> Result<Filter, RecordError> {
    let malformed = || {
        RecordError::bad(
            "invalid_filter",
            "a filter is {\"and\":[…]}, {\"or\":[…]}, {\"not\":…} or {\"field\",\"op\",\"value\"}",
        )
    };
    if depth > DEPTH {
        return Err(RecordError::bad("filter_too_deep", format!("a filter nests at most {DEPTH} deep")));
    }
    let members = json.as_object().ok_or_else(malformed)?;
    let mut all = |list: &Json| -> Result<Vec<Filter>, RecordError> {
        list.as_array()
            .ok_or_else(malformed)?
            .iter()
            .map(|item| node(entity, item, currency, depth + 1, tests))
            .collect()
    };
    if members.len() == 1 {
        if let Some(list) = members.get("and") {
            return Ok(Filter::And(all(list)?));
        }
        if let Some(list) = members.get("or") {
            return Ok(Filter::Or(all(list)?));
        }
        if let Some(inner) = members.get("not") {
            return Ok(Filter::Not(Box::new(node(entity, inner, currency, depth + 1, tests)?)));
        }
    }
    *tests += 1;
    if *tests > TESTS {
        return Err(RecordError::bad("filter_too_large", format!("a filter has at most {TESTS} tests")));
    }
    if members.keys().any(|key| !matches!(key.as_str(), "field" | "op" | "value")) {
        return Err(malformed());
    }
    let name = members.get("field").and_then(Json::as_str).ok_or_else(malformed)?;
    let field = entity.attribute(name).ok_or_else(|| unknown_parameter(entity, name))?;
    let op = members
        .get("op")
        .map_or(Some("eq"), Json::as_str)
        .and_then(Op::parse)
        .ok_or_else(|| unknown_operator(name))?;
    let scalar = |value: &Json| match value {
        Json::String(text) => Ok(text.clone()),
        Json::Number(_) | Json::Bool(_) => Ok(value.to_string()),
        _ => Err(malformed()),
    };
    let values: Vec<String> = match members.get("value") {
        Some(Json::Array(items)) if matches!(op, Op::In | Op::Nin) => {
            items.iter().map(scalar).collect::<Result<_, _>>()?
        }
        Some(value) => vec![scalar(value)?],
        None => return Err(malformed()),
    };
    test(field, op, &values.iter().map(String::as_str).collect::<Vec<_>>(), currency)
}

fn test(field: &Field, op: Op, texts: &[&str], base_currency: &str) -> Result<Filter, RecordError> {
    let column = field.key.to_string();
    let refuse = |what: String| RecordError::bad("invalid_filter_value", what);
    if !field.comparable() && op != Op::Empty {
        return Err(refuse(format!("{} can only be tested with [empty]", field.key)));
    }
    if texts.len() > LIST {
        return Err(refuse(format!("{} lists more than {LIST} values", field.key)));
    }
    let mut currencies = Vec::new();
    let values = match op {
        Op::Empty => match texts.first() {
            Some(&"true") => vec![Value::Integer(1)],
            Some(&"false") => vec![Value::Integer(0)],
            _ => return Err(refuse(format!("{}[empty] is true or false", field.key))),
        },
        Op::Contains | Op::Starts => {
            let text = texts.first().copied().unwrap_or_default();
            if text.is_empty() || text.len() > PATTERN || !stored_as_text(&field.kind) {
                return Err(refuse(format!("{} is searched with 1 to {PATTERN} bytes of text", field.key)));
            }
            vec![Value::Text(text.to_owned())]
        }
        _ => texts
            .iter()
            .map(|text| {
                let (value, code) = parse_text(field, text, base_currency)
                    .ok_or_else(|| refuse(format!("{} cannot be compared with that value", field.key)))?;
                currencies.extend(code);
                Ok(value)
            })
            .collect::<Result<_, RecordError>>()?,
    };
    Ok(Filter::Test { column, op, values, currencies })
}

const fn stored_as_text(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Text | Kind::RichText | Kind::Email | Kind::Phone | Kind::Url | Kind::Option(_) | Kind::Date
    )
}

/// A value as it stands in an address, in stored form; for money also its currency: the one named (`1000 EUR`), else the
/// organization's.
fn parse_text(field: &Field, text: &str, base_currency: &str) -> Option<(Value, Option<String>)> {
    let value = match &field.kind {
        Kind::Integer | Kind::Duration => Value::Integer(text.parse().ok()?),
        Kind::Boolean => Value::Integer(i64::from(text.parse::<bool>().ok()?)),
        Kind::Money => {
            let (amount, code) = text.split_once(' ').unwrap_or((text, base_currency));
            let minor = parse_scaled(amount, exponent(code)?)?;
            return Some((Value::Integer(minor), Some(code.to_owned())));
        }
        _ if text.is_empty() => return None,
        // A stored text is never longer than its field allows, but a longer one may be asked for: it matches nothing.
        Kind::Text | Kind::RichText | Kind::Email | Kind::Phone | Kind::Url => Value::Text(text.to_owned()),
        _ => input::field(field, &Json::String(text.to_owned())).ok()?.0,
    };
    Some((value, None))
}

impl Filter {
    /// Appends the condition as SQL; values go to `params`, named by their place there.
    pub fn write_sql(&self, sql: &mut String, params: &mut Vec<Value>) {
        match self {
            Self::And(parts) => join(parts, " and ", "1", sql, params),
            Self::Or(parts) => join(parts, " or ", "0", sql, params),
            Self::Not(inner) => {
                sql.push_str("not coalesce(");
                inner.write_sql(sql, params);
                sql.push_str(", 0)");
            }
            Self::Test { column, op, values, currencies } if currencies.is_empty() => {
                write_test(column, *op, values, sql, params);
            }
            Self::Test { column, op, values, currencies } => {
                write_money(column, *op, values, currencies, sql, params)
            }
        }
    }
}

fn join(parts: &[Filter], word: &str, none: &str, sql: &mut String, params: &mut Vec<Value>) {
    if parts.is_empty() {
        sql.push_str(none);
        return;
    }
    sql.push('(');
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            sql.push_str(word);
        }
        part.write_sql(sql, params);
    }
    sql.push(')');
}

/// Appends `?n` for a value.
pub fn bind(value: Value, sql: &mut String, params: &mut Vec<Value>) {
    params.push(value);
    let _ = write!(sql, "?{}", params.len());
}

/// Amounts, each in its currency: equality is a choice among pairs, an order holds within one currency.
fn write_money(
    column: &str,
    op: Op,
    values: &[Value],
    currencies: &[String],
    sql: &mut String,
    params: &mut Vec<Value>,
) {
    let negated = matches!(op, Op::Ne | Op::Nin);
    sql.push_str(if negated { "not coalesce((" } else { "(" });
    let symbol = if matches!(op, Op::Gt | Op::Gte | Op::Lt | Op::Lte) { op.symbol() } else { " = " };
    for (at, (value, currency)) in values.iter().zip(currencies).enumerate() {
        let _ = write!(sql, "{}(\"{column}\"{symbol}", if at > 0 { " or " } else { "" });
        bind(value.clone(), sql, params);
        let _ = write!(sql, " and \"{column}_currency\" = ");
        bind(Value::Text(currency.clone()), sql, params);
        sql.push(')');
    }
    sql.push_str(if negated { "), 0)" } else { ")" });
}

fn write_test(column: &str, op: Op, values: &[Value], sql: &mut String, params: &mut Vec<Value>) {
    sql.push('(');
    let first = values.first().cloned().unwrap_or_default();
    match op {
        Op::Empty => {
            let _ =
                write!(sql, "\"{column}\" is {}null", if first == Value::Integer(1) { "" } else { "not " });
        }
        Op::Contains | Op::Starts => {
            let text = first.text().unwrap_or_default();
            let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            let pattern = if op == Op::Contains { format!("%{escaped}%") } else { format!("{escaped}%") };
            let _ = write!(sql, "\"{column}\" like ");
            bind(Value::Text(pattern), sql, params);
            sql.push_str(" escape '\\'");
        }
        Op::In | Op::Nin => {
            let absent = if op == Op::Nin { format!("\"{column}\" is null or ") } else { String::new() };
            let _ = write!(sql, "{absent}\"{column}\"{} (", if op == Op::Nin { " not in" } else { " in" });
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    sql.push_str(", ");
                }
                bind(value.clone(), sql, params);
            }
            sql.push(')');
        }
        _ => {
            let _ = write!(sql, "\"{column}\"{}", op.symbol());
            bind(first, sql, params);
        }
    }
    sql.push(')');
}
