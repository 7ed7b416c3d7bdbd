//! The answer for records: [`Decision`], asked of one record in memory or handed to SQLite as a predicate.
//!
//! Both forms are two-valued and agree. The predicate is written through [`Predicate`], which the record engine
//! implements: it knows columns, shares and how a condition becomes SQL; this file knows how they are put together.

use std::sync::Arc;

use super::condition::Condition;
use super::scope::{Effect, Facts, ORG, OWN, RowScope, SHARED, SUBTEAMS, Scope, TEAM, covers};
use crate::caller::Principal;
use crate::clock::UnixMillis;
use crate::ids::{PrincipalId, TeamId};

/// What a principal may do with the records of one object. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// The rules without conditions.
    pub(super) rows: RowScope,
    /// The rules with conditions.
    pub(super) terms: Option<Arc<[Term]>>,
    /// Whether a share must be one for changing.
    pub(super) changing: bool,
    /// When it was decided: a share that has ended, and `env.now` in conditions.
    pub(super) now: UnixMillis,
}

/// A rule with a condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    pub(super) scope: Scope,
    pub(super) effect: Effect,
    pub(super) condition: Arc<Condition>,
}

/// What a record is, as far as a decision asks.
pub trait Subject {
    /// Its owner.
    fn owner(&self) -> Option<PrincipalId>;
    /// Its team.
    fn team(&self) -> Option<TeamId>;
    /// Whether it is shared with the principal now; for changing, if `changing`.
    fn shared(&self, changing: bool, now: UnixMillis) -> bool;
    /// Whether a condition holds of it; what is absent counts as `absent`.
    fn holds(&self, condition: &Condition, absent: bool, now: UnixMillis) -> bool;
}

/// A predicate being written, as SQL over the rows of one table. Every value is bound.
pub trait Predicate {
    /// Why it cannot be written.
    type Error;
    /// Appends SQL.
    fn sql(&mut self, text: &str);
    /// Appends the owner's or the team's column.
    fn column(&mut self, name: &'static str);
    /// Appends a value.
    fn id(&mut self, id: &[u8; 16]);
    /// Appends whether the row is shared with the principal, never null.
    ///
    /// # Errors
    /// It cannot be written.
    fn shared(&mut self, changing: bool, now: UnixMillis) -> Result<(), Self::Error>;
    /// Appends whether the condition holds, what is absent counting as `absent`; never null.
    ///
    /// # Errors
    /// It does not fit the entity.
    fn condition(&mut self, condition: &Condition, absent: bool, now: UnixMillis) -> Result<(), Self::Error>;
}

impl Decision {
    /// No record at all.
    pub const NEVER: Self = Self { rows: RowScope::NEVER, terms: None, changing: false, now: 0 };

    /// Whether no record can be covered: the caller may not do this at all.
    #[must_use]
    pub fn never(&self) -> bool {
        let conditional = self.terms().any(|term| term.effect == Effect::Allow);
        self.rows.deny & ORG != 0 || self.rows.allow == 0 && !conditional
    }

    /// Whether every record is covered, so that nothing needs to be asked of any.
    #[must_use]
    pub fn always(&self) -> bool {
        self.rows.always() && self.terms().all(|term| term.effect == Effect::Allow)
    }

    /// The part without conditions; nothing at all if a condition denies. For objects that have no records.
    #[must_use]
    pub fn rows(&self) -> RowScope {
        let denies = self.terms().any(|term| term.effect == Effect::Deny);
        if denies { RowScope::NEVER } else { self.rows }
    }

    /// Whether the record is covered.
    #[must_use]
    pub fn permits(&self, principal: &Principal, record: &dyn Subject) -> bool {
        let shared = || record.shared(self.changing, self.now);
        let facts = Facts { owner: record.owner(), team: record.team(), shared: &shared };
        let matches = |effect: Effect| {
            let absent = effect == Effect::Deny;
            let bits = if absent { self.rows.deny } else { self.rows.allow };
            covers(bits, absent, principal, &facts)
                || self.terms().filter(|term| term.effect == effect).any(|term| {
                    covers(term.scope.bit(), absent, principal, &facts)
                        && record.holds(&term.condition, absent, self.now)
                })
        };
        matches(Effect::Allow) && !matches(Effect::Deny)
    }

    /// [`Self::permits`] as SQL, never null: `1` for always, `0` for never.
    ///
    /// Allowing terms use `is` and `in`, which let SQLite use an index; `coalesce(…, 0)` would not.
    ///
    /// # Errors
    /// Those of the predicate.
    pub fn write<P: Predicate>(&self, principal: &Principal, out: &mut P) -> Result<(), P::Error> {
        if self.never() || self.always() {
            out.sql(if self.never() { "0" } else { "1" });
            return Ok(());
        }
        out.sql("(");
        let deny = self.rows.deny != 0 || self.terms().any(|term| term.effect == Effect::Deny);
        if self.rows.allow & ORG == 0 {
            self.side(Effect::Allow, principal, out)?;
            out.sql(if deny { " and " } else { "" });
        }
        if deny {
            out.sql("not ");
            self.side(Effect::Deny, principal, out)?;
        }
        out.sql(")");
        Ok(())
    }

    /// What all rules of one effect cover.
    fn side<P: Predicate>(&self, effect: Effect, principal: &Principal, out: &mut P) -> Result<(), P::Error> {
        let bits = if effect == Effect::Deny { self.rows.deny } else { self.rows.allow };
        out.sql("(");
        let mut first = true;
        for scope in Scope::ALL.into_iter().filter(|scope| bits & scope.bit() != 0) {
            out.sql(if std::mem::take(&mut first) { "" } else { " or " });
            self.scope(scope, effect, principal, out)?;
        }
        for term in self.terms().filter(|term| term.effect == effect) {
            out.sql(if std::mem::take(&mut first) { "(" } else { " or (" });
            self.scope(term.scope, effect, principal, out)?;
            out.sql(" and ");
            out.condition(&term.condition, effect == Effect::Deny, self.now)?;
            out.sql(")");
        }
        out.sql(if first { "0)" } else { ")" });
        Ok(())
    }

    fn scope<P: Predicate>(
        &self,
        scope: Scope,
        effect: Effect,
        principal: &Principal,
        out: &mut P,
    ) -> Result<(), P::Error> {
        let deny = effect == Effect::Deny;
        match scope {
            Scope::Org => out.sql("1"),
            Scope::Shared => return out.shared(self.changing, self.now),
            Scope::Own if deny => {
                out.sql("coalesce(");
                out.column("owner_id");
                out.sql(" = ");
                out.id(principal.id.as_bytes());
                out.sql(", 1)");
            }
            Scope::Own => {
                out.column("owner_id");
                out.sql(" is ");
                out.id(principal.id.as_bytes());
            }
            Scope::Team | Scope::Subteams => {
                let below: &[TeamId] = if scope == Scope::Subteams { &principal.subteams } else { &[] };
                let teams: Vec<&TeamId> = principal.teams.iter().chain(below).collect();
                team(&teams, deny, out);
            }
        }
        Ok(())
    }

    /// Whose records can be covered: the caller's own, his teams', those below; `None` when only the rows can tell.
    #[must_use]
    pub fn facets(&self) -> Option<(bool, bool, bool)> {
        let told = self.rows.allow & (ORG | SHARED) == 0 && self.terms.is_none();
        let named = |bit: u8| self.rows.allow & bit != 0;
        told.then(|| (named(OWN), named(TEAM), named(SUBTEAMS)))
    }

    /// The same decision at another instant.
    #[must_use]
    pub fn at(&self, now: UnixMillis) -> Self {
        Self { now, ..self.clone() }
    }

    /// Decisions of one scope each that together cover the same records; none when there is nothing to take apart. A
    /// database walks an index for each, and none for all of them at once.
    #[must_use]
    pub fn branches(&self) -> Vec<Self> {
        let wider = if self.rows.allow & SUBTEAMS != 0 { TEAM } else { 0 };
        let bits = self.rows.allow & !wider;
        if bits & ORG != 0 || bits.count_ones() < 2 || self.terms().any(|term| term.effect == Effect::Allow) {
            return Vec::new();
        }
        let one = |scope: Scope| Self {
            rows: RowScope { allow: scope.bit(), deny: self.rows.deny },
            ..self.clone()
        };
        Scope::ALL.into_iter().filter(|scope| bits & scope.bit() != 0).map(one).collect()
    }

    /// Whether every record that `scope` reaches is covered, whatever it says: whoever has less cannot grant it.
    #[must_use]
    pub fn includes(&self, scope: Scope) -> bool {
        let reach = match scope {
            Scope::Team => TEAM | SUBTEAMS,
            other => other.bit(),
        };
        let denied = self.terms().any(|term| term.effect == Effect::Deny);
        self.rows.deny == 0 && !denied && self.rows.allow & (ORG | reach) != 0
    }

    /// The scopes that allow and those that deny, with the conditions that they are under.
    pub fn parts(&self) -> impl Iterator<Item = (Scope, Effect, Option<&Condition>)> {
        let plain = |effect: Effect, bits: u8| {
            let named = Scope::ALL.into_iter().filter(move |scope| bits & scope.bit() != 0);
            named.map(move |scope| (scope, effect, None))
        };
        let terms = self.terms().map(|term| (term.scope, term.effect, Some(&*term.condition)));
        plain(Effect::Allow, self.rows.allow).chain(plain(Effect::Deny, self.rows.deny)).chain(terms)
    }

    /// Whether the decision is the same without shares: who has a record only by a share does not share it on.
    #[must_use]
    pub fn without_shares(&self) -> Self {
        let terms = self.terms().filter(|term| term.effect == Effect::Deny || term.scope != Scope::Shared);
        let terms: Vec<Term> = terms.cloned().collect();
        let rows = RowScope { allow: self.rows.allow & !SHARED, deny: self.rows.deny };
        Self { rows, terms: (!terms.is_empty()).then(|| terms.into()), ..*self }
    }

    fn terms(&self) -> impl Iterator<Item = &Term> {
        self.terms.iter().flat_map(|terms| terms.iter())
    }
}

fn team<P: Predicate>(teams: &[&TeamId], deny: bool, out: &mut P) {
    match (teams.is_empty(), deny) {
        (true, false) => return out.sql("0"),
        (true, true) => {
            out.column("team_id");
            return out.sql(" is null");
        }
        (false, false) => {
            out.sql("(");
            out.column("team_id");
            out.sql(" is not null and ");
        }
        (false, true) => out.sql("coalesce("),
    }
    out.column("team_id");
    for (at, id) in teams.iter().enumerate() {
        out.sql(if at == 0 { " in (" } else { ", " });
        out.id(id.as_bytes());
    }
    out.sql(if deny { "), 1)" } else { "))" });
}
