//! The filter language: one syntax tree behind the query string, its JSON form and whatever else selects records (views,
//! rules, segments), with two back-ends that agree: SQL with every value bound, and rows in memory.
//!
//! Every filter is total: it holds of a record or it does not. An absent value equals nothing, so `ne` and `nin` hold of
//! it; `not` is the complement; a negative test over a relation is the complement of the positive one. A related record
//! that the caller may not read is absent.
//!
//! Reading order: this file, `parse.rs` (text and JSON to tree), `operand.rs` (which operator a field has, and what with),
//! `path.rs` (names of relations), `period.rs` (words for spans of time), `sql.rs`, `compare.rs`, `elsewhere.rs` (what
//! another file answers), `people.rs`, `memory.rs`.

mod compare;
mod elsewhere;
mod memory;
mod operand;
mod parse;
mod path;
pub(in crate::records) mod people;
pub mod period;
mod sql;
mod tags;

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::error::RecordError;
use super::schema::{Entity, Field, Module, Target};
use super::value::Value;
use super::{Scope, SettingsByPlugin};
use crate::clock::UnixMillis;
use crate::ids::RecordId;
use crate::organizations::Organization;

pub use self::memory::{NoRelated, Related, Row, Satisfies};
pub use self::operand::operators;
pub use self::parse::{parse_json, parse_query};
pub use self::path::target_of;
pub use self::people::person_row;
pub use self::period::Calendar;
pub(in crate::records) use self::sql::Compiler;
pub use self::sql::{Condition, Sight};

/// Deepest nesting of and, or, not and of filters on related records.
pub const DEPTH: usize = 8;
/// Most tests in one filter.
pub const TESTS: usize = 64;
/// Most values of one `in`.
pub const LIST: usize = 200;
/// Most references from a record to the field that is tested.
pub const HOPS: usize = 3;
/// Most relations that one filter looks through: each is a query of its own.
pub const RELATIONS: usize = 8;
/// Most records of another file that one test may match: their ids travel.
pub const WIDTH: usize = if cfg!(test) { 50 } else { 50_000 }; // a test fills it
/// Longest text to search for, in bytes.
pub const PATTERN: usize = 100;

/// The setting of the host with the month in which the organization's fiscal year starts, 1 to 12.
const FISCAL_START: &str = "fiscal_year_start_month";

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
    /// One of; of several values, any.
    In,
    /// None of; an absent value is none of them.
    Nin,
    /// Contains the text, letters of either case; of several values: has this one.
    Contains,
    /// Starts with the text, letters of either case.
    Starts,
    /// `true`: has no value; `false`: has one.
    Empty,
    /// A related record is there.
    Has,
    /// No related record is there.
    HasNo,
    /// Lies in a span of time that is named relative to today.
    Within,
}

impl Op {
    /// Every operator with its word.
    pub const ALL: [(&'static str, Self); 14] = [
        ("eq", Self::Eq),
        ("ne", Self::Ne),
        ("gt", Self::Gt),
        ("gte", Self::Gte),
        ("lt", Self::Lt),
        ("lte", Self::Lte),
        ("in", Self::In),
        ("nin", Self::Nin),
        ("contains", Self::Contains),
        ("starts", Self::Starts),
        ("empty", Self::Empty),
        ("has", Self::Has),
        ("has_no", Self::HasNo),
        ("within", Self::Within),
    ];

    /// The operator that is written so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(word, _)| *word == text).map(|(_, op)| *op)
    }

    /// How it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, op)| *op == self).map_or("eq", |(word, _)| word)
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
    Test(Test),
    /// A record that a field refers to is there and satisfies a filter.
    Path(Path),
    /// A record that refers to this one is there and satisfies a filter.
    Has(Has),
    /// Its id is one of these. The host makes this one; no text does.
    Among(Arc<[RecordId]>),
    /// It has one of these tags, as they are compared; none: any tag. Tags stand beside the row, so that only SQL sees them.
    Tagged(Arc<[String]>),
}

/// A field compares.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// The field's key.
    pub field: Arc<str>,
    /// Which member of an address, if not the whole.
    pub part: Option<&'static str>,
    /// How.
    pub op: Op,
    /// With what, in stored form. For `empty` 1 or 0; nothing for `within`.
    pub values: Vec<Value>,
    /// For money: the currency of each value. Amounts of different currencies are never compared.
    pub currencies: Vec<String>,
    /// For `within`.
    pub span: Option<Within>,
}

/// A span of time named relative to an instant.
#[derive(Clone, PartialEq)]
pub struct Within {
    /// `this_month`
    pub word: Arc<str>,
    /// Relative to when.
    pub at: UnixMillis,
    /// In whose zone and fiscal year.
    pub calendar: Arc<Calendar>,
}

impl fmt::Debug for Within {
    /// As written: two pages of one list differ in the instant and are still of one list.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word)
    }
}

/// A record that a field refers to.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// The key of the reference.
    pub field: Arc<str>,
    /// To records of what.
    pub target: Target,
    /// What the record must satisfy.
    pub inner: Box<Filter>,
}

/// A record that refers to the one in question.
#[derive(Clone, Debug, PartialEq)]
pub struct Has {
    /// Records of what.
    pub referrer: Target,
    /// The key of their reference.
    pub field: Arc<str>,
    /// What such a record must satisfy.
    pub inner: Box<Filter>,
}

impl Filter {
    /// The filter that every record satisfies.
    #[must_use]
    pub const fn all() -> Self {
        Self::And(Vec::new())
    }

    /// Whether it is [`Filter::all`].
    #[must_use]
    pub fn is_all(&self) -> bool {
        matches!(self, Self::And(parts) if parts.is_empty())
    }

    /// This and that.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (one, other) if one.is_all() => other,
            (one, other) if other.is_all() => one,
            (one, other) => Self::And(vec![one, other]),
        }
    }

    /// The instant that its spans of time are relative to, if it has any.
    #[must_use]
    pub fn instant(&self) -> Option<UnixMillis> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().find_map(Self::instant),
            Self::Not(inner) => inner.instant(),
            Self::Test(test) => test.span.as_ref().map(|span| span.at),
            Self::Path(path) => path.inner.instant(),
            Self::Has(has) => has.inner.instant(),
            Self::Among(_) | Self::Tagged(_) => None,
        }
    }

    /// The same filter, its spans of time relative to `instant`: a walk through pages keeps the day on which it began.
    #[must_use]
    pub fn at(mut self, instant: UnixMillis) -> Self {
        self.shift(instant);
        self
    }

    fn shift(&mut self, instant: UnixMillis) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter_mut().for_each(|part| part.shift(instant)),
            Self::Not(inner) => inner.shift(instant),
            Self::Test(test) => test.span.iter_mut().for_each(|span| span.at = instant),
            Self::Path(path) => path.inner.shift(instant),
            Self::Has(has) => has.inner.shift(instant),
            Self::Among(_) | Self::Tagged(_) => {}
        }
    }

    /// The keys of the fields of the record itself that it looks at, each once.
    #[must_use]
    pub fn fields(&self) -> Vec<Arc<str>> {
        let mut keys = Vec::new();
        self.collect(&mut keys);
        keys
    }

    fn collect(&self, keys: &mut Vec<Arc<str>>) {
        let key = match self {
            Self::And(parts) | Self::Or(parts) => return parts.iter().for_each(|part| part.collect(keys)),
            Self::Not(inner) => return inner.collect(keys),
            Self::Test(test) => &test.field,
            Self::Path(path) => &path.field,
            Self::Has(_) | Self::Among(_) | Self::Tagged(_) => return,
        };
        if !keys.contains(key) {
            keys.push(Arc::clone(key));
        }
    }
}

/// What a filter is read against: the modules as the organization has them, its calendar and currency, and who asks.
#[derive(Clone)]
pub struct Context<'a> {
    /// The modules in which relations are looked for.
    pub modules: &'a [Arc<Module>],
    /// Whose currency amounts without one are in.
    pub organization: &'a Organization,
    /// Its zone and fiscal year.
    pub calendar: Arc<Calendar>,
    /// What "today" is relative to.
    pub now: UnixMillis,
    /// Whose rights on fields hold; `None` for the organization's own rules.
    pub reader: Option<&'a Scope>,
}

impl<'a> Context<'a> {
    /// For what a caller asks.
    #[must_use]
    pub fn of(scope: &'a Scope, now: UnixMillis) -> Self {
        let calendar = calendar(&scope.organization, &scope.settings);
        Self {
            modules: &scope.modules,
            organization: &scope.organization,
            calendar,
            now,
            reader: Some(scope),
        }
    }

    /// For what the organization itself has laid down: nobody's rights are asked.
    #[must_use]
    pub fn rules(
        modules: &'a [Arc<Module>],
        organization: &'a Organization,
        settings: &SettingsByPlugin,
        now: UnixMillis,
    ) -> Self {
        Self { modules, organization, calendar: calendar(organization, settings), now, reader: None }
    }

    /// The entity of a reference's target, if the organization has it.
    fn entity(&self, target: &Target) -> Option<Arc<Entity>> {
        if &*target.plugin == people::HOST {
            return people::entity(&target.entity);
        }
        self.modules.iter().find(|module| module.plugin == target.plugin)?.entity(&target.entity)
    }

    /// The field that a filter names, if there is one.
    fn field<'e>(&self, entity: &'e Entity, key: &str) -> Result<Option<&'e Field>, RecordError> {
        match self.reader {
            _ if &*entity.plugin == people::HOST => Ok(entity.field(key)),
            Some(scope) => scope.field(entity, key),
            None => Ok(entity.attribute(key)),
        }
    }
}

/// The calendar of an organization. Both the zone and the month were checked when they were set; what a file says
/// otherwise counts as UTC and January.
fn calendar(organization: &Organization, settings: &SettingsByPlugin) -> Arc<Calendar> {
    let month = settings.get("host").and_then(|host| host.get(FISCAL_START));
    let month = month.and_then(|text| text.parse().ok()).filter(|month| (1..=12).contains(month));
    let zone = TimeZone::get(&organization.zone).unwrap_or(TimeZone::UTC);
    Arc::new(Calendar { zone, fiscal_start: month.unwrap_or(1) })
}

/// Appends `?n` for a value.
pub fn bind(value: Value, sql: &mut String, params: &mut Vec<Value>) {
    params.push(value);
    let _ = write!(sql, "?{}", params.len());
}

/// A name out of a request, fit for a message.
fn shown(name: &str) -> String {
    name.chars().filter(|sign| !sign.is_control()).take(64).collect()
}
