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
        Compiling { reader: self, context, entity, absent }.node(condition.root(), false)
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

struct Compiling<'a> {
    reader: &'a Reader<'a>,
    context: Context<'a>,
    entity: &'a Entity,
    absent: bool,
}

impl Compiling<'_> {
    fn node(&self, node: &Node, negated: bool) -> Result<Filter, RecordError> {
        let each = |parts: &[Node]| {
            parts.iter().map(|part| self.node(part, negated)).collect::<Result<Vec<_>, RecordError>>()
        };
        Ok(match (node, negated) {
            (Node::And(parts), false) | (Node::Or(parts), true) => Filter::And(each(parts)?),
            (Node::Or(parts), false) | (Node::And(parts), true) => Filter::Or(each(parts)?),
            (Node::Not(inner), _) => self.node(inner, !negated)?,
            (Node::Test(test), _) => self.test(test, negated)?,
        })
    }

    fn test(&self, test: &Test, negated: bool) -> Result<Filter, RecordError> {
        let kind = self.entity.attribute(&test.field).map(|field| &field.kind);
        let value = match &test.operand {
            Operand::Literal(json) => Some(json.clone()),
            Operand::Variable(variable) => self.reader.variable(*variable, kind),
        };
        let Some(value) = value else {
            // Still it must be a field of the entity.
            self.leaf(&json!({"field": &*test.field, "op": "empty", "value": true}))?;
            return Ok(if self.absent { Filter::all() } else { Filter::Or(Vec::new()) });
        };
        let leaf = self.leaf(&json!({"field": &*test.field, "op": &*test.op, "value": value}))?;
        let leaf = if negated { Filter::Not(Box::new(leaf)) } else { leaf };
        if &*test.op == "empty" {
            return Ok(leaf);
        }
        let empty = self.leaf(&json!({"field": &*test.field, "op": "empty", "value": self.absent}))?;
        Ok(if self.absent { Filter::Or(vec![empty, leaf]) } else { Filter::And(vec![empty, leaf]) })
    }

    fn leaf(&self, json: &Json) -> Result<Filter, RecordError> {
        match parse_json(&self.context, self.entity, json)? {
            leaf @ Filter::Test(_) => Ok(leaf),
            _ => Err(RecordError::bad("invalid_filter", "a condition looks at the record's own fields only")),
        }
    }
}
