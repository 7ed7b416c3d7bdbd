//! From a line of the file to the members of a record.

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use super::file::{Cell, Cells, Line};
use super::lookup::Lookups;
use super::source::{Format, Source};
use super::spec::{Mapping, Spec};
use super::value;
use crate::ids::RecordId;
use crate::records::error::{Fault, RecordError};
use crate::records::schema::{Entity, Field, Kind};
use crate::records::value::Value;
use crate::records::{Records, Scope, guard, input};

/// By what a row finds its record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum RowKey {
    /// An external id of the specification's source.
    External(String),
    /// The stored value of the key field, `id` included.
    Field(Value),
}

impl RowKey {
    /// The same for rows that are about the same record.
    pub(super) fn text(&self) -> String {
        match self {
            Self::External(id) => id.clone(),
            Self::Field(value) => format!("{value:?}"),
        }
    }
}

/// A line of the file, mapped.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Line in the file where it starts, the header being line 1.
    pub line: u64,
    /// By what it finds its record.
    pub key: Option<RowKey>,
    /// Members, or what is wrong with the line.
    pub members: Result<Map<String, Json>, Vec<Fault>>,
    /// Records of the import's own entity that it refers to and that are not there: by what, and the text.
    pub misses: Vec<(String, String)>,
}

/// Maps lines of one file.
pub(super) struct Mapper<'a> {
    entity: &'a Entity,
    spec: &'a Spec,
    zone: &'a str,
    columns: HashMap<&'a str, usize>,
    /// Whether texts may be guarded against spreadsheets.
    guarded: bool,
    lookups: Lookups<'a>,
}

/// A value, none, or what is wrong with it; the file fails outside.
type Found = Result<Result<Option<Json>, Fault>, RecordError>;

impl<'a> Mapper<'a> {
    /// A mapper for this file.
    #[must_use]
    pub(super) fn new(
        engine: &'a Records,
        scope: &'a Scope,
        entity: &'a Entity,
        spec: &'a Spec,
        source: &'a Source,
    ) -> Self {
        let columns = source.columns.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let (zone, guarded) = (scope.organization.zone.as_str(), source.format != Format::Jsonl);
        Self { entity, spec, zone, columns, guarded, lookups: Lookups::new(engine, scope, entity) }
    }

    /// The cell of a column, its guard taken away.
    fn cell<'c>(&self, cells: &'c Cells, column: &str) -> Cell<'c> {
        match cells.get(column, self.columns.get(column).copied()) {
            Cell::Text(text) if self.guarded => Cell::Text(guard::taken(text)),
            cell => cell,
        }
    }

    /// Maps one line.
    ///
    /// # Errors
    /// A file fails; what is wrong with the line is in the row.
    pub(super) fn row(&mut self, line: &Line) -> Result<Row, RecordError> {
        let mut row = Row { line: line.number, key: None, members: Ok(Map::new()), misses: Vec::new() };
        let cells = match &line.cells {
            Ok(cells) => cells,
            Err(fault) => {
                row.members = Err(vec![fault.clone()]);
                return Ok(row);
            }
        };
        let (mut members, mut faults) = (Map::new(), Vec::new());
        for (key, mapping) in &self.spec.mapping {
            let (base, part) = key.split_once('.').map_or((key.as_str(), None), |(b, p)| (b, Some(p)));
            let Some(field) = self.entity.attribute(base) else {
                continue;
            };
            match (self.value(field, part.is_some(), mapping, cells)?, part) {
                (Ok(Some(json)), None) => drop(members.insert(key.clone(), json)),
                (Ok(Some(json)), Some(part)) => add_part(&mut members, base, part, json),
                (Ok(None), _) => {}
                (Err(fault), _) => faults.push(fault),
            }
        }
        row.key = self.key(cells, &mut members, &mut faults);
        row.misses = self.lookups.misses();
        row.members = if faults.is_empty() { Ok(members) } else { Err(faults) };
        Ok(row)
    }

    /// By what the row finds its record; an external id is also one of its members.
    fn key(&self, cells: &Cells, members: &mut Map<String, Json>, faults: &mut Vec<Fault>) -> Option<RowKey> {
        let text = |column: &str| match self.cell(cells, column) {
            Cell::Text(text) => text.trim().to_owned(),
            Cell::Json(json) => json.to_string(),
            Cell::Absent => String::new(),
        };
        let field = self.key_field(&text, members, faults);
        let Some(spec) = &self.spec.external_id else {
            return field;
        };
        let id = text(&spec.column);
        if id.is_empty() {
            if self.spec.key_field().is_none() {
                let detail = format!("column `{}` is empty; the row needs its id", spec.column);
                faults.push(Fault::at("external_ids", "required", detail));
            }
            return field;
        }
        add_part(members, "external_ids", &spec.source, json!(id));
        if self.spec.key_field().is_some() { field } else { Some(RowKey::External(id)) }
    }

    fn key_field(
        &self,
        text: &dyn Fn(&str) -> String,
        members: &Map<String, Json>,
        faults: &mut Vec<Fault>,
    ) -> Option<RowKey> {
        let key = self.spec.key_field()?;
        let field = self.entity.attribute(key)?;
        let own = self.spec.key.as_ref().and_then(|key| key.column.as_ref());
        let json = match (own, members.get(key)) {
            (Some(column), _) => {
                let text = text(column);
                let mapping = Mapping::default();
                if text.is_empty() { Json::Null } else { value::typed(field, &mapping, &text, self.zone) }
            }
            (None, Some(json)) => json.clone(),
            (None, None) => Json::Null,
        };
        // A field that is required says so itself; here it is about finding the record.
        let lenient = Field { required: false, ..field.clone() };
        match input::field(&lenient, &json) {
            Ok((Value::Null, _)) => None,
            Ok((value, _)) => Some(RowKey::Field(value)),
            Err(fault) => {
                if faults.iter().all(|known| known.pointer != fault.pointer) {
                    faults.push(fault);
                }
                None
            }
        }
    }

    fn value(&mut self, field: &Field, part: bool, mapping: &Mapping, cells: &Cells) -> Found {
        let cell = match (&mapping.column, &mapping.constant) {
            (Some(column), _) => self.cell(cells, column),
            (None, Some(Json::String(text))) => Cell::Text(text),
            (None, constant) => return Ok(Ok(constant.clone())),
        };
        let text = match cell {
            Cell::Absent => return Ok(Ok(mapping.default.clone())),
            Cell::Json(json) if part && !json.is_object() && !json.is_array() => {
                return Ok(Ok(Some(Json::String(json.to_string()))));
            }
            Cell::Json(json) => return self.nested(field, mapping, json),
            Cell::Text(text) if matches!(field.kind, Kind::RichText) && !text.trim().is_empty() => text,
            Cell::Text(text) => text.trim(),
        };
        let text = mapping.values.get(text).map_or(text, String::as_str);
        if text.is_empty() {
            let skip = mapping.empty.as_deref() == Some("skip");
            return Ok(Ok(mapping.default.clone().or((!skip).then_some(Json::Null))));
        }
        if part {
            return Ok(Ok(Some(Json::String(text.to_owned()))));
        }
        match &field.kind {
            Kind::Reference(..) => self.reference(field, mapping, text),
            Kind::References(..) => {
                let parts = value::parts(mapping, text).map(str::to_owned).collect::<Vec<_>>();
                self.references(field, mapping, &parts)
            }
            Kind::Money => {
                let column = mapping.currency_column.as_ref().map(|column| self.cell(cells, column));
                let currency = match column {
                    Some(Cell::Text(text)) if !text.trim().is_empty() => Some(text.trim()),
                    _ => mapping.currency.as_deref(),
                };
                Ok(Ok(Some(value::money(mapping, text, currency))))
            }
            _ => Ok(Ok(Some(value::typed(field, mapping, text, self.zone)))),
        }
    }

    /// A JSON value that is no text stands for itself; texts in a list of references are looked up.
    fn nested(&mut self, field: &Field, mapping: &Mapping, json: &Json) -> Found {
        let parts = json.as_array().map(|list| list.iter().map(|one| one.as_str().map(str::to_owned)));
        let parts: Option<Vec<String>> = parts.and_then(Iterator::collect);
        match (&field.kind, parts) {
            (Kind::References(..), Some(parts)) => self.references(field, mapping, &parts),
            (Kind::Decimal(_) | Kind::Percent, _) if json.is_i64() => {
                Ok(Ok(Some(Json::String(json.to_string()))))
            }
            _ => Ok(Ok(Some(json.clone()))),
        }
    }

    fn reference(&mut self, field: &Field, mapping: &Mapping, text: &str) -> Found {
        let (Kind::Reference(target, _) | Kind::References(target, _)) = &field.kind else {
            return Ok(Ok(None));
        };
        match &mapping.lookup {
            None => Ok(Ok(Some(Json::String(text.to_owned())))),
            Some(lookup) => {
                let found = self.lookups.find(field, target, lookup, text)?;
                Ok(found.map(|id: RecordId| Some(Json::String(id.to_string()))))
            }
        }
    }

    fn references(&mut self, field: &Field, mapping: &Mapping, parts: &[String]) -> Found {
        let mut ids = Vec::with_capacity(parts.len());
        for part in parts {
            match self.reference(field, mapping, part)? {
                Ok(id) => ids.extend(id),
                Err(fault) => return Ok(Err(fault)),
            }
        }
        Ok(Ok(Some(Json::Array(ids))))
    }
}

/// Puts a part into the object that it is a part of. An external id that is empty is none.
fn add_part(members: &mut Map<String, Json>, base: &str, part: &str, json: Json) {
    if base == "external_ids" && json.is_null() {
        return;
    }
    let whole = members.entry(base).or_insert_with(|| json!({}));
    if !whole.is_object() {
        *whole = json!({});
    }
    if let Some(parts) = whole.as_object_mut() {
        parts.insert(part.to_owned(), json);
    }
}

/// The column that a field comes from, for the error file.
#[must_use]
pub(super) fn column_of<'a>(spec: &'a Spec, pointer: &str) -> Option<&'a str> {
    let pointer = pointer.trim_start_matches('/');
    let whole = pointer.replace('/', ".").replace("~1", "/").replace("~0", "~");
    let key = pointer.split('/').next().unwrap_or_default();
    let mapping = spec.mapping.get(&whole).or_else(|| spec.mapping.get(key));
    if let Some(column) = mapping.and_then(|mapping| mapping.column.as_deref()) {
        return Some(column);
    }
    if key == "external_ids" {
        return spec.external_id.as_ref().map(|id| id.column.as_str());
    }
    spec.key_field().filter(|field| *field == key).and(spec.key_column()).map(String::as_str)
}
