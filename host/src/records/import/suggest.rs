//! A mapping for a file, made of the names of its columns. Pure: what cannot be told by name is left out and said so.

use std::str::FromStr as _;

use serde_json::{Map, Value as Json, json};

use super::file::{Cell, Cells};
use super::mappings::SavedMapping;
use super::source::Source;
use super::spec::{ExternalId, Lookup, Mapping, Spec};
use crate::ids::RecordId;
use crate::records::Scope;
use crate::records::input::ADDRESS;
use crate::records::schema::{Entity, Field, Kind, Target};

/// How a file may be imported.
#[derive(Debug)]
pub struct Suggestion {
    /// The saved mapping whose columns the file has, if there is one: the one that takes most of them.
    pub mapping: Option<SavedMapping>,
    /// A specification that an import takes as it is.
    pub spec: Json,
    /// Columns of which nothing is known; the specification leaves them out.
    pub unmatched: Vec<String>,
}

impl Suggestion {
    /// The best suggestion for these columns and first rows.
    pub(super) fn of(
        scope: &Scope,
        (name, entity): (&str, Option<&Entity>),
        source: &Source,
        rows: &[&Cells],
        saved: Vec<SavedMapping>,
    ) -> Self {
        let fits = |mapping: &SavedMapping| -> Option<usize> {
            let spec = mapping.parsed().ok()?;
            let taken: Vec<&String> = spec.takes().collect();
            taken.iter().all(|column| source.columns.contains(column)).then_some(taken.len())
        };
        let mut fitting: Vec<(usize, SavedMapping)> =
            saved.into_iter().filter_map(|mapping| Some((fits(&mapping)?, mapping))).collect();
        fitting.sort_by_key(|(taken, _)| std::cmp::Reverse(*taken));
        let mut spec = match fitting.first().and_then(|(_, mapping)| mapping.parsed().ok()) {
            Some(spec) => spec,
            None => entity.map_or_else(
                || people(name, &source.columns),
                |entity| Guess { scope, entity, source, rows }.spec(),
            ),
        };
        let unmatched: Vec<String> =
            source.columns.iter().filter(|column| !spec.mentions(column)).cloned().collect();
        spec.ignore.extend(unmatched.iter().cloned());
        spec.ignore.retain(|column| source.columns.contains(column));
        let mapping = fitting.into_iter().next().map(|(_, mapping)| mapping);
        Self { mapping, spec: serde_json::to_value(&spec).unwrap_or_default(), unmatched }
    }
}

fn people(name: &str, columns: &[String]) -> Spec {
    let mut spec = Spec { entity: name.to_owned(), ..Spec::default() };
    for key in ["name", "email", "team", "roles"] {
        if let Some(column) = columns.iter().find(|column| folded(column) == key) {
            spec.mapping.insert(key.to_owned(), from(column));
        }
    }
    let named = ["externalid", "id", "number", "employeeid"];
    let id = columns.iter().find(|column| named.contains(&folded(column).as_str()));
    spec.external_id = id.map(|column| ExternalId { source: "file".to_owned(), column: column.clone() });
    spec
}

/// A name without what people write differently.
fn folded(name: &str) -> String {
    name.chars().filter(|sign| sign.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn from(column: &str) -> Mapping {
    Mapping { column: Some(column.to_owned()), ..Mapping::default() }
}

/// What the names of columns say about the fields of an entity.
struct Guess<'a> {
    scope: &'a Scope,
    entity: &'a Entity,
    source: &'a Source,
    rows: &'a [&'a Cells],
}

impl Guess<'_> {
    fn spec(&self) -> Spec {
        let mut spec = Spec { entity: self.entity.object.to_string(), ..Spec::default() };
        let system = self.entity.system.iter();
        let fields = self.entity.fields.iter().chain(system);
        let settable = |field: &&Field| !field.read_only && !matches!(field.kind, Kind::AutoNumber(_));
        for field in fields.filter(settable) {
            if matches!(field.kind, Kind::Address) {
                for part in ADDRESS {
                    let key = format!("{}.{part}", field.key);
                    if let Some(column) = self.exact(&key) {
                        spec.mapping.insert(key, from(column));
                    }
                }
            }
            if let Some(column) = self.column_of(field).filter(|column| !spec.mentions(column)) {
                let mapping = self.mapping(field, column);
                spec.mapping.insert(field.key.to_string(), mapping);
            }
        }
        spec
    }

    fn exact(&self, name: &str) -> Option<&String> {
        self.source.columns.iter().find(|column| column.as_str() == name)
    }

    /// The column that is named like the field: by key, by label, or by key without `_id`.
    fn column_of(&self, field: &Field) -> Option<&String> {
        let short = field.key.strip_suffix("_id").unwrap_or(&field.key);
        let names = [folded(&field.key), folded(&field.label), folded(short)];
        let mut columns = names.iter().filter(|name| !name.is_empty()).flat_map(|name| {
            self.source.columns.iter().filter(move |column| !column.contains('.') && folded(column) == *name)
        });
        self.exact(&field.key).or_else(|| columns.next())
    }

    fn mapping(&self, field: &Field, column: &String) -> Mapping {
        let mut mapping = from(column);
        if matches!(&*field.key, "owner_id" | "team_id") {
            mapping.empty = Some("skip".to_owned()); // a record without an owner is its maker's
        }
        match &field.kind {
            Kind::Money => {
                let named = [format!("{column}.currency"), format!("{}.currency", field.key)];
                mapping.currency_column = named.iter().find_map(|name| self.exact(name)).cloned();
                if mapping.currency_column.is_none() {
                    mapping.currency = Some(self.scope.organization.currency.clone());
                }
            }
            Kind::Reference(target, _) | Kind::References(target, _) if !self.holds_ids(column) => {
                mapping.lookup = self.lookup(target);
            }
            _ => {}
        }
        mapping
    }

    /// Whether the first rows have nothing but ids in the column, as an export has.
    fn holds_ids(&self, column: &String) -> bool {
        let at = self.source.columns.iter().position(|name| name == column);
        self.rows.iter().all(|cells| match cells.get(column, at) {
            Cell::Text(text) => {
                text.split(';').all(|part| part.trim().is_empty() || RecordId::from_str(part.trim()).is_ok())
            }
            Cell::Json(Json::Array(list)) => {
                list.iter().all(|one| one.as_str().is_some_and(|text| RecordId::from_str(text).is_ok()))
            }
            Cell::Json(_) => false,
            Cell::Absent => true,
        })
    }

    /// By the field that names records of the target to people.
    fn lookup(&self, target: &Target) -> Option<Lookup> {
        let by = if &*target.plugin == "host" {
            "name".to_owned()
        } else {
            let entity = self.scope.entity(&target.plugin, &target.entity)?;
            let title = entity.title.as_ref().and_then(|title| entity.field(title))?;
            matches!(title.kind, Kind::Text | Kind::Email).then(|| title.key.to_string())?
        };
        Some(Lookup { by, ignore_case: false })
    }
}

impl Suggestion {
    /// For the answer.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut members = Map::new();
        members.insert("spec".into(), self.spec.clone());
        members.insert("unmatched".into(), json!(self.unmatched));
        if let Some(mapping) = &self.mapping {
            members.insert("mapping".into(), json!({ "id": mapping.id.to_string(), "name": mapping.name }));
        }
        Json::Object(members)
    }
}
