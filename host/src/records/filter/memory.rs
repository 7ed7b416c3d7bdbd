//! The back-end in memory: whether a filter holds of one row. Agrees with `sql.rs`; a property test holds that.

use std::cmp::Ordering;
use std::str::FromStr as _;
use std::sync::Arc;

use serde_json::Value as Json;

use super::{Filter, Has, Op, Path, Test, period, shown};
use crate::ids::RecordId;
use crate::records::derived::targets;
use crate::records::error::RecordError;
use crate::records::schema::{Entity, Field, ID, Kind, Target};
use crate::records::value::Value;
use crate::storage::folded;

/// Whether a row of an entity satisfies what stands inside a `has`.
pub type Satisfies<'a> = dyn Fn(&Entity, &[Value]) -> Result<bool, RecordError> + 'a;

/// A record as a filter sees it: its entity, and the values of all its columns.
pub type Row = (Arc<Entity>, Vec<Value>);

/// Where the records come from that a filter looks at through relations.
pub trait Related {
    /// The record of `target` with this id: its entity and the values of all its columns. `None` when there is none that
    /// counts: deleted, or not readable for whoever asks.
    ///
    /// # Errors
    /// A file fails.
    fn row(&self, target: &Target, id: RecordId) -> Result<Option<Row>, RecordError>;

    /// Whether a record of `referrer` refers to the record `id` through its field `field` and satisfies the test.
    ///
    /// # Errors
    /// A file fails, or the test does.
    fn has(
        &self,
        referrer: &Target,
        field: &str,
        id: RecordId,
        satisfies: &Satisfies<'_>,
    ) -> Result<bool, RecordError>;
}

/// No related record is there: for filters on a row alone.
pub struct NoRelated;

impl Related for NoRelated {
    fn row(&self, _: &Target, _: RecordId) -> Result<Option<Row>, RecordError> {
        Ok(None)
    }

    fn has(&self, _: &Target, _: &str, _: RecordId, _: &Satisfies<'_>) -> Result<bool, RecordError> {
        Ok(false)
    }
}

impl Filter {
    /// Whether it holds of the row with these values, one for each column of the entity.
    ///
    /// # Errors
    /// The filter names a field that the entity does not have, or `related` fails.
    pub fn matches(
        &self,
        entity: &Entity,
        values: &[Value],
        related: &dyn Related,
    ) -> Result<bool, RecordError> {
        match self {
            Self::And(parts) => {
                for part in parts {
                    if !part.matches(entity, values, related)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Or(parts) => {
                for part in parts {
                    if part.matches(entity, values, related)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(inner) => Ok(!inner.matches(entity, values, related)?),
            Self::Test(test) => test.matches(entity, values),
            Self::Path(path) => path.matches(entity, values, related),
            Self::Has(has) => has.matches(values, related),
            Self::Tagged(_) => Err(RecordError::bad("invalid_filter", "`tags` cannot be asked about here")),
            Self::Among(ids) => Ok(values.get(ID).and_then(Value::id).is_some_and(|id| ids.contains(&id))),
        }
    }
}

impl Path {
    fn matches(&self, entity: &Entity, values: &[Value], related: &dyn Related) -> Result<bool, RecordError> {
        let field = known(entity, &self.field)?;
        let value = values.get(field.column).unwrap_or(&Value::Null);
        let ids = match &field.kind {
            Kind::References(..) => targets(value),
            _ => value.id().into_iter().collect(),
        };
        for id in ids {
            if let Some((target, row)) = related.row(&self.target, id)?
                && self.inner.matches(&target, &row, related)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Has {
    fn matches(&self, values: &[Value], related: &dyn Related) -> Result<bool, RecordError> {
        let Some(id) = values.get(ID).and_then(Value::id) else {
            return Ok(false); // a record that is not made yet: nothing refers to it
        };
        let satisfies = |entity: &Entity, row: &[Value]| self.inner.matches(entity, row, related);
        related.has(&self.referrer, &self.field, id, &satisfies)
    }
}

/// The field that a filter was made for.
pub(super) fn known<'e>(entity: &'e Entity, key: &str) -> Result<&'e Field, RecordError> {
    entity.attribute(key).ok_or_else(|| {
        let detail = format!("`{}` is not a field of {} any more", shown(key), entity.object);
        RecordError::bad("unknown_field", detail)
    })
}

impl Test {
    fn matches(&self, entity: &Entity, values: &[Value]) -> Result<bool, RecordError> {
        let field = known(entity, &self.field)?;
        let value = values.get(field.column).unwrap_or(&Value::Null);
        if self.op == Op::Empty {
            let wanted = self.values.first() == Some(&Value::Integer(1));
            let empty = match self.part {
                Some(part) => member(value, part).is_null(),
                None => value.is_null(),
            };
            return Ok(empty == wanted);
        }
        Ok(match &field.kind {
            Kind::Options(_) => self.one_of(&choices(value)),
            Kind::References(..) => {
                self.one_of(&targets(value).into_iter().map(Value::from).collect::<Vec<_>>())
            }
            Kind::Money => self.amount(value, values.get(field.column + 1).unwrap_or(&Value::Null)),
            _ => match self.part {
                Some(part) => self.single(field, &member(value, part))?,
                None => self.single(field, value)?,
            },
        })
    }

    /// Of a field with several values.
    fn one_of(&self, present: &[Value]) -> bool {
        let any = self.values.iter().any(|wanted| present.contains(wanted));
        if self.op == Op::Nin { !any } else { any }
    }

    fn amount(&self, value: &Value, currency: &Value) -> bool {
        let pairs = self.values.iter().zip(&self.currencies);
        let mut comparable = pairs.filter(|(_, code)| currency.text() == Some(code));
        let any = comparable.any(|(wanted, _)| ordered(self.op, value, wanted));
        if matches!(self.op, Op::Ne | Op::Nin) { !any } else { any }
    }

    fn single(&self, field: &Field, value: &Value) -> Result<bool, RecordError> {
        let text = || self.values.first().and_then(Value::text).unwrap_or_default();
        Ok(match self.op {
            Op::Contains => value.text().is_some_and(|hay| folded(hay).contains(&*folded(text()))),
            Op::Starts => value.text().is_some_and(|hay| folded(hay).starts_with(&*folded(text()))),
            Op::Within => {
                let (from, until) = period::bounds(field, self.span.as_ref())?;
                ordered(Op::Gte, value, &from) && ordered(Op::Lt, value, &until)
            }
            op => {
                let any = self.values.iter().any(|wanted| ordered(op, value, wanted));
                if matches!(op, Op::Ne | Op::Nin) { !any } else { any }
            }
        })
    }
}

/// Whether two values stand as the operator says; the negative ones ask for equality. Absent values do not.
fn ordered(op: Op, value: &Value, wanted: &Value) -> bool {
    let order = match (value, wanted) {
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Id(a), Value::Id(b)) => a.cmp(b),
        _ => return false,
    };
    match op {
        Op::Gt => order == Ordering::Greater,
        Op::Gte => order != Ordering::Less,
        Op::Lt => order == Ordering::Less,
        Op::Lte => order != Ordering::Greater,
        _ => order == Ordering::Equal,
    }
}

/// The keys of an `options` value.
fn choices(value: &Value) -> Vec<Value> {
    let keys: Vec<String> = value.text().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    keys.into_iter().map(Value::Text).collect()
}

/// One member of an address.
fn member(value: &Value, part: &str) -> Value {
    let address = value.text().and_then(|text| Json::from_str(text).ok());
    let text = address.as_ref().and_then(|address| address.get(part)).and_then(Json::as_str);
    text.map_or(Value::Null, |text| Value::Text(text.to_owned()))
}
