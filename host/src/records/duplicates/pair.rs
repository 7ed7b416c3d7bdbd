//! Two records under one rule: how alike they are, criterion by criterion, and what that makes together.

use serde_json::{Value as Json, json};

use super::method::similarity;
use super::normalize::{Form, Region, form};
use super::rule::{Criterion, Method, Rule, Sort, fields};
use crate::records::schema::Entity;
use crate::records::value::Value;

/// The values of one record that a rule compares, in their common form: one for each criterion.
pub type Forms = Vec<Option<Form>>;

/// Which fields of a rule's criteria are read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// Those of the entity that has the rule.
    Own,
    /// Those of the entity that it is compared with.
    Opposite,
}

impl End {
    /// The field keys that a criterion names at this end.
    #[must_use]
    pub fn keys(self, criterion: &Criterion) -> &str {
        match self {
            Self::Own => &criterion.field,
            Self::Opposite => criterion.opposite(),
        }
    }
}

/// What the criteria of a rule compare of this record.
#[must_use]
pub fn forms(rule: &Rule, end: End, entity: &Entity, values: &[Value], region: Region) -> Forms {
    let one = |criterion: &Criterion| form_of(criterion, end.keys(criterion), entity, values, region);
    rule.criteria.iter().map(one).collect()
}

fn form_of(
    criterion: &Criterion,
    keys: &str,
    entity: &Entity,
    values: &[Value],
    region: Region,
) -> Option<Form> {
    let texts = fields(entity, keys).filter_map(|field| match values.get(field.column)? {
        Value::Null => None,
        Value::Text(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Id(bytes) => Some(crate::ids::RecordId::from_bytes(*bytes).to_string()),
    });
    let raw = texts.collect::<Vec<_>>().join(" ");
    if criterion.method == Method::Exact {
        return Form::plain(raw.trim().to_owned());
    }
    form(criterion.kind, &raw, region, criterion.provider_rules)
}

/// How a pair fares under one criterion.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Compared {
    /// In percent.
    pub similarity: u8,
    /// Whether it reaches the criterion's threshold.
    pub counts: bool,
    /// Whether two companies have the same name but different legal forms.
    pub other_legal_form: bool,
}

/// How a pair fares under a rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Score {
    /// The weighted total in percent.
    pub total: u8,
    /// Whether the rule takes the two for one.
    pub matches: bool,
    /// Whether they could be merged without anybody looking: everything compared is the same, legal forms included.
    pub automatic: bool,
    /// One for each criterion.
    pub criteria: Vec<Compared>,
}

/// Compares two records under a rule.
#[must_use]
pub fn score(rule: &Rule, a: &[Option<Form>], b: &[Option<Form>]) -> Score {
    let sides = a.iter().zip(b);
    let criteria: Vec<Compared> =
        rule.criteria.iter().zip(sides).map(|(criterion, (a, b))| compare(criterion, a, b)).collect();
    let weight: u64 = rule.criteria.iter().map(|criterion| u64::from(criterion.weight)).sum();
    let counted = rule.criteria.iter().zip(&criteria).filter(|(_, compared)| compared.counts);
    let sum: u64 = counted
        .map(|(criterion, compared)| u64::from(criterion.weight) * u64::from(compared.similarity))
        .sum();
    let total = u8::try_from(sum / weight.max(1)).unwrap_or(100);
    // Two records without any value are not the same thing: something must have been compared.
    let compared =
        a.iter().zip(b).zip(&criteria).any(|((a, b), one)| a.is_some() && b.is_some() && one.counts);
    Score {
        total,
        matches: compared && total >= rule.threshold,
        automatic: total == 100 && !criteria.iter().any(|compared| compared.other_legal_form),
        criteria,
    }
}

fn compare(criterion: &Criterion, a: &Option<Form>, b: &Option<Form>) -> Compared {
    let (Some(a), Some(b)) = (a, b) else {
        let both = a.is_none() && b.is_none() && criterion.null_matches;
        return Compared { similarity: if both { 100 } else { 0 }, counts: both, other_legal_form: false };
    };
    let similarity = similarity(criterion.kind, criterion.method, a, b);
    let legal = a.legal.as_ref().zip(b.legal.as_ref());
    Compared {
        similarity,
        counts: similarity >= criterion.threshold,
        other_legal_form: criterion.kind == Sort::Company && legal.is_some_and(|(a, b)| a != b),
    }
}

impl Score {
    /// What was compared and what came of it, for people and programs.
    #[must_use]
    pub fn explanation(&self, rule: &Rule) -> Json {
        let one = |(criterion, compared): (&Criterion, &Compared)| {
            let mut line = json!({
                "field": criterion.field,
                "kind": criterion.kind.as_str(),
                "method": criterion.method.as_str(),
                "similarity": compared.similarity,
                "weight": criterion.weight,
                "counts": compared.counts,
            });
            if let Some(members) = line.as_object_mut() {
                if let Some(other) = &criterion.other {
                    members.insert("other".into(), other.as_str().into());
                }
                if compared.other_legal_form {
                    members.insert("legal_forms".into(), "different".into());
                }
            }
            line
        };
        rule.criteria.iter().zip(&self.criteria).map(one).collect()
    }
}
