//! A condition of a policy row as a filter on records.
//!
//! A condition has three truth values, a filter has two. The negations are pushed down to the tests, and each test is put
//! together with the question whether what it looks at is there: for a rule that allows the filter then holds of the
//! records of which the condition is true, for one that denies of those of which it is not false.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::caller::Principal;
use crate::clock::{UnixMillis, civil, rfc3339};
use crate::organizations::Organization;
use crate::policy::Condition;
use crate::policy::condition::{Node, Operand, Test, Variable};
use crate::records::error::RecordError;
use crate::records::filter::{Context, Filter, parse_json};
use crate::records::schema::{Entity, Kind, Module};
use crate::records::{Scope, SettingsByPlugin};

/// Where a condition is read: whose organization, and who asks.
pub struct Reader<'a> {
    /// The organization.
    pub organization: &'a Organization,
    /// What it set.
    pub settings: &'a SettingsByPlugin,
    /// Its modules.
    pub modules: &'a [Arc<Module>],
    /// Who asks.
    pub principal: &'a Principal,
    /// When.
    pub now: UnixMillis,
}

impl<'a> Reader<'a> {
    /// For the caller of this scope.
    #[must_use]
    pub fn of(scope: &'a Scope, now: UnixMillis) -> Self {
        Self {
            organization: &scope.organization,
            settings: &scope.settings,
            modules: &scope.modules,
            principal: &scope.caller.principal,
            now,
        }
    }

    /// The filter of a condition; what is absent counts as `absent`.
    ///
    /// # Errors
    /// [`RecordError::BadRequest`]: it does not fit the entity.
    pub fn filter(
        &self,
        entity: &Entity,
        condition: &Condition,
        absent: bool,
    ) -> Result<Filter, RecordError> {
        let context = Context::rules(self.modules, self.organization, self.settings, self.now);
        let parse = |leaf: &Json| match parse_json(&context, entity, leaf)? {
            leaf @ Filter::Test(_) => Ok(leaf),
            _ => Err(RecordError::bad("invalid_filter", "a condition looks at the record's own fields only")),
        };
        Total { reader: self, entity, absent }.node(condition.root(), false).filter(&parse)
    }

    /// The same as JSON, the variables replaced by what they stand for.
    #[must_use]
    pub fn json(&self, entity: &Entity, condition: &Condition, absent: bool) -> Json {
        Total { reader: self, entity, absent }.node(condition.root(), false).json()
    }

    /// Whether a condition fits an entity: known fields, operators that they have, values that they can hold.
    ///
    /// # Errors
    /// What does not fit.
    pub fn check(&self, entity: &Entity, condition: &Condition) -> Result<(), RecordError> {
        self.filter(entity, condition, false).map(|_| ())
    }

    fn variable(&self, variable: Variable, kind: Option<&Kind>) -> Option<Json> {
        let principal = self.principal;
        let teams = |below: bool| {
            let more = principal.subteams.iter().filter(|_| below);
            let ids: Vec<String> = principal.teams.iter().chain(more).map(ToString::to_string).collect();
            (!ids.is_empty()).then(|| json!(ids))
        };
        match variable {
            Variable::UserId => Some(json!(principal.id.to_string())),
            Variable::UserTeam => principal.teams.first().map(|team| json!(team.to_string())),
            Variable::UserTeams => teams(false),
            Variable::UserSubteams => teams(true),
            Variable::Now if matches!(kind, Some(Kind::Date)) => {
                Some(json!(civil(self.now, &self.organization.zone).to_string()))
            }
            Variable::Now => Some(json!(rfc3339(self.now))),
            Variable::Currency => Some(json!(self.organization.currency)),
            Variable::Locale => Some(json!(self.organization.locale)),
        }
    }
}

/// A condition with two truth values: what is absent counts as `absent`.
struct Total<'a> {
    reader: &'a Reader<'a>,
    entity: &'a Entity,
    absent: bool,
}

/// A part of it; a leaf is a test in the JSON form of filters.
enum Part {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Json),
    Leaf(Json),
}

impl Part {
    fn filter(&self, parse: &dyn Fn(&Json) -> Result<Filter, RecordError>) -> Result<Filter, RecordError> {
        let each =
            |parts: &[Self]| parts.iter().map(|part| part.filter(parse)).collect::<Result<Vec<_>, _>>();
        Ok(match self {
            Self::And(parts) => Filter::And(each(parts)?),
            Self::Or(parts) => Filter::Or(each(parts)?),
            Self::Not(leaf) => Filter::Not(Box::new(parse(leaf)?)),
            Self::Leaf(leaf) => parse(leaf)?,
        })
    }

    fn json(self) -> Json {
        let each = |parts: Vec<Self>| parts.into_iter().map(Self::json).collect::<Json>();
        match self {
            Self::And(parts) => json!({ "and": each(parts) }),
            Self::Or(parts) => json!({ "or": each(parts) }),
            Self::Not(leaf) => json!({ "not": leaf }),
            Self::Leaf(leaf) => leaf,
        }
    }
}

impl Total<'_> {
    fn node(&self, node: &Node, negated: bool) -> Part {
        let each = |parts: &[Node]| parts.iter().map(|part| self.node(part, negated)).collect();
        match (node, negated) {
            (Node::And(parts), false) | (Node::Or(parts), true) => Part::And(each(parts)),
            (Node::Or(parts), false) | (Node::And(parts), true) => Part::Or(each(parts)),
            (Node::Not(inner), _) => self.node(inner, !negated),
            (Node::Test(test), _) => self.test(test, negated),
        }
    }

    fn test(&self, test: &Test, negated: bool) -> Part {
        let kind = self.entity.attribute(&test.field).map(|field| &field.kind);
        let value = match &test.operand {
            Operand::Literal(json) => Some(json.clone()),
            Operand::Variable(variable) => self.reader.variable(*variable, kind),
        };
        let empty = |value: bool| Part::Leaf(json!({"field": &*test.field, "op": "empty", "value": value}));
        let Some(value) = value else {
            // Still it must be a field of the entity, so the test names it: there or not, it is the same.
            let (there, absent) = (empty(false), empty(true));
            return if self.absent { Part::Or(vec![there, absent]) } else { Part::And(vec![there, absent]) };
        };
        let leaf = json!({"field": &*test.field, "op": &*test.op, "value": value});
        let leaf = if negated { Part::Not(leaf) } else { Part::Leaf(leaf) };
        match (&*test.op, self.absent) {
            ("empty", _) => leaf,
            (_, true) => Part::Or(vec![empty(true), leaf]),
            (_, false) => Part::And(vec![empty(false), leaf]),
        }
    }
}
