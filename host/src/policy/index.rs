//! The compiled policy: what each role may do, looked up instead of evaluated.
//!
//! Compiled from the rows and the role links that casbin holds, so that nothing decides here that casbin does not know.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use casbin::{CoreApi, Enforcer, MgmtApi};

use super::error::PolicyError;
use super::rows::{ROLE, Rows, Rule};
use super::scope::RowScope;

type ByName<T> = HashMap<Box<str>, T>;

/// Every decision of one organization. A decision allocates nothing and takes a few hash look-ups.
#[derive(Debug)]
pub struct PolicyIndex {
    /// By object, action and role.
    objects: ByName<ByName<ByName<Cell>>>,
    roles: BTreeSet<String>,
    rules: Vec<Rule>,
}

/// What one role may do with one object and action.
#[derive(Debug, Default)]
struct Cell {
    scope: RowScope,
    /// The rules it comes from, as positions in [`PolicyIndex::rules`].
    rules: Vec<usize>,
}

impl PolicyIndex {
    pub(super) fn compile(enforcer: &Enforcer, organization: &str, rows: Rows) -> Result<Self, PolicyError> {
        let by_row: HashMap<Vec<String>, usize> =
            rows.rules.iter().enumerate().map(|(position, rule)| (rule.row(), position)).collect();
        let policy = enforcer.get_policy();
        let subjects: BTreeSet<&str> =
            policy.iter().filter_map(|row| row.first()).map(String::as_str).collect();
        let heirs = enforcer.get_grouping_policy();
        let roles: BTreeSet<&str> = heirs
            .iter()
            .filter_map(|link| link.first())
            .map(String::as_str)
            .chain(subjects.iter().copied())
            .collect();
        let links = enforcer.get_role_manager();
        let links = links.read();

        let mut objects: ByName<ByName<ByName<Cell>>> = HashMap::new();
        for role in &roles {
            let held: BTreeSet<&str> = subjects
                .iter()
                .copied()
                .filter(|sub| links.has_link(role, sub, Some(organization)))
                .collect();
            for row in policy.iter().filter(|row| row.first().is_some_and(|sub| held.contains(sub.as_str())))
            {
                let Some((position, rule)) = by_row.get(row).and_then(|at| Some((*at, rows.rules.get(*at)?)))
                else {
                    return Err(PolicyError::Foreign(row.join(", ")));
                };
                let actions = objects.entry(rule.grant.object.as_str().into()).or_default();
                let by_role = actions.entry(rule.grant.action.as_str().into()).or_default();
                let cell = by_role.entry(bare(role).into()).or_default();
                cell.scope = cell.scope.with(rule.grant.scope, rule.grant.effect);
                cell.rules.push(position);
            }
        }
        let roles = roles.into_iter().map(|role| bare(role).to_owned()).collect();
        Ok(Self { objects, roles, rules: rows.rules })
    }

    /// What somebody with these roles may do: what any of them allows, less what any of them denies.
    #[must_use]
    pub fn decide(&self, roles: &[Arc<str>], object: &str, action: &str) -> RowScope {
        self.cells(roles, object, action).fold(RowScope::NEVER, |scope, cell| scope.and_also(cell.scope))
    }

    /// The rules that decide, each once.
    #[must_use]
    pub fn explain(&self, roles: &[Arc<str>], object: &str, action: &str) -> Vec<Rule> {
        let positions: BTreeSet<usize> =
            self.cells(roles, object, action).flat_map(|cell| cell.rules.iter().copied()).collect();
        positions.into_iter().filter_map(|position| self.rules.get(position)).cloned().collect()
    }

    /// Whether any row speaks of this role; another one may do nothing.
    #[must_use]
    pub fn knows_role(&self, role: &str) -> bool {
        self.roles.contains(role)
    }

    /// The roles that rows speak of, in alphabetical order.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().map(String::as_str)
    }

    fn cells<'a>(
        &'a self,
        roles: &'a [Arc<str>],
        object: &str,
        action: &str,
    ) -> impl Iterator<Item = &'a Cell> {
        let by_role = self.objects.get(object).and_then(|actions| actions.get(action));
        by_role.into_iter().flat_map(move |cells| roles.iter().filter_map(|role| cells.get(&**role)))
    }
}

fn bare(role: &str) -> &str {
    role.strip_prefix(ROLE).unwrap_or(role)
}
