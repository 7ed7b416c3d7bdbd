//! Saved mappings: a specification without what it says of one file, under a name, in the organization's own file.
//!
//! They are checked against the entity when they are saved and again when they are used: a field may have gone since.

mod store;

use std::rc::Rc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::spec::{FILE_MEMBERS, Spec};
use super::{ImportError, Imports};
use crate::clock::UnixMillis;
use crate::ids::{PrincipalId, RecordId};
use crate::records::Scope;
use crate::records::error::{Fault, RecordError};
use crate::records::mutation::Manner;
use crate::records::own::Came;
use crate::records::strict::{self, StrictError};
use crate::storage::Connection;

/// Most mappings of an organization.
const MOST: usize = 500;
/// Longest specification.
const LONGEST: usize = 256 * 1024;

/// A saved mapping.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SavedMapping {
    /// Its id.
    pub id: RecordId,
    /// Grows with every change.
    pub version: i64,
    /// Unique for its entity without regard to letter case.
    pub name: String,
    /// `plugin.entity`, or `users`.
    pub entity: String,
    /// The specification.
    pub spec: Json,
    /// When it was saved.
    pub created_at: UnixMillis,
    /// By whom.
    pub created_by: PrincipalId,
    /// When it was last changed.
    pub updated_at: UnixMillis,
    /// By whom.
    pub updated_by: PrincipalId,
}

impl SavedMapping {
    /// The specification, parsed.
    pub(super) fn parsed(&self) -> Result<Spec, RecordError> {
        Spec::from_members(self.spec.as_object().cloned().unwrap_or_default())
    }
}

/// One JSON object out of a form field.
pub(super) fn object(json: &str) -> Result<Map<String, Json>, RecordError> {
    strict::object(json.as_bytes()).map_err(|error| {
        let detail = match error {
            StrictError::Malformed { .. } => {
                // The parser of the specification says it better, and names its members.
                return Spec::parse(json)
                    .err()
                    .unwrap_or_else(|| invalid("invalid_spec", "no JSON object".into()));
            }
            StrictError::Duplicate(name) => format!("the member `{name}` stands twice; send it once"),
        };
        invalid("invalid_spec", detail)
    })
}

fn invalid(code: &'static str, detail: String) -> RecordError {
    RecordError::Invalid(vec![Fault { pointer: "/spec".into(), code: code.into(), detail }])
}

impl Imports {
    /// The specification that was sent: a saved mapping, if it names one, overlaid by its own members; members of
    /// `mapping` one by one.
    pub(super) fn resolve(&self, scope: &Scope, json: &str) -> Result<Spec, RecordError> {
        let mut members = object(json)?;
        let Some(id) = members.remove("mapping_id") else {
            return Spec::parse(json);
        };
        let id = id.as_str().and_then(|text| text.parse::<RecordId>().ok());
        let saved = match id {
            Some(id) => self.own(scope, move |conn| store::find(conn, id))?,
            None => None,
        };
        let mut base = saved.and_then(|saved| saved.spec.as_object().cloned()).ok_or_else(|| {
            RecordError::Invalid(vec![Fault {
                pointer: "/spec/mapping_id".into(),
                code: "mapping_not_found".into(),
                detail: "there is no saved mapping with this id".into(),
            }])
        })?;
        if members.get("entity").is_some_and(|entity| base.get("entity") != Some(entity)) {
            let detail = "the saved mapping is for another entity; leave `entity` out";
            return Err(invalid("invalid_spec", detail.into()));
        }
        for (name, value) in members {
            match (name.as_str(), base.get_mut(&name), value) {
                ("mapping", Some(Json::Object(own)), Json::Object(fields)) => own.extend(fields),
                (_, _, value) => drop(base.insert(name, value)),
            }
        }
        Spec::from_members(base)
    }

    /// Every saved mapping, by name.
    ///
    /// # Errors
    /// The organization's file fails.
    pub fn mappings(&self, scope: &Scope) -> Result<Vec<SavedMapping>, RecordError> {
        self.own(scope, |conn| store::list(conn, None))
    }

    /// The saved mappings for one entity.
    pub(super) fn mappings_of(&self, scope: &Scope, entity: &str) -> Result<Vec<SavedMapping>, RecordError> {
        self.own(scope, |conn| store::list(conn, Some(entity)))
    }

    /// One saved mapping.
    ///
    /// # Errors
    /// [`RecordError::NotFound`], or the organization's file fails.
    pub fn mapping(&self, scope: &Scope, id: RecordId) -> Result<SavedMapping, RecordError> {
        self.own(scope, move |conn| store::find(conn, id))?.ok_or(RecordError::NotFound)
    }

    /// Saves a mapping.
    ///
    /// # Errors
    /// [`RecordError::Invalid`] with every fault of the specification, [`RecordError::Conflict`] for a name that is taken,
    /// [`RecordError::Forbidden`] for an entity into which the caller may not import.
    pub async fn save_mapping(
        &self,
        scope: &Scope,
        (name, spec): (&str, Map<String, Json>),
        manner: Manner,
    ) -> Result<Came<SavedMapping>, ImportError> {
        let (now, by) = (self.engine.now(), scope.caller.principal.id);
        let (entity, spec) = self.checked(scope, spec)?;
        let name = named(name)?;
        let work = move |conn: &Rc<Connection>| {
            if store::count(conn)? >= MOST {
                let detail = format!("an organization has at most {MOST} saved mappings; delete some");
                return Err(conflict("too_many_mappings", &detail));
            }
            let mapping = SavedMapping {
                id: RecordId::new(),
                version: 1,
                name,
                entity,
                spec,
                created_at: now,
                created_by: by,
                updated_at: now,
                updated_by: by,
            };
            put(conn, &mapping)?;
            Ok(Came::from(None, Some(mapping)))
        };
        Ok(self.engine.write_own(scope, manner, work).await?)
    }

    /// Changes a mapping: everything of it.
    ///
    /// # Errors
    /// Those of [`Imports::save_mapping`], [`RecordError::NotFound`], and [`RecordError::Stale`] when it has another
    /// version than `expected`.
    pub async fn replace_mapping(
        &self,
        scope: &Scope,
        (id, expected): (RecordId, Option<i64>),
        (name, spec): (&str, Map<String, Json>),
        manner: Manner,
    ) -> Result<Came<SavedMapping>, ImportError> {
        let (now, by) = (self.engine.now(), scope.caller.principal.id);
        let (entity, spec) = self.checked(scope, spec)?;
        let name = named(name)?;
        let work = move |conn: &Rc<Connection>| {
            let known = store::find(conn, id)?.ok_or(RecordError::NotFound)?;
            if let Some(sent) = expected.filter(|sent| *sent != known.version) {
                return Err(RecordError::Stale {
                    current: known.version.unsigned_abs(),
                    sent: sent.unsigned_abs(),
                    record: known.spec.to_string().into_bytes(),
                    changed: Vec::new(),
                });
            }
            let version = known.version + 1;
            let after = SavedMapping {
                version,
                name,
                entity,
                spec,
                updated_at: now,
                updated_by: by,
                ..known.clone()
            };
            put(conn, &after)?;
            Ok(Came::from(Some(known), Some(after)))
        };
        Ok(self.engine.write_own(scope, manner, work).await?)
    }

    /// Deletes a mapping. Imports that were accepted with it keep what it said.
    ///
    /// # Errors
    /// [`RecordError::NotFound`], or the organization's file fails.
    pub async fn delete_mapping(
        &self,
        scope: &Scope,
        id: RecordId,
        manner: Manner,
    ) -> Result<Came<SavedMapping>, ImportError> {
        let work = move |conn: &Rc<Connection>| {
            let known = store::find(conn, id)?.ok_or(RecordError::NotFound)?;
            store::delete(conn, id)?;
            Ok(Came::from(Some(known), None))
        };
        Ok(self.engine.write_own(scope, manner, work).await?)
    }

    /// The specification as it is saved, checked against its entity.
    fn checked(&self, scope: &Scope, members: Map<String, Json>) -> Result<(String, Json), RecordError> {
        if let Some(of_file) = members.keys().find(|name| FILE_MEMBERS.contains(&name.as_str())) {
            let detail = format!("`{of_file}` is said of one file; a saved mapping has it not");
            return Err(RecordError::Invalid(vec![Fault {
                pointer: format!("/spec/{of_file}"),
                code: "not_saved".into(),
                detail,
            }]));
        }
        let spec = Spec::from_members(members.clone())?;
        let entity = self.entity(scope, &spec)?;
        spec.check(scope, entity.as_deref(), None)?;
        let members = Json::Object(members);
        if members.to_string().len() > LONGEST {
            return Err(invalid("too_long", format!("use at most {} KiB", LONGEST / 1024)));
        }
        Ok((spec.entity, members))
    }

    fn own<T>(
        &self,
        scope: &Scope,
        read: impl FnOnce(&Rc<Connection>) -> Result<T, RecordError>,
    ) -> Result<T, RecordError> {
        self.engine.own_file(scope.organization.id)?.read(read)
    }
}

/// A name, tidied.
fn named(name: &str) -> Result<String, RecordError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 {
        return Err(RecordError::invalid("name", "invalid", "use 1 to 100 characters"));
    }
    Ok(name.to_owned())
}

/// Stores a mapping whose name no other one of the entity has.
fn put(conn: &Rc<Connection>, mapping: &SavedMapping) -> Result<(), RecordError> {
    let folded = store::folded(&mapping.name);
    let others = store::list(conn, Some(&mapping.entity))?;
    if others.iter().any(|other| other.id != mapping.id && store::folded(&other.name) == folded) {
        return Err(conflict("taken", "another mapping for this entity has this name"));
    }
    store::put(conn, mapping)
}

fn conflict(code: &'static str, detail: &str) -> RecordError {
    RecordError::Conflict {
        code: code.into(),
        detail: detail.to_owned(),
        extra: Map::new(),
        faults: Vec::new(),
    }
}
