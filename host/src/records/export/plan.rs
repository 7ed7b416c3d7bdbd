//! The columns of an export, and the text of each cell.

use std::fmt::Write as _;

use rusqlite::Row;
use rusqlite::types::ValueRef;
use uuid::Uuid;

use super::titles::Titles;
use crate::clock::rfc3339;
use crate::records::Scope;
use crate::records::error::RecordError;
use crate::records::input::ADDRESS;
use crate::records::json::Form;
use crate::records::money::{exponent, write_percent, write_scaled};
use crate::records::schema::{Entity, Field, Kind, Target};

/// The order of columns when none is asked for: identity first, then what was declared, then where it came from.
const LEADING: [&str; 8] =
    ["id", "version", "created_at", "updated_at", "created_by", "updated_by", "owner_id", "team_id"];
const TRAILING: [&str; 2] = ["source", "external_ids"];

/// What is read and what is written.
pub(super) struct Plan {
    /// What the SELECT lists.
    pub(super) select: String,
    /// Fields as members of JSON objects.
    pub(super) members: Vec<Member>,
    /// The columns of sheets.
    pub(super) columns: Vec<Column>,
    /// What titles are of.
    pub(super) targets: Vec<Target>,
}

/// A field as a member of a JSON object.
pub(super) struct Member {
    /// `"key":`
    pub(super) json_key: String,
    /// How its value is written.
    pub(super) form: Form,
    /// The column in the SELECT.
    pub(super) at: usize,
    /// The title beside it: its member's name, and of what.
    pub(super) title: Option<(String, usize)>,
}

/// A column of a sheet.
pub(super) struct Column {
    /// Its name, under which an import finds it.
    pub(super) name: String,
    /// The column in the SELECT.
    at: usize,
    part: Part,
}

/// Which part of a field stands in a column.
enum Part {
    Whole(Form),
    /// The text of a date.
    Date,
    /// Text that only the host writes: keys, numbers it gave.
    Plain,
    Currency,
    Member(&'static str),
    /// The texts of a JSON array.
    Items,
    Title(usize),
}

/// What the text of a cell is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Nature {
    /// There is none.
    Empty,
    /// Somebody wrote it: it may look like a formula.
    Text,
    /// The host wrote it.
    Plain,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `YYYY-MM-DD`.
    Date,
}

impl Plan {
    /// The plan for these fields.
    ///
    /// # Errors
    /// [`RecordError::BadRequest`] for a field that the entity does not have, or that stands twice.
    pub(super) fn new(
        scope: &Scope,
        entity: &Entity,
        fields: Option<&str>,
        titles: bool,
    ) -> Result<Self, RecordError> {
        let mut plan =
            Self { select: String::new(), members: Vec::new(), columns: Vec::new(), targets: Vec::new() };
        let mut at = 0;
        for field in chosen(scope, entity, fields)? {
            let money = matches!(field.kind, Kind::Money);
            if at > 0 {
                plan.select.push_str(", ");
            }
            let _ = write!(plan.select, "\"{}\"", field.key);
            if money {
                let _ = write!(plan.select, ", \"{}_currency\"", field.key);
            }
            plan.add(field, at, titles);
            at += if money { 2 } else { 1 };
        }
        Ok(plan)
    }

    fn add(&mut self, field: &Field, at: usize, titles: bool) {
        let key = &field.key;
        let mut column = |name: String, part: Part| self.columns.push(Column { name, at, part });
        match &field.kind {
            Kind::Money => {
                column(key.to_string(), Part::Whole(Form::Money));
                column(format!("{key}.currency"), Part::Currency);
            }
            Kind::Address => {
                for part in ADDRESS {
                    column(format!("{key}.{part}"), Part::Member(part));
                }
            }
            Kind::Options(_) | Kind::References(..) => column(key.to_string(), Part::Items),
            Kind::Date => column(key.to_string(), Part::Date),
            Kind::Option(_) => column(key.to_string(), Part::Plain),
            kind => column(key.to_string(), Part::Whole(Form::of(kind))),
        }
        let mut title = None;
        if let Kind::Reference(target, _) = &field.kind
            && titles
            && &**key != "id"
        {
            let of = self.targets.len();
            self.targets.push(target.clone());
            self.columns.push(Column { name: format!("{key}.title"), at, part: Part::Title(of) });
            title = Some((format!("\"{key}.title\":"), of));
        }
        self.members.push(Member {
            json_key: field.json_key.clone(),
            form: Form::of(&field.kind),
            at,
            title,
        });
    }
}

/// The fields that are asked for, in the order in which they are.
fn chosen<'a>(
    scope: &Scope,
    entity: &'a Entity,
    fields: Option<&str>,
) -> Result<Vec<&'a Field>, RecordError> {
    let Some(names) = fields else {
        let system = |keys: &'static [&'static str]| keys.iter().filter_map(|key| entity.attribute(key));
        let shown = entity.fields.iter().filter(|field| scope.shows(entity, field));
        return Ok(system(&LEADING).chain(shown).chain(system(&TRAILING)).collect());
    };
    let mut chosen: Vec<&Field> = Vec::new();
    for name in names.split(',') {
        let field =
            scope.field(entity, name)?.filter(|field| chosen.iter().all(|known| known.key != field.key));
        chosen.push(field.ok_or_else(|| {
            let name: String = name.chars().take(64).collect();
            let detail = format!("`{name}` is not a field of {}, or stands twice", entity.object);
            RecordError::bad("unknown_field", detail)
        })?);
    }
    Ok(chosen)
}

impl Column {
    /// Writes the cell of a row into `text`, which is emptied before.
    pub(super) fn write(
        &self,
        plan: &Plan,
        row: &Row<'_>,
        titles: &mut Titles<'_>,
        text: &mut String,
    ) -> Result<Nature, RecordError> {
        text.clear();
        let value = row.get_ref(self.at)?;
        if matches!(value, ValueRef::Null) {
            return Ok(Nature::Empty);
        }
        let second = || row.get_ref(self.at + 1);
        Ok(match &self.part {
            Part::Whole(Form::Money) => {
                let currency = second()?;
                whole(&Form::Money, value, currency, text)
            }
            Part::Whole(form) => whole(form, value, ValueRef::Null, text),
            Part::Date => plain(value, text, Nature::Date),
            Part::Plain => plain(value, text, Nature::Plain),
            Part::Currency => plain(second()?, text, Nature::Plain),
            Part::Member(name) => member(value, name, text),
            Part::Items => items(value, text),
            Part::Title(of) => {
                if let (ValueRef::Blob(id), Some(target)) = (value, plan.targets.get(*of)) {
                    titles.write(*of, target, id, text)?;
                }
                if text.is_empty() { Nature::Empty } else { Nature::Text }
            }
        })
    }
}

fn plain(value: ValueRef<'_>, text: &mut String, nature: Nature) -> Nature {
    match value.as_str() {
        Ok(value) if !value.is_empty() => {
            text.push_str(value);
            nature
        }
        _ => Nature::Empty,
    }
}

fn whole(form: &Form, value: ValueRef<'_>, second: ValueRef<'_>, text: &mut String) -> Nature {
    match (form, value) {
        (Form::Id, ValueRef::Blob(bytes)) => match Uuid::from_slice(bytes) {
            Ok(id) => {
                text.push_str(id.as_hyphenated().encode_lower(&mut [0; uuid::fmt::Hyphenated::LENGTH]));
                Nature::Plain
            }
            Err(_) => Nature::Empty,
        },
        (Form::Boolean, ValueRef::Integer(value)) => {
            text.push_str(if value == 0 { "false" } else { "true" });
            Nature::Boolean
        }
        (Form::Instant, ValueRef::Integer(value)) => {
            text.push_str(&rfc3339(value));
            Nature::Plain
        }
        (Form::Decimal(scale), ValueRef::Integer(value)) => {
            write_scaled(value, *scale, text);
            Nature::Number
        }
        (Form::Percent, ValueRef::Integer(value)) => {
            write_percent(value, text);
            Nature::Number
        }
        (Form::Money, ValueRef::Integer(value)) => match second.as_str() {
            // Half of an amount is no money.
            Err(_) => Nature::Empty,
            Ok(currency) => {
                write_scaled(value, exponent(currency).unwrap_or(2), text);
                Nature::Number
            }
        },
        (_, ValueRef::Integer(value)) => {
            let _ = write!(text, "{value}");
            Nature::Number
        }
        (_, ValueRef::Text(bytes)) => {
            text.push_str(&String::from_utf8_lossy(bytes));
            if text.is_empty() { Nature::Empty } else { Nature::Text }
        }
        _ => Nature::Empty,
    }
}

/// A member of a JSON object.
fn member(value: ValueRef<'_>, name: &str, text: &mut String) -> Nature {
    let object: Option<serde_json::Map<String, serde_json::Value>> =
        value.as_str().ok().and_then(|json| serde_json::from_str(json).ok());
    match object.as_ref().and_then(|object| object.get(name)).and_then(serde_json::Value::as_str) {
        Some(member) => {
            text.push_str(member);
            Nature::Text
        }
        None => Nature::Empty,
    }
}

/// The texts of a JSON array with `;` between them: keys and ids have none in them.
fn items(value: ValueRef<'_>, text: &mut String) -> Nature {
    let list: Vec<String> =
        value.as_str().ok().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    text.push_str(&list.join(";"));
    if text.is_empty() { Nature::Empty } else { Nature::Plain }
}
