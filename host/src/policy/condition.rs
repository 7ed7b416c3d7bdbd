//! Conditions of policy rows: a small tree over the fields of a record, with three truth values.
//!
//! Written as the JSON form of filters, `{"and":[…]}`, `{"or":[…]}`, `{"not":…}`, `{"field":…,"op":…,"value":…}`, about
//! the record's own fields only. A value may be a [`Variable`], `{"var":"user.id"}`, which stands for something of the
//! principal or of the moment. There are no functions, no loops and no references to other records.
//!
//! This file knows the form. The record engine checks it against an entity's fields, and has the two forms that decide
//! (SQL and memory); [`Condition::holds`] is the third, the reference that casbin asks.

use std::cmp::Ordering;
use std::fmt;

use serde_json::{Map, Value as Json};

/// Most parts of a condition: connectives and tests.
pub const NODES: usize = 32;
/// Longest condition, in bytes.
pub const BYTES: usize = 512;

/// The operators of tests.
const OPS: [&str; 11] = ["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "contains", "starts", "empty"];

/// A condition that has the form of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    text: Box<str>,
    root: Node,
}

/// A part of a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// All hold.
    And(Vec<Node>),
    /// One holds.
    Or(Vec<Node>),
    /// It does not hold.
    Not(Box<Node>),
    /// A field compares.
    Test(Test),
}

/// A field compares.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// The field's key; of an address also a member, `address.country`.
    pub field: Box<str>,
    /// A word of the filter language.
    pub op: Box<str>,
    /// With what.
    pub operand: Operand,
}

/// What a test compares with.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A value as a filter has it.
    Literal(Json),
    /// What it stands for when it is asked.
    Variable(Variable),
}

/// What a condition may say about who asks and when.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Variable {
    /// The principal.
    UserId,
    /// His primary team.
    UserTeam,
    /// All his teams.
    UserTeams,
    /// All his teams and those below them.
    UserSubteams,
    /// The instant of the decision.
    Now,
    /// The organization's currency.
    Currency,
    /// The organization's locale.
    Locale,
}

impl Variable {
    /// Every variable with its word.
    pub const ALL: [(&'static str, Self); 7] = [
        ("user.id", Self::UserId),
        ("user.team", Self::UserTeam),
        ("user.teams", Self::UserTeams),
        ("user.subteams", Self::UserSubteams),
        ("env.now", Self::Now),
        ("organization.currency", Self::Currency),
        ("organization.locale", Self::Locale),
    ];

    /// How it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, variable)| *variable == self).map_or("", |(word, _)| word)
    }

    /// Whether it is several values, for `in` and `nin` only.
    #[must_use]
    pub const fn several(self) -> bool {
        matches!(self, Self::UserTeams | Self::UserSubteams)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// What is wrong with its form.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > BYTES {
            return Err(format!("has {} bytes, a condition has at most {BYTES}", text.len()));
        }
        let json: Json = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
        let mut nodes = 0;
        let root = node(&json, &mut nodes)?;
        Ok(Self { text: text.into(), root })
    }

    /// The tree.
    #[must_use]
    pub const fn root(&self) -> &Node {
        &self.root
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The fields that it looks at, as they are written.
    #[must_use]
    pub fn fields(&self) -> Vec<&str> {
        let mut fields = Vec::new();
        self.root.collect(&mut fields);
        fields
    }

    /// Whether it holds, asked of values as JSON: fields by key, variables by word. `None`: something that it looks at is
    /// absent and decides. The reference, in plain words.
    #[must_use]
    pub fn holds(&self, facts: &Map<String, Json>) -> Option<bool> {
        self.root.holds(facts)
    }
}

impl Node {
    fn collect<'n>(&'n self, fields: &mut Vec<&'n str>) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.collect(fields)),
            Self::Not(inner) => inner.collect(fields),
            Self::Test(test) => fields.push(&test.field),
        }
    }

    fn holds(&self, facts: &Map<String, Json>) -> Option<bool> {
        match self {
            Self::And(parts) => all(parts.iter().map(|part| part.holds(facts))),
            Self::Or(parts) => {
                all(parts.iter().map(|part| part.holds(facts).map(|held| !held))).map(|held| !held)
            }
            Self::Not(inner) => inner.holds(facts).map(|held| !held),
            Self::Test(test) => test.holds(facts),
        }
    }
}

/// False as soon as one is false, whatever is unknown beside it.
fn all(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = Some(true);
    for part in parts {
        match part {
            Some(false) => return Some(false),
            None => known = None,
            Some(true) => {}
        }
    }
    known
}

impl Test {
    fn holds(&self, facts: &Map<String, Json>) -> Option<bool> {
        let value = facts.get(&*self.field).filter(|value| !value.is_null());
        let operand = match &self.operand {
            Operand::Literal(json) => json,
            Operand::Variable(variable) => facts.get(variable.word()).filter(|value| !value.is_null())?,
        };
        if &*self.op == "empty" {
            return Some(value.is_none() == operand.as_bool().unwrap_or_default());
        }
        let value = value?;
        let equal = |wanted: &Json| compare(value, wanted) == Some(Ordering::Equal);
        let any = || operand.as_array().is_some_and(|items| items.iter().any(equal));
        let text = |json: &Json| json.as_str().unwrap_or_default().to_lowercase();
        Some(match &*self.op {
            "eq" => equal(operand),
            "ne" => !equal(operand),
            "gt" => compare(value, operand) == Some(Ordering::Greater),
            "gte" => compare(value, operand).is_some_and(Ordering::is_ge),
            "lt" => compare(value, operand) == Some(Ordering::Less),
            "lte" => compare(value, operand).is_some_and(Ordering::is_le),
            "in" => any(),
            "nin" => !any(),
            "contains" => text(value).contains(&text(operand)),
            "starts" => text(value).starts_with(&text(operand)),
            _ => false,
        })
    }
}

fn compare(one: &Json, other: &Json) -> Option<Ordering> {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => Some(one.as_i64()?.cmp(&other.as_i64()?)),
        (Json::String(one), Json::String(other)) => Some(one.as_bytes().cmp(other.as_bytes())),
        (Json::Bool(one), Json::Bool(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

fn node(json: &Json, nodes: &mut usize) -> Result<Node, String> {
    *nodes += 1;
    if *nodes > NODES {
        return Err(format!("has more than {NODES} parts"));
    }
    let members = json.as_object().ok_or("is not an object of the filter language")?;
    if members.len() == 1
        && let Some((word, inner)) = members.iter().next()
    {
        let mut parts = || match inner.as_array() {
            Some(parts) if !parts.is_empty() => parts.iter().map(|part| node(part, nodes)).collect(),
            _ => Err(format!("`{word}` takes a list of conditions")),
        };
        match word.as_str() {
            "and" => return Ok(Node::And(parts()?)),
            "or" => return Ok(Node::Or(parts()?)),
            "not" => return Ok(Node::Not(Box::new(node(inner, nodes)?))),
            _ => {}
        }
    }
    test(members).map(Node::Test)
}

fn test(members: &Map<String, Json>) -> Result<Test, String> {
    if let Some(strange) = members.keys().find(|key| !matches!(key.as_str(), "field" | "op" | "value")) {
        let strange: String = strange.chars().take(64).collect();
        return Err(format!("`{strange}` is not a member of a test: field, op, value"));
    }
    let field = members.get("field").and_then(Json::as_str).ok_or("a test names its `field`")?;
    let op = members.get("op").map_or(Some("eq"), Json::as_str);
    let op =
        op.filter(|op| OPS.contains(op)).ok_or_else(|| format!("an `op` is one of {}", OPS.join(" ")))?;
    let value = members.get("value").ok_or("a test has a `value`")?;
    let operand = operand(op, value)?;
    Ok(Test { field: field.into(), op: op.into(), operand })
}

fn operand(op: &str, value: &Json) -> Result<Operand, String> {
    let scalar = |json: &Json| json.is_string() || json.is_boolean() || json.is_i64();
    let listed = matches!(op, "in" | "nin");
    match value {
        Json::Object(members) => {
            let word = members.get("var").and_then(Json::as_str).filter(|_| members.len() == 1);
            let found = Variable::ALL.iter().find(|(known, _)| Some(*known) == word);
            let words = || Variable::ALL.map(|(word, _)| word).join(" ");
            let (_, variable) = found.ok_or_else(|| format!("a variable is one of {}", words()))?;
            if variable.several() != listed || op == "empty" {
                return Err(format!("`{}` does not go with `{op}`", variable.word()));
            }
            Ok(Operand::Variable(*variable))
        }
        Json::Array(items) if listed && !items.is_empty() && items.iter().all(scalar) => {
            Ok(Operand::Literal(value.clone()))
        }
        Json::Bool(_) if op == "empty" => Ok(Operand::Literal(value.clone())),
        value if scalar(value) && !listed && op != "empty" => Ok(Operand::Literal(value.clone())),
        _ => Err(format!(
            "the value of `{op}` is a text, a whole number (others as text), true or false; for `in` and `nin` a list"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(condition: &str, facts: &str) -> Option<bool> {
        let facts: Map<String, Json> = serde_json::from_str(facts).unwrap();
        Condition::parse(condition).unwrap().holds(&facts)
    }

    #[test]
    fn what_is_absent_is_neither_true_nor_false() {
        let small = r#"{"field":"height","op":"lt","value":5}"#;
        assert_eq!(holds(small, r#"{"height":4}"#), Some(true));
        assert_eq!(holds(small, r#"{"height":9}"#), Some(false));
        assert_eq!(holds(small, "{}"), None);
        assert_eq!(holds(&format!(r#"{{"not":{small}}}"#), "{}"), None);
        let either = format!(r#"{{"or":[{small},{{"field":"kind","value":"oak"}}]}}"#);
        assert_eq!(holds(&either, r#"{"kind":"oak"}"#), Some(true));
        assert_eq!(holds(&either, r#"{"kind":"elm"}"#), None);
        let both = either.replace("\"or\"", "\"and\"");
        assert_eq!(holds(&both, r#"{"kind":"elm"}"#), Some(false));
        assert_eq!(holds(r#"{"field":"height","op":"empty","value":true}"#, "{}"), Some(true));
        assert_eq!(holds(r#"{"field":"by","value":{"var":"user.id"}}"#, r#"{"by":"a"}"#), None);
        assert_eq!(
            holds(r#"{"field":"by","value":{"var":"user.id"}}"#, r#"{"by":"a","user.id":"a"}"#),
            Some(true)
        );
    }

    #[test]
    fn what_is_too_long_too_large_or_strange_is_refused() {
        let test = r#"{"field":"a","value":1}"#;
        let of =
            |count: usize| format!(r#"{{"or":[{}]}}"#, vec![r#"{"field":"","value":1}"#; count].join(","));
        assert!(Condition::parse(test).is_ok());
        assert!(Condition::parse(&format!("{}{test}", " ".repeat(BYTES))).unwrap_err().contains("bytes"));
        let deep = format!("{}{test}{}", r#"{"not":"#.repeat(32), "}".repeat(32));
        assert!(Condition::parse(&deep).unwrap_err().contains("32 parts"), "{}", of(2));
        for strange in [
            "",
            "height < 5",
            "[]",
            r#"{"and":[]}"#,
            r#"{"field":"a","op":"EQ","value":1}"#,
            r#"{"field":"a","op":"eval","value":1}"#,
            r#"{"field":"a","value":1.5}"#,
            r#"{"field":"a","value":99999999999999999999}"#,
            r#"{"field":"a","value":null}"#,
            r#"{"field":"a","value":{"var":"user.password"}}"#,
            r#"{"field":"a","op":"in","value":{"var":"user.id"}}"#,
            r#"{"field":"a","value":1,"loop":1}"#,
        ] {
            assert!(Condition::parse(strange).is_err(), "{strange}");
        }
    }
}
