//! Texts that stand for records: which record is meant.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::row::Row;
use super::spec::{Lookup, Spec};
use super::store;
use crate::identity::IdentityError;
use crate::ids::RecordId;
use crate::records::error::{Fault, RecordError};
use crate::records::schema::{Entity, Field, Target};
use crate::records::{Records, Scope};

/// Most answers that are kept.
const KEPT: usize = 50_000;

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

/// Finds records for the lines of one file.
pub(super) struct Lookups<'a> {
    engine: &'a Records,
    scope: &'a Scope,
    entity: &'a Entity,
    /// Texts that were found to stand for a record. Misses are not kept: the next batch may bring the record.
    found: HashMap<(String, String), RecordId>,
    /// Records of the import's own entity that the line at hand refers to and that are not there: by what, and the text.
    misses: Vec<(String, String)>,
}

impl<'a> Lookups<'a> {
    pub(super) fn new(engine: &'a Records, scope: &'a Scope, entity: &'a Entity) -> Self {
        Self { engine, scope, entity, found: HashMap::new(), misses: Vec::new() }
    }

    /// What the line at hand refers to and is not there.
    pub(super) fn misses(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.misses)
    }

    /// The record that a text stands for.
    ///
    /// # Errors
    /// A file fails; that none or several are meant is the inner fault.
    pub(super) fn find(
        &mut self,
        field: &Field,
        target: &Target,
        lookup: &Lookup,
        text: &str,
    ) -> Result<Result<RecordId, Fault>, RecordError> {
        let key = (field.key.to_string(), text.to_owned());
        if let Some(id) = self.found.get(&key) {
            return Ok(Ok(*id));
        }
        let by = lookup.by.as_str();
        let found = if &*target.plugin == "host" {
            self.people(target, by, text)?
        } else {
            self.records(target, lookup, text)?
        };
        let fault = |code, detail| Err(Fault::at(&field.key, code, detail));
        let shown: String = text.chars().take(200).collect();
        Ok(match found {
            Found::One(id) => {
                if self.found.len() >= KEPT {
                    self.found.clear();
                }
                self.found.insert(key, id);
                Ok(id)
            }
            Found::Nothing => {
                if target.plugin == self.entity.plugin && target.entity == self.entity.key {
                    self.misses.push((by.to_owned(), text.to_owned()));
                }
                fault("reference_not_found", format!("no {} has `{by}` = `{shown}`", target.entity))
            }
            Found::Several => fault(
                "reference_ambiguous",
                format!("more than one {} has `{by}` = `{shown}`", target.entity),
            ),
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

    fn records(&self, target: &Target, lookup: &Lookup, text: &str) -> Result<Found, RecordError> {
        let found = self
            .scope
            .module(&target.plugin)
            .and_then(|module| Some((module, module.entity(&target.entity)?)));
        let Some((module, entity)) = found else {
            return Ok(Found::Nothing);
        };
        let read = |conn: &std::rc::Rc<_>| store::readable(conn, self.scope, &entity, lookup, text);
        Ok(Found::from(self.engine.read(self.scope, module, read)?.as_slice()))
    }
}

/// Whether nothing is wrong with the row but that it refers to records which these earlier rows may become.
#[must_use]
pub(super) fn awaits(spec: &Spec, row: &Row, earlier: &[Row]) -> bool {
    let only = row.members.as_ref().is_err_and(|faults| faults.len() == row.misses.len());
    only && row.misses.iter().any(|(by, text)| earlier.iter().any(|row| bears(spec, row, by, text)))
}

/// Whether the record that the row becomes may be the one meant. A field that is not mapped is the plugin's to fill.
fn bears(spec: &Spec, row: &Row, by: &str, text: &str) -> bool {
    let Ok(members) = &row.members else {
        return false;
    };
    if let Some(source) = by.strip_prefix("external_id:") {
        let ids = members.get("external_ids");
        return ids.and_then(|ids| ids.get(source)).and_then(Json::as_str) == Some(text);
    }
    if !spec.mapping.contains_key(by) {
        return true;
    }
    let value = members.get(by).and_then(Json::as_str).unwrap_or_default();
    // With `ignore_case` more rows than needed wait for their batch, which costs nothing.
    value.to_lowercase() == text.to_lowercase()
}
