//! `/imports/mappings`: saved mappings of columns to fields, for the next file of the same kind.

use poem_openapi::param::{Header, Path, Query};
use poem_openapi::types::{Any, ToJSON as _};
use poem_openapi::{Object, OpenApi};
use serde_json::{Map, Value};

use crate::clock::rfc3339;
use crate::http::access::{Access, id};
use crate::http::answer::{Created, Done, Found, expected_version};
use crate::http::input::Input;
use crate::http::mutated::{Mutated, Thing, answered, gone, manner};
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::ids::RecordId;
use crate::records::RecordError;
use crate::records::import::mappings::SavedMapping;
use crate::records::import::{ImportError, Imports};

const OBJECT: &str = "host.import";
const MISSING: &str = "mapping_not_found";

/// Keeps mappings.
pub struct MappingsApi {
    /// The importer.
    pub imports: Imports,
}

/// A saved mapping.
#[derive(Object)]
#[oai(rename = "ImportMapping")]
pub struct MappingView {
    /// Its id: what a specification names as `mapping_id`.
    id: String,
    /// Grows with every change; also the `ETag`.
    version: i64,
    /// When it was saved.
    created_at: String,
    /// When it was last changed.
    updated_at: String,
    /// By whom it was saved.
    created_by: String,
    /// By whom it was last changed.
    updated_by: String,
    /// Unique for its entity.
    name: String,
    /// `plugin.entity`, or `users`.
    entity: String,
    /// The specification of an import, without what is said of one file.
    spec: Any<Value>,
}

/// All saved mappings.
#[derive(Object)]
#[oai(rename = "ImportMappingList")]
pub struct MappingList {
    /// By name.
    data: Vec<MappingView>,
    /// There is one page only.
    next_cursor: Option<String>,
}

/// A mapping to be saved.
#[derive(Object)]
#[oai(rename = "ImportMappingInput")]
pub struct MappingInput {
    /// Unique for its entity without regard to letter case.
    #[oai(validator(min_length = 1, max_length = 100))]
    name: String,
    /// The specification of an import: `entity`, `mode`, `key`, `external_id`, `mapping`, `ignore`.
    spec: Any<Map<String, Value>>,
}

#[OpenApi(prefix_path = "/api/v1/imports/mappings", tag = "Tag::Imports")]
impl MappingsApi {
    /// List saved mappings
    #[oai(path = "/", method = "get", operation_id = "list_import_mappings")]
    async fn list(
        &self,
        access: Access,
        /// Those for one entity: `crm.account`.
        entity: Query<Option<String>>,
    ) -> Result<Found<MappingList>, Problem> {
        access.may(OBJECT, "create")?;
        let mappings =
            self.imports.mappings(&access.entered.scope(&access.caller)).map_err(ImportError::from)?;
        let wanted =
            |mapping: &&SavedMapping| entity.0.as_ref().is_none_or(|entity| *entity == mapping.entity);
        let data = mappings.iter().filter(wanted).map(MappingView::from).collect();
        Ok(Found::new(MappingList { data, next_cursor: None }))
    }

    /// Save a mapping
    #[oai(path = "/", method = "post", operation_id = "create_import_mapping")]
    async fn create(
        &self,
        access: Access,
        input: Input<MappingInput>,
        /// Whether it is only to be tried.
        dry_run: Query<Option<bool>>,
        /// Sent again with the same key and body, it is saved once.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Mutated<Created<MappingView>>, Problem> {
        access.must(OBJECT, "create")?;
        let scope = access.entered.scope(&access.caller);
        let parts = ["create_import_mapping", &input.0.to_json_string()];
        let manner = manner(dry_run.0, key.0.as_deref(), &parts)?;
        let MappingInput { name, spec } = input.0;
        let came = self.imports.save_mapping(&scope, (&name, spec.0), manner).await?;
        answered(came, &Shown, |mapping| {
            let location = access.link(&format!("/imports/mappings/{}", mapping.id));
            Created::new(MappingView::from(&mapping)).at(location).version(mapping.version)
        })
    }

    /// Get a saved mapping
    #[oai(path = "/:id", method = "get", operation_id = "get_import_mapping")]
    async fn get(&self, access: Access, id: Path<String>) -> Result<Found<MappingView>, Problem> {
        access.may(OBJECT, "create")?;
        let (scope, id) = (access.entered.scope(&access.caller), named(&id.0)?);
        let mapping = self.imports.mapping(&scope, id).map_err(missing)?;
        Ok(Found::new(MappingView::from(&mapping)).version(mapping.version))
    }

    /// Replace a saved mapping
    #[oai(path = "/:id", method = "put", operation_id = "replace_import_mapping")]
    async fn replace(
        &self,
        access: Access,
        id: Path<String>,
        input: Input<MappingInput>,
        /// The ETag of the version that the change is based on.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// Whether it is only to be tried.
        dry_run: Query<Option<bool>>,
        /// Sent again with the same key, condition and body, it is replaced once.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Mutated<Found<MappingView>>, Problem> {
        access.must(OBJECT, "create")?;
        let (scope, if_match) = (access.entered.scope(&access.caller), if_match.0.as_deref());
        let place = (named(&id.0)?, expected_version(if_match)?);
        let body = input.0.to_json_string();
        let parts = ["replace_import_mapping", &id.0, if_match.unwrap_or_default(), &body];
        let manner = manner(dry_run.0, key.0.as_deref(), &parts)?;
        let MappingInput { name, spec } = input.0;
        let replaced = self.imports.replace_mapping(&scope, place, (&name, spec.0), manner).await;
        answered(replaced.map_err(missing)?, &Shown, |mapping| {
            Found::new(MappingView::from(&mapping)).version(mapping.version)
        })
    }

    /// Delete a saved mapping
    #[oai(path = "/:id", method = "delete", operation_id = "delete_import_mapping")]
    async fn delete(
        &self,
        access: Access,
        id: Path<String>,
        /// Whether it is only to be tried.
        dry_run: Query<Option<bool>>,
        /// Sent again with the same key, it is answered again.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Mutated<Done>, Problem> {
        access.must(OBJECT, "create")?;
        let scope = access.entered.scope(&access.caller);
        let manner = manner(dry_run.0, key.0.as_deref(), &["delete_import_mapping", &id.0])?;
        let came = self.imports.delete_mapping(&scope, named(&id.0)?, manner).await.map_err(missing)?;
        Ok(gone(came, &Shown))
    }
}

/// Mappings as dry runs tell of them.
struct Shown;

impl Thing<SavedMapping> for Shown {
    fn object(&self) -> &'static str {
        "host.import-mapping"
    }

    fn id(&self, mapping: &SavedMapping) -> String {
        mapping.id.to_string()
    }

    fn body(&self, mapping: &SavedMapping) -> Value {
        MappingView::from(mapping).to_json().unwrap_or_default()
    }
}

fn named(text: &str) -> Result<RecordId, Problem> {
    id(text, MISSING)
}

/// A mapping that is not there is told as one, and no record.
fn missing(error: impl Into<ImportError>) -> Problem {
    match error.into() {
        ImportError::Records(RecordError::NotFound) => crate::http::access::missing(MISSING),
        error => error.into(),
    }
}

impl From<&SavedMapping> for MappingView {
    fn from(mapping: &SavedMapping) -> Self {
        Self {
            id: mapping.id.to_string(),
            version: mapping.version,
            created_at: rfc3339(mapping.created_at),
            updated_at: rfc3339(mapping.updated_at),
            created_by: mapping.created_by.to_string(),
            updated_by: mapping.updated_by.to_string(),
            name: mapping.name.clone(),
            entity: mapping.entity.clone(),
            spec: Any(mapping.spec.clone()),
        }
    }
}
