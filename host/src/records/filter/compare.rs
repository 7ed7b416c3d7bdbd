//! The SQL of one test: a column, an operator, values.

use super::memory::known;
use super::sql::Compiler;
use super::{Op, Test, period};
use crate::records::error::RecordError;
use crate::records::schema::{Entity, Kind};
use crate::records::value::Value;
use crate::storage::folded;

impl Compiler<'_> {
    /// Writes the test of a field of the records that stand in the statement as `alias`.
    pub(super) fn test(&mut self, test: &Test, entity: &Entity, alias: &str) -> Result<(), RecordError> {
        let field = known(entity, &test.field)?;
        let column = match test.part {
            Some(part) => format!("json_extract({alias}.\"{}\", '$.{part}')", field.key),
            None => format!("{alias}.\"{}\"", field.key),
        };
        self.push("(");
        match (&field.kind, test.op) {
            (_, Op::Empty) => {
                let empty = test.values.first() == Some(&Value::Integer(1));
                self.push(&format!("{column} is {}null", if empty { "" } else { "not " }));
            }
            (Kind::Options(_), op) => {
                let none = if op == Op::Nin { "not " } else { "" };
                self.push(&format!("{none}exists (select 1 from json_each({column}) where value in "));
                self.list(&test.values);
                self.push(")");
            }
            (Kind::References(..), op) => {
                let none = if op == Op::Nin { "not " } else { "" };
                let schema = &self.schema;
                let linked = format!(
                    "{alias}.id {none}in (select l.record from {schema}_stoa_links as l where l.entity = "
                );
                self.push(&linked);
                self.text(&entity.key);
                self.push(" and l.field = ");
                self.text(&field.key);
                self.push(" and l.target in ");
                self.list(&test.values);
                self.push(")");
            }
            (Kind::Money, _) => self.money(&column, &format!("{alias}.\"{}_currency\"", field.key), test),
            (_, Op::Within) => {
                let (from, until) = period::bounds(field, test.span.as_ref())?;
                self.push(&format!("{column} >= "));
                self.value(from);
                self.push(&format!(" and {column} < "));
                self.value(until);
            }
            _ => self.single(&column, test),
        }
        self.push(")");
        Ok(())
    }

    fn list(&mut self, values: &[Value]) {
        self.push("(");
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            self.value(value.clone());
        }
        self.push(")");
    }

    fn single(&mut self, column: &str, test: &Test) {
        let first = test.values.first().cloned().unwrap_or_default();
        let symbol = match test.op {
            Op::In => {
                self.push(&format!("{column} in "));
                return self.list(&test.values);
            }
            Op::Nin => {
                self.push(&format!("{column} is null or {column} not in "));
                return self.list(&test.values);
            }
            Op::Contains | Op::Starts => {
                let function = if test.op == Op::Contains { "stoa_contains" } else { "stoa_starts" };
                self.push(&format!("{function}({column}, "));
                self.text(&folded(first.text().unwrap_or_default()));
                return self.push(")");
            }
            Op::Ne => "is not",
            Op::Gt => ">",
            Op::Gte => ">=",
            Op::Lt => "<",
            Op::Lte => "<=",
            _ => "=",
        };
        self.push(&format!("{column} {symbol} "));
        self.value(first);
    }

    /// Amounts, each in its currency: equality is a choice among pairs, an order holds within one currency.
    fn money(&mut self, column: &str, currency: &str, test: &Test) {
        let negated = matches!(test.op, Op::Ne | Op::Nin);
        self.push(if negated { "not coalesce((" } else { "(" });
        let symbol = match test.op {
            Op::Gt => ">",
            Op::Gte => ">=",
            Op::Lt => "<",
            Op::Lte => "<=",
            _ => "=",
        };
        for (at, (value, code)) in test.values.iter().zip(&test.currencies).enumerate() {
            self.push(&format!("{}({column} {symbol} ", if at > 0 { " or " } else { "" }));
            self.value(value.clone());
            self.push(&format!(" and {currency} = "));
            self.text(code);
            self.push(")");
        }
        self.push(if negated { "), 0)" } else { ")" });
    }
}
