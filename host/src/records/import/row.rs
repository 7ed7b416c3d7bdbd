//! From a line of the file to the members of a record, and the texts that stand for other records.

use std::collections::HashMap;

use csv::StringRecord;
use serde_json::{Map, Value as Json, json};

use super::file::Line;
use super::spec::{Mapping, Spec};
use super::store;
use crate::identity::IdentityError;
use crate::ids::RecordId;
use crate::records::error::{Fault, RecordError};
use crate::records::schema::{Entity, Field, Kind, Target};
use crate::records::{Records, Scope};

/// A line of the file, mapped.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Line in the file where it starts, the header being line 1.
    pub line: u64,
    /// Its id in the other system.
    pub external_id: Option<String>,
    /// Members, or what is wrong with the line.
    pub members: Result<Map<String, Json>, Vec<Fault>>,
    /// Records of the import's own entity that it refers to and that are not there: by what, and the text.
    pub misses: Vec<(String, String)>,
}

/// What stands behind a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Found {
    Nothing,
    One(RecordId),
    Several,
}

impl From<&[RecordId]> for Found {
    fn from(ids: &[RecordId]) -> Self {
        match ids {
            [] => Self::Nothing,
            [id] => Self::One(*id),
            _ => Self::Several,
        }
    }
}

/// Maps lines of one file.
pub(super) struct Mapper<'a> {
    engine: &'a Records,
    scope: &'a Scope,
    entity: &'a Entity,
    spec: &'a Spec,
    columns: HashMap<&'a str, usize>,
    /// Texts that were found to stand for a record. Misses are not kept: the next batch may bring the record.
    found: HashMap<(String, String), RecordId>,
    /// See [`Row::misses`], of the line at hand.
    misses: Vec<(String, String)>,
}

impl<'a> Mapper<'a> {
    /// A mapper for a file with this header.
    #[must_use]
    pub(super) fn new(
        engine: &'a Records,
        scope: &'a Scope,
        entity: &'a Entity,
        spec: &'a Spec,
        header: &'a [String],
    ) -> Self {
        let columns = header.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        Self { engine, scope, entity, spec, columns, found: HashMap::new(), misses: Vec::new() }
    }

    /// Maps one line.
    ///
    /// # Errors
    /// A file fails; what is wrong with the line is in the row.
    pub(super) fn row(&mut self, line: &Line) -> Result<Row, RecordError> {
        let mut row =
            Row { line: line.number, external_id: None, members: Ok(Map::new()), misses: Vec::new() };
        let cells = match &line.cells {
            Ok(cells) => cells,
            Err(fault) => {
                row.members = Err(vec![fault.clone()]);
                return Ok(row);
            }
        };
        let (mut members, mut faults) = (Map::new(), Vec::new());
        for (key, mapping) in &self.spec.mapping {
            let Some(field) = self.entity.attribute(key) else {
                continue;
            };
            match self.value(field, mapping, cells)? {
                Ok(Some(json)) => {
                    members.insert(key.clone(), json);
                }
                Ok(None) => {}
                Err(fault) => faults.push(fault),
            }
        }
        row.external_id = self.external_id(cells, &mut faults);
        if let (Some(id), Some(spec)) = (&row.external_id, &self.spec.external_id) {
            members.insert("external_ids".into(), json!({ spec.source.as_str(): id }));
        }
        row.misses = std::mem::take(&mut self.misses);
        row.members = if faults.is_empty() { Ok(members) } else { Err(faults) };
        Ok(row)
    }

    fn external_id(&self, cells: &StringRecord, faults: &mut Vec<Fault>) -> Option<String> {
        let spec = self.spec.external_id.as_ref()?;
        let text =
            self.columns.get(spec.column.as_str()).and_then(|at| cells.get(*at)).unwrap_or_default().trim();
        if text.is_empty() {
            faults.push(Fault::at(
                "external_ids",
                "required",
                format!("column `{}` is empty; the row needs its id", spec.column),
            ));
            return None;
        }
        Some(text.to_owned())
    }

    fn value(
        &mut self,
        field: &Field,
        mapping: &Mapping,
        cells: &StringRecord,
    ) -> Result<Result<Option<Json>, Fault>, RecordError> {
        let text = match (&mapping.column, &mapping.constant) {
            (Some(column), _) => {
                self.columns.get(column.as_str()).and_then(|at| cells.get(*at)).unwrap_or_default().trim()
            }
            (None, Some(Json::String(text))) => text.as_str(),
            (None, constant) => return Ok(Ok(constant.clone())),
        };
        let text = mapping.values.get(text).map_or(text, String::as_str);
        if text.is_empty() {
            let skip = mapping.empty.as_deref() == Some("skip");
            return Ok(Ok(mapping.default.clone().or((!skip).then_some(Json::Null))));
        }
        Ok(match &field.kind {
            Kind::Reference(target, _) => match &mapping.lookup {
                Some(lookup) => self
                    .look_up(field, target, &lookup.by, text)?
                    .map(|id| Some(Json::String(id.to_string()))),
                None => Ok(Some(Json::String(text.to_owned()))),
            },
            _ => Ok(Some(typed(field, mapping, text))),
        })
    }

    fn look_up(
        &mut self,
        field: &Field,
        target: &Target,
        by: &str,
        text: &str,
    ) -> Result<Result<RecordId, Fault>, RecordError> {
        let key = (field.key.to_string(), text.to_owned());
        if let Some(id) = self.found.get(&key) {
            return Ok(Ok(*id));
        }
        let found = if &*target.plugin == "host" {
            self.people(target, by, text)?
        } else {
            self.records(target, by, text)?
        };
        let fault = |code, detail| Err(Fault::at(&field.key, code, detail));
        Ok(match found {
            Found::One(id) => {
                self.found.insert(key, id);
                Ok(id)
            }
            Found::Nothing => {
                if target.plugin == self.entity.plugin && target.entity == self.entity.key {
                    self.misses.push((by.to_owned(), text.to_owned()));
                }
                fault("reference_not_found", format!("no {} has `{by}` = `{text}`", target.entity))
            }
            Found::Several => {
                fault("reference_ambiguous", format!("more than one {} has `{by}` = `{text}`", target.entity))
            }
        })
    }

    fn people(&self, target: &Target, by: &str, text: &str) -> Result<Found, RecordError> {
        let (people, organization) = (&self.engine.people, self.scope.organization.id);
        let bytes = match (&*target.entity, by) {
            ("team", _) => people.team_by_name(organization, text)?.map(|team| *team.id.as_bytes()),
            (_, "email") => people.user_by_email(organization, text)?.map(|user| *user.id.as_bytes()),
            _ => match people.user_by_name(organization, text) {
                Err(IdentityError::AmbiguousName(_)) => return Ok(Found::Several),
                found => found?.map(|user| *user.id.as_bytes()),
            },
        };
        Ok(bytes.map_or(Found::Nothing, |bytes| Found::One(RecordId::from_bytes(bytes))))
    }

    fn records(&self, target: &Target, by: &str, text: &str) -> Result<Found, RecordError> {
        let found = self
            .scope
            .module(&target.plugin)
            .and_then(|module| Some((module, module.entity(&target.entity)?)));
        let Some((module, entity)) = found else {
            return Ok(Found::Nothing);
        };
        let ids =
            self.engine.read(self.scope, module, |conn| store::readable(conn, self.scope, &entity, by, text));
        Ok(Found::from(ids?.as_slice()))
    }

    /// Whether nothing is wrong with the row but that it refers to records which these earlier rows may become.
    #[must_use]
    pub(super) fn awaits(&self, row: &Row, earlier: &[Row]) -> bool {
        let only = row.members.as_ref().is_err_and(|faults| faults.len() == row.misses.len());
        only && row.misses.iter().any(|(by, text)| earlier.iter().any(|row| self.bears(row, by, text)))
    }

    /// Whether the record that the row becomes may be the one meant. A field that is not mapped is the plugin's to fill.
    fn bears(&self, row: &Row, by: &str, text: &str) -> bool {
        let Ok(members) = &row.members else {
            return false;
        };
        match by.strip_prefix("external_id:") {
            Some(source) => {
                self.spec.external_id.as_ref().is_some_and(|id| id.source == source)
                    && row.external_id.as_deref() == Some(text)
            }
            None if self.spec.mapping.contains_key(by) => {
                members.get(by).and_then(Json::as_str) == Some(text)
            }
            None => true,
        }
    }
}

/// The JSON that the API would take for this text.
fn typed(field: &Field, mapping: &Mapping, text: &str) -> Json {
    match &field.kind {
        Kind::Integer | Kind::Duration => {
            text.parse::<i64>().map_or_else(|_| Json::String(text.to_owned()), Json::from)
        }
        Kind::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "y" | "1" => Json::Bool(true),
            "false" | "no" | "n" | "0" => Json::Bool(false),
            _ => Json::String(text.to_owned()),
        },
        Kind::Money => json!({ "amount": text, "currency": mapping.currency }),
        Kind::Option(choices) => {
            let named =
                choices.iter().find(|choice| choice.key == text || choice.label.eq_ignore_ascii_case(text));
            Json::String(named.map_or_else(|| text.to_owned(), |choice| choice.key.clone()))
        }
        Kind::Json => serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.to_owned())),
        _ => Json::String(text.to_owned()),
    }
}

/// The column that a field comes from, for the error file.
#[must_use]
pub(super) fn column_of<'a>(spec: &'a Spec, pointer: &str) -> Option<&'a str> {
    let key = pointer.trim_start_matches('/').split('/').next().unwrap_or_default();
    if key == "external_ids" {
        return spec.external_id.as_ref().map(|id| id.column.as_str());
    }
    spec.mapping.get(key)?.column.as_deref()
}
