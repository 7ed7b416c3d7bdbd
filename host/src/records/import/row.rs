//! From a line of the file to the members of a record, and the texts that stand for other records.

use std::collections::HashMap;

use csv::StringRecord;
use serde_json::{Map, Value as Json, json};

use super::spec::{Mapping, Spec};
use crate::ids::RecordId;
use crate::records::error::{Fault, RecordError};
use crate::records::filter::bind;
use crate::records::list::write_visible;
use crate::records::schema::{Entity, Field, Kind, Target};
use crate::records::value::Value;
use crate::records::{Records, Scope, store};

/// A line of the file, mapped.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Line in the file where it starts, the header being line 1.
    pub line: u64,
    /// Its id in the other system.
    pub external_id: Option<String>,
    /// Members, or what is wrong with the line.
    pub members: Result<Map<String, Json>, Vec<Fault>>,
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
        Self { engine, scope, entity, spec, columns, found: HashMap::new() }
    }

    /// Maps one line.
    ///
    /// # Errors
    /// A file fails; what is wrong with the line is in the row.
    pub(super) fn row(&mut self, line: u64, cells: &StringRecord) -> Result<Row, RecordError> {
        let (mut members, mut faults) = (Map::new(), Vec::new());
        if cells.len() != self.columns.len() {
            let detail = format!("the line has {} cells, the header {}", cells.len(), self.columns.len());
            faults.push(Fault { pointer: String::new(), code: "wrong_cell_count".into(), detail });
            return Ok(Row { line, external_id: None, members: Err(faults) });
        }
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
        let external_id = self.external_id(cells, &mut faults);
        if let (Some(id), Some(spec)) = (&external_id, &self.spec.external_id) {
            members.insert("external_ids".into(), json!({ spec.source.as_str(): id }));
        }
        Ok(Row { line, external_id, members: if faults.is_empty() { Ok(members) } else { Err(faults) } })
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
        Ok(match found.as_slice() {
            [id] => {
                self.found.insert(key, *id);
                Ok(*id)
            }
            [] => fault("reference_not_found", format!("no {} has `{by}` = `{text}`", target.entity)),
            _ => {
                fault("reference_ambiguous", format!("more than one {} has `{by}` = `{text}`", target.entity))
            }
        })
    }

    fn people(&self, target: &Target, by: &str, text: &str) -> Result<Vec<RecordId>, RecordError> {
        let (people, organization) = (&self.engine.people, self.scope.organization.id);
        let bytes = match (&*target.entity, by) {
            ("team", _) => people.team_by_name(organization, text)?.map(|team| *team.id.as_bytes()),
            (_, "email") => people.user_by_email(organization, text)?.map(|user| *user.id.as_bytes()),
            _ => people.user_by_name(organization, text)?.map(|user| *user.id.as_bytes()),
        };
        Ok(bytes.map(RecordId::from_bytes).into_iter().collect())
    }

    fn records(&self, target: &Target, by: &str, text: &str) -> Result<Vec<RecordId>, RecordError> {
        let found = self
            .scope
            .module(&target.plugin)
            .and_then(|module| Some((module, module.entity(&target.entity)?)));
        let Some((module, entity)) = found else {
            return Ok(Vec::new());
        };
        self.engine.read(self.scope, module, |conn| {
            let candidates = match by.strip_prefix("external_id:") {
                Some(source) => store::by_external_id(conn, &entity, source, text)?.into_iter().collect(),
                None => match entity.field(by) {
                    Some(by) => store::with_text(conn, &entity, by, text, 2)?,
                    None => Vec::new(),
                },
            };
            let mut readable = Vec::with_capacity(candidates.len());
            for id in candidates {
                let (mut sql, mut params) =
                    (format!("select 1 from \"{}\" where id = ", entity.key), Vec::new());
                bind(Value::from(id), &mut sql, &mut params);
                sql.push_str(" and ");
                let visible = write_visible(self.scope, &entity, "read", &mut sql, &mut params).is_ok();
                if visible && conn.prepare(&sql)?.exists(rusqlite::params_from_iter(&params))? {
                    readable.push(id);
                }
            }
            Ok(readable)
        })
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
