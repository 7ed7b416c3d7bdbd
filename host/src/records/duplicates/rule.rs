//! Matching rules: which fields of two records are compared how, when that makes them duplicates, and what then happens
//! to a write.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::records::error::Fault;
use crate::records::schema::{Entity, Field, Kind, Stored};

/// Most rules of one entity.
const RULES: usize = 10;
/// Most criteria of one rule: each costs stored keys for every record.
const CRITERIA: usize = 10;
/// Most fields that one criterion joins.
const JOINED: usize = 4;
/// Heaviest criterion.
const HEAVIEST: u32 = 1_000;

/// What a field's values are, and so how they are brought to a common form.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// E-mail addresses.
    Email,
    /// Telephone numbers.
    Phone,
    /// The registrable domain of an address on the web or of an e-mail address.
    Domain,
    /// Names of companies.
    Company,
    /// Names of people.
    Person,
    /// Postal addresses.
    Postal,
    /// Anything else.
    Text,
}

impl Sort {
    /// The word of the rule's JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Domain => "domain",
            Self::Company => "company",
            Self::Person => "person",
            Self::Postal => "postal",
            Self::Text => "text",
        }
    }

    /// Whether values are words, which can be alike without being the same.
    #[must_use]
    pub const fn worded(self) -> bool {
        matches!(self, Self::Company | Self::Person | Self::Text)
    }

    /// Whether a field of this kind can hold such values.
    const fn fits(self, kind: &Kind, method: Method) -> bool {
        match self {
            Self::Email => matches!(kind, Kind::Email | Kind::Text),
            Self::Phone => matches!(kind, Kind::Phone | Kind::Text),
            Self::Domain => matches!(kind, Kind::Url | Kind::Email | Kind::Text),
            Self::Company | Self::Person => matches!(kind, Kind::Text),
            Self::Postal => matches!(kind, Kind::Address),
            Self::Text if matches!(method, Method::Exact) => !kind.structured(),
            Self::Text => !kind.structured() && matches!(kind.stored(), Stored::Text),
        }
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// As they stand.
    Exact,
    /// In their common form.
    #[default]
    Normalized,
    /// By Jaro-Winkler: typing errors, the beginning counts most.
    JaroWinkler,
    /// By the share of common groups of three letters.
    Trigram,
    /// By how they sound (double metaphone).
    Phonetic,
}

impl Method {
    /// The word of the rule's JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Normalized => "normalized",
            Self::JaroWinkler => "jaro_winkler",
            Self::Trigram => "trigram",
            Self::Phonetic => "phonetic",
        }
    }

    /// Whether values can be alike without being the same.
    #[must_use]
    pub const fn fuzzy(self) -> bool {
        matches!(self, Self::JaroWinkler | Self::Trigram | Self::Phonetic)
    }
}

/// One comparison.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// The field; several joined with `+`, such as `first_name+last_name`.
    pub field: String,
    /// The field of the other entity, when it is called otherwise there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
    /// What the values are.
    pub kind: Sort,
    /// How they are compared.
    #[serde(default)]
    pub method: Method,
    /// Similarity in percent below which it counts as none.
    #[serde(default = "hundred")]
    pub threshold: u8,
    /// How much it counts beside the others.
    #[serde(default = "one")]
    pub weight: u32,
    /// Whether two records that both have no value are alike in it.
    #[serde(default)]
    pub null_matches: bool,
    /// For e-mail addresses: whether what large providers ignore (dots, `+tags`) is ignored.
    #[serde(default, skip_serializing_if = "is_false")]
    pub provider_rules: bool,
}

const fn hundred() -> u8 {
    100
}

const fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Criterion {
    /// The field of the records it is compared with.
    #[must_use]
    pub fn opposite(&self) -> &str {
        self.other.as_deref().unwrap_or(&self.field)
    }
}

/// What happens to a write that would make a duplicate.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// It is written, and the pair is reported among the duplicate sets.
    AllowAndReport,
    /// It is refused unless the caller gives a reason.
    Warn,
    /// It is refused unless the caller may bypass the rule and gives a reason.
    Block,
}

/// What happens, by operation.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Policies {
    /// A record is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create: Option<Policy>,
    /// A record's compared fields change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<Policy>,
    /// A line of an import makes or changes a record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<Policy>,
}

impl Policies {
    /// Whether an import is not asked: nothing is said of imports, and new records are not refused either.
    #[must_use]
    pub fn reports_imports_later(&self) -> bool {
        self.import.is_none() && self.of(true, true) == Policy::AllowAndReport
    }

    /// What holds for a write; what is not said is reported only.
    #[must_use]
    pub fn of(&self, import: bool, new: bool) -> Policy {
        let plain = if new { self.create } else { self.update };
        self.import.filter(|_| import).or(plain).unwrap_or(Policy::AllowAndReport)
    }
}

/// When two records are taken for one.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Lower-case key, unique within the entity.
    pub key: String,
    /// For people.
    pub label: String,
    /// What is compared.
    pub criteria: Vec<Criterion>,
    /// Percent of the criteria's weight from which two records are duplicates.
    #[serde(default = "hundred")]
    pub threshold: u8,
    /// The entity whose records it is compared with, `plugin.entity`; its own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// What happens to a write.
    #[serde(default)]
    pub on: Policies,
}

impl Rule {
    /// Everything that is wrong with the rule for `entity`, with pointers into the rule. `other` is the entity that it
    /// is compared with, if that is another one and known.
    #[must_use]
    pub fn check(&self, entity: &Entity, other: Option<&Entity>) -> Vec<Fault> {
        let mut faults = Vec::new();
        if !is_key(&self.key) {
            faults.push(Fault::at("key", "invalid_key", "a key is lower-case letters, digits and `_`"));
        }
        if self.label.is_empty() {
            faults.push(Fault::at("label", "required", "a rule has a label for people"));
        }
        if self.criteria.is_empty() || self.criteria.len() > CRITERIA {
            let detail = format!("a rule has 1 to {CRITERIA} criteria");
            faults.push(Fault::at("criteria", "invalid_criteria", detail));
        }
        if !(1..=100).contains(&self.threshold) {
            faults.push(Fault::at("threshold", "invalid_threshold", "a threshold is a percentage, 1 to 100"));
        }
        if self.against.as_deref().is_some_and(|object| object == &*entity.object || !object.contains('.')) {
            let detail = "names another entity, `plugin.entity`; leave it out to compare with the same one";
            faults.push(Fault::at("against", "invalid_against", detail));
        }
        for (at, criterion) in self.criteria.iter().enumerate() {
            let own = |fault: Fault| Fault { pointer: format!("/criteria/{at}{}", fault.pointer), ..fault };
            faults.extend(criterion.check(self.against.is_some(), entity, other).into_iter().map(own));
        }
        faults
    }

    /// Whether the rule compares records of one entity with each other.
    #[must_use]
    pub const fn within(&self) -> bool {
        self.against.is_none()
    }
}

impl Criterion {
    fn check(&self, across: bool, entity: &Entity, other: Option<&Entity>) -> Vec<Fault> {
        let mut faults = Vec::new();
        if !(1..=100).contains(&self.threshold) {
            faults.push(Fault::at("threshold", "invalid_threshold", "a threshold is a percentage, 1 to 100"));
        }
        if !(1..=HEAVIEST).contains(&self.weight) {
            faults.push(Fault::at("weight", "invalid_weight", format!("a weight is 1 to {HEAVIEST}")));
        }
        if self.method.fuzzy() && !self.kind.worded() {
            let detail = format!(
                "`{}` compares words; use `normalized` or `exact` for `{}`",
                self.method.as_str(),
                self.kind.as_str()
            );
            faults.push(Fault::at("method", "invalid_method", detail));
        }
        if self.provider_rules && self.kind != Sort::Email {
            faults.push(Fault::at(
                "provider_rules",
                "invalid_provider_rules",
                "is for the kind `email` only",
            ));
        }
        self.check_fields("field", &self.field, entity, &mut faults);
        match (&self.other, across) {
            (Some(_), false) => {
                faults.push(Fault::at("other", "invalid_other", "is for rules that name `against` only"));
            }
            (_, true) => {
                let Some(other) = other else { return faults };
                let member = if self.other.is_some() { "other" } else { "field" };
                self.check_fields(member, self.opposite(), other, &mut faults);
                if !self.is_kept_by(other) {
                    let detail = format!(
                        "{} has no rule of its own that compares `{}` in this way, so nothing is found by it; \
                         give it one first",
                        other.object,
                        self.opposite()
                    );
                    faults.push(Fault::at(member, "no_keys", detail));
                }
            }
            _ => {}
        }
        faults
    }

    fn check_fields(&self, member: &str, keys: &str, entity: &Entity, faults: &mut Vec<Fault>) {
        let names: Vec<&str> = keys.split('+').collect();
        let distinct: HashSet<&str> = names.iter().copied().collect();
        if names.len() > JOINED || distinct.len() < names.len() || names.len() > 1 && !self.kind.worded() {
            let detail = format!("joins up to {JOINED} different fields of words with `+`");
            faults.push(Fault::at(member, "invalid_field", detail));
        }
        for name in names {
            let shown: String = name.chars().take(64).collect();
            match entity.field(name) {
                None => {
                    let detail = format!("`{shown}` is no field of {}", entity.object);
                    faults.push(Fault::at(member, "unknown_field", detail));
                }
                Some(field) if !self.kind.fits(&field.kind, self.method) => {
                    let detail = format!(
                        "the type of `{shown}` cannot be compared as `{}` by `{}`",
                        self.kind.as_str(),
                        self.method.as_str()
                    );
                    faults.push(Fault::at(member, "invalid_field", detail));
                }
                Some(_) => {}
            }
        }
    }

    /// Whether records of `other` have keys by which this criterion finds them.
    fn is_kept_by(&self, other: &Entity) -> bool {
        let mut kept = other.duplicates.iter().filter(|rule| rule.within()).flat_map(|rule| &rule.criteria);
        kept.any(|kept| {
            let alike = kept.method == self.method || kept.method.fuzzy() && self.method.fuzzy();
            kept.field == self.opposite()
                && kept.kind == self.kind
                && alike
                && kept.provider_rules == self.provider_rules
        })
    }
}

/// Everything that is wrong with the rules of an entity, with pointers into the list. `known` answers other entities by
/// `plugin.entity`, as far as they are known yet.
pub fn check_all(rules: &[Rule], entity: &Entity, known: impl Fn(&str) -> Option<Arc<Entity>>) -> Vec<Fault> {
    let mut faults = Vec::new();
    if rules.len() > RULES {
        faults.push(Fault {
            pointer: String::new(),
            code: "too_many_rules".into(),
            detail: format!("an entity has {RULES} matching rules at most"),
        });
    }
    let mut seen = HashSet::new();
    for (at, rule) in rules.iter().enumerate() {
        let other = rule.against.as_deref().and_then(&known);
        let own = |fault: Fault| Fault { pointer: format!("/{at}{}", fault.pointer), ..fault };
        faults.extend(rule.check(entity, other.as_deref()).into_iter().map(own));
        if !seen.insert(rule.key.as_str()) {
            faults.push(own(Fault::at("key", "duplicate_key", "another rule has this key")));
        }
    }
    faults
}

/// The fields that a criterion's `field` names, in order.
pub(super) fn fields<'e>(entity: &'e Entity, keys: &'e str) -> impl Iterator<Item = &'e Field> {
    keys.split('+').filter_map(|key| entity.field(key))
}

fn is_key(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
