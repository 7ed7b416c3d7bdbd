//! The compiled policy: what each role, team and principal may do, looked up instead of evaluated.
//!
//! Compiled from the rows and the role links that casbin holds, so that nothing decides here that casbin does not know.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use casbin::{CoreApi, Enforcer, MgmtApi};

use super::decision::{Decision, Term};
use super::error::{Fault, PolicyError};
use super::label::{FieldUse, Label};
use super::limits;
use super::rows::{ROLE, Rows, Rule};
use super::scope::RowScope;
use super::subject::Subject;
use crate::caller::{Principal, PrincipalKind};
use crate::clock::Clock;
use crate::ids::{PrincipalId, TeamId};

type ByName<T> = HashMap<Box<str>, T>;

/// Every decision of one organization. A decision takes a few hash look-ups; one without conditions allocates nothing.
#[derive(Debug)]
pub struct PolicyIndex {
    /// By object and action.
    objects: ByName<ByName<Cells>>,
    /// By object: by field, or `@` and label, and action.
    fields: ByName<ByName<ByName<Cells>>>,
    roles: BTreeSet<String>,
    /// Heir and ancestor, without `role:`.
    links: Vec<(String, String)>,
    rules: Vec<Rule>,
    stale: Vec<Fault>,
    clock: Clock,
}

/// What is said of one object and action, by whom it is said of.
#[derive(Debug, Default)]
struct Cells {
    roles: ByName<Cell>,
    teams: HashMap<TeamId, Cell>,
    users: HashMap<PrincipalId, Cell>,
    services: HashMap<PrincipalId, Cell>,
}

/// What one subject may do with one object and action.
#[derive(Debug, Default)]
struct Cell {
    rows: RowScope,
    terms: Vec<Term>,
    /// The rules it comes from, as positions in [`PolicyIndex::rules`].
    rules: Vec<u32>,
}

impl PolicyIndex {
    pub(super) fn compile(
        enforcer: &Enforcer,
        organization: &str,
        rows: Rows,
        clock: Clock,
    ) -> Result<Self, PolicyError> {
        let by_row: HashMap<Vec<String>, usize> =
            rows.rules.iter().enumerate().map(|(position, rule)| (rule.cells(), position)).collect();
        let mut by_subject: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let policy = enforcer.get_policy();
        for row in &policy {
            let at = by_row.get(row).ok_or_else(|| PolicyError::Foreign(row.join(", ")))?;
            by_subject.entry(row.first().map(String::as_str).unwrap_or_default()).or_default().push(*at);
        }
        let heirs = enforcer.get_grouping_policy();
        let links = enforcer.get_role_manager();
        let links = links.read();
        let named = by_subject
            .keys()
            .copied()
            .chain(heirs.iter().filter_map(|link| link.first()).map(String::as_str));
        let holders: BTreeSet<&str> = named.collect();
        let made = rows.made.into_iter();
        let roles =
            holders.iter().filter_map(|holder| holder.strip_prefix(ROLE)).map(str::to_owned).chain(made);
        let mut index = Self {
            objects: HashMap::new(),
            fields: HashMap::new(),
            roles: roles.collect(),
            links: rows.links.iter().map(|(heir, ancestor)| (bare(heir), bare(ancestor))).collect(),
            rules: rows.rules,
            stale: rows.stale,
            clock,
        };
        // Casbin walks its graph for every question, and only an heir is linked to anybody.
        let heirs: BTreeSet<&str> =
            heirs.iter().filter_map(|link| link.first()).map(String::as_str).collect();
        for holder in &holders {
            let Some(subject) = Subject::parse(holder) else { continue };
            let own = by_subject.get(holder).into_iter().flatten();
            own.for_each(|at| index.add(&subject, *at));
            let others =
                by_subject.iter().filter(|(said_of, _)| heirs.contains(holder) && *said_of != holder);
            for (_, positions) in others.filter(|(of, _)| links.has_link(holder, of, Some(organization))) {
                positions.iter().for_each(|at| index.add(&subject, *at));
            }
        }
        Ok(index)
    }

    fn add(&mut self, holder: &Subject, position: usize) {
        let Some(row) = self.rules.get(position).map(|rule| rule.row.clone()) else { return };
        let actions = match row.object.split_once('#') {
            None => self.objects.entry((&*row.object).into()).or_default(),
            Some((object, field)) => {
                self.fields.entry(object.into()).or_default().entry(field.into()).or_default()
            }
        };
        let cells = actions.entry((&*row.action).into()).or_default();
        let cell = match holder {
            Subject::Role(name) => cells.roles.entry(name.as_str().into()).or_default(),
            Subject::Team(id) => cells.teams.entry(*id).or_default(),
            Subject::User(id) => cells.users.entry(*id).or_default(),
            Subject::Service(id) => cells.services.entry(*id).or_default(),
        };
        match row.condition {
            None => cell.rows = cell.rows.with(row.scope, row.effect),
            Some(condition) => cell.terms.push(Term { scope: row.scope, effect: row.effect, condition }),
        }
        cell.rules.push(u32::try_from(position).unwrap_or(u32::MAX));
    }

    /// What this principal may do: what its roles, its teams and it itself are allowed, less what any of them is denied;
    /// nothing that its credential is not for.
    #[must_use]
    pub fn decide(&self, principal: &Principal, object: &str, action: &str) -> Decision {
        if principal.limits.as_ref().is_some_and(|limits| !limits::covers(limits, object, action)) {
            return Decision::NEVER;
        }
        let Some(cells) = self.objects.get(object).and_then(|actions| actions.get(action)) else {
            return Decision::NEVER;
        };
        let mut decision = Decision::NEVER;
        let mut terms: Vec<&Term> = Vec::new();
        for cell in cells.of(principal) {
            decision.rows = decision.rows.and_also(cell.rows);
            terms.extend(&cell.terms);
        }
        if !terms.is_empty() {
            // Two roles may have one rule from the same ancestor.
            let mut each: Vec<Term> = Vec::with_capacity(terms.len());
            terms.into_iter().for_each(|term| {
                if !each.contains(term) {
                    each.push(term.clone());
                }
            });
            decision.terms = Some(each.into());
        }
        if decision.terms.is_some() || decision.rows.asks_shares() {
            decision.now = self.clock.now();
            decision.changing = !matches!(action, "list" | "read");
        }
        decision
    }

    /// Whether the principal may read, or write, a field of the object that has this label. Rights on the object are
    /// another question.
    #[must_use]
    pub fn allows_field(
        &self,
        principal: &Principal,
        object: &str,
        field: &str,
        label: Label,
        by: FieldUse,
    ) -> bool {
        let said = self.said_of_field(principal, object, field, label, by);
        match (label, by) {
            _ if said.deny != 0 => false,
            (Label::Restricted, _) => said.allow != 0,
            (Label::Secret, FieldUse::Read) => false,
            _ => true,
        }
    }

    fn said_of_field(
        &self,
        principal: &Principal,
        object: &str,
        field: &str,
        label: Label,
        by: FieldUse,
    ) -> RowScope {
        let Some(fields) = self.fields.get(object) else { return RowScope::NEVER };
        let named = fields.get(field);
        // Rows on labels are few: no text is made for the look-up.
        let labelled = fields.iter().find(|(name, _)| name.strip_prefix('@') == Some(label.as_str()));
        let actions = named.into_iter().chain(labelled.map(|(_, actions)| actions));
        let cells = actions.filter_map(|actions| actions.get(by.action()));
        cells
            .flat_map(|cells| cells.of(principal))
            .fold(RowScope::NEVER, |said, cell| said.and_also(cell.rows))
    }

    /// Whether any row speaks of fields of this object.
    #[must_use]
    pub fn speaks_of_fields(&self, object: &str) -> bool {
        self.fields.contains_key(object)
    }

    /// The rules that decide, each once. Of `object#field` those on the field.
    #[must_use]
    pub fn explain(&self, principal: &Principal, object: &str, action: &str) -> Vec<Rule> {
        let actions = match object.split_once('#') {
            None => self.objects.get(object),
            Some((object, field)) => self.fields.get(object).and_then(|fields| fields.get(field)),
        };
        let cells = actions.and_then(|actions| actions.get(action)).into_iter();
        let cells = cells.flat_map(|cells| cells.of(principal));
        let positions: BTreeSet<u32> = cells.flat_map(|cell| cell.rules.iter().copied()).collect();
        positions.into_iter().filter_map(|position| self.rules.get(position as usize)).cloned().collect()
    }

    /// Whether there is this role; another one may do nothing.
    #[must_use]
    pub fn knows_role(&self, role: &str) -> bool {
        self.roles.contains(role)
    }

    /// All roles, in alphabetical order.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().map(String::as_str)
    }

    /// A role and all whose rights it has.
    #[must_use]
    pub fn heritage(&self, role: &str) -> BTreeSet<String> {
        let mut held = BTreeSet::from([role.to_owned()]);
        loop {
            let more =
                self.links.iter().filter(|(heir, _)| held.contains(heir)).map(|(_, ancestor)| ancestor);
            let more: Vec<String> = more.filter(|ancestor| !held.contains(*ancestor)).cloned().collect();
            if more.is_empty() {
                return held;
            }
            held.extend(more);
        }
    }

    /// All objects with the actions that rows speak of.
    pub fn objects(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = &str>)> {
        self.objects.iter().map(|(object, actions)| (&**object, actions.keys().map(|action| &**action)))
    }

    /// What of the organization's own speaks of something that is not there now, and of what.
    #[must_use]
    pub fn stale(&self) -> &[Fault] {
        &self.stale
    }

    /// All rules.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

fn bare(role: &str) -> String {
    role.strip_prefix(ROLE).unwrap_or(role).to_owned()
}

impl Cells {
    fn of<'a>(&'a self, principal: &'a Principal) -> impl Iterator<Item = &'a Cell> {
        let program = matches!(principal.kind, PrincipalKind::ApiKey | PrincipalKind::Service);
        let own = if program { &self.services } else { &self.users };
        let roles = principal.roles.iter().filter_map(|role| self.roles.get(&**role));
        let teams = principal.teams.iter().filter_map(|team| self.teams.get(team));
        roles.chain(teams).chain(own.get(&principal.id))
    }
}
