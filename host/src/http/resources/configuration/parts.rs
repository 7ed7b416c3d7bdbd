//! `/configuration/draft/…`: single parts of the draft, so that nobody has to send the whole document to add a field.

use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use poem_openapi::types::Any;
use serde_json::Value as Json;

use super::views::{DraftView, ReplaceInput};
use super::{OBJECT, problem, shown};
use crate::app::App;
use crate::http::access::Access;
use crate::http::answer::{Found, expected_version};
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::records::RecordError;
use crate::records::configuration::{Document, edit};

/// Changes parts of the draft. Every operation answers the whole draft.
pub struct PartsApi {
    /// The host.
    pub app: App,
}

/// The ETag of the draft that a change was decided on, if it matters.
type IfMatch = Header<Option<String>>;

#[OpenApi(prefix_path = "/api/v1/configuration/draft", tag = "Tag::Configuration")]
impl PartsApi {
    /// Add a field
    ///
    /// The object is `plugin.entity`, or `custom.{key}` for one of your own.
    #[oai(path = "/entities/:object/fields", method = "post", operation_id = "add_configuration_field")]
    async fn add_field(
        &self,
        access: Access,
        object: Path<String>,
        input: Input<Any<Json>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Found<DraftView>, Problem> {
        let (object, json) = (object.0, input.0.0);
        self.edit(&access, &if_match, move |document, _| edit::add_field(document, &object, &json)).await
    }

    /// Change a field
    ///
    /// Members that are null are left out; a filter is replaced as a whole.
    #[oai(
        path = "/entities/:object/fields/:key",
        method = "patch",
        operation_id = "change_configuration_field"
    )]
    async fn change_field(
        &self,
        access: Access,
        object: Path<String>,
        key: Path<String>,
        input: Input<Any<Json>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Found<DraftView>, Problem> {
        let (object, key, json) = (object.0, key.0, input.0.0);
        self.edit(&access, &if_match, move |document, _| edit::change_field(document, &object, &key, &json))
            .await
    }

    /// Archive a field
    ///
    /// Its values are kept and it can come back: PATCH `archived` to false.
    #[oai(
        path = "/entities/:object/fields/:key",
        method = "delete",
        operation_id = "archive_configuration_field"
    )]
    async fn archive_field(
        &self,
        access: Access,
        object: Path<String>,
        key: Path<String>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Found<DraftView>, Problem> {
        let (object, key) = (object.0, key.0);
        self.edit(&access, &if_match, move |document, in_force| {
            edit::archive_field(document, in_force, &object, &key)
        })
        .await
    }

    /// Add a rule
    ///
    /// `condition` is a filter that must hold of every record that is written.
    #[oai(path = "/entities/:object/rules", method = "post", operation_id = "add_configuration_rule")]
    async fn add_rule(
        &self,
        access: Access,
        object: Path<String>,
        input: Input<Any<Json>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Found<DraftView>, Problem> {
        let (object, json) = (object.0, input.0.0);
        self.edit(&access, &if_match, move |document, _| edit::add_rule(document, &object, &json)).await
    }

    /// Change a rule
    #[oai(
        path = "/entities/:object/rules/:key",
        method = "patch",
        operation_id = "change_configuration_rule"
    )]
    async fn change_rule(
        &self,
        access: Access,
        object: Path<String>,
        key: Path<String>,
        input: Input<Any<Json>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Found<DraftView>, Problem> {
        let (object, key, json) = (object.0, key.0, input.0.0);
        self.edit(&access, &if_match, move |document, _| edit::change_rule(document, &object, &key, &json))
            .await
    }

    /// Remove a rule
    #[oai(
        path = "/entities/:object/rules/:key",
        method = "delete",
        operation_id = "remove_configuration_rule"
    )]
    async fn remove_rule(
        &self,
        access: Access,
        object: Path<String>,
        key: Path<String>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Found<DraftView>, Problem> {
        let (object, key) = (object.0, key.0);
        self.edit(&access, &if_match, move |document, _| edit::remove_rule(document, &object, &key)).await
    }

    /// Change an entity of a module
    ///
    /// `required_when` (filters by declared field) and `duplicates` (matching rules).
    #[oai(path = "/entities/:object", method = "patch", operation_id = "change_configuration_entity")]
    async fn change_entity(
        &self,
        access: Access,
        object: Path<String>,
        input: Input<Any<Json>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Found<DraftView>, Problem> {
        let (object, json) = (object.0, input.0.0);
        self.edit(&access, &if_match, move |document, _| edit::change_entity(document, &object, &json)).await
    }

    /// Add an object
    ///
    /// Once published it is at `/api/v1/custom/{plural}`.
    #[oai(path = "/objects", method = "post", operation_id = "add_configuration_object")]
    async fn add_object(
        &self,
        access: Access,
        input: Input<Any<Json>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Found<DraftView>, Problem> {
        let json = input.0.0;
        self.edit(&access, &if_match, move |document, _| edit::add_object(document, &json)).await
    }

    /// Change an object
    #[oai(path = "/objects/:key", method = "patch", operation_id = "change_configuration_object")]
    async fn change_object(
        &self,
        access: Access,
        key: Path<String>,
        input: Input<Any<Json>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Found<DraftView>, Problem> {
        let (key, json) = (key.0, input.0.0);
        self.edit(&access, &if_match, move |document, _| edit::change_object(document, &key, &json)).await
    }

    /// Archive an object
    ///
    /// Its records are kept and it can come back: PATCH `archived` to false.
    #[oai(path = "/objects/:key", method = "delete", operation_id = "archive_configuration_object")]
    async fn archive_object(
        &self,
        access: Access,
        key: Path<String>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Found<DraftView>, Problem> {
        let key = key.0;
        self.edit(&access, &if_match, move |document, in_force| {
            edit::archive_object(document, in_force, &key)
        })
        .await
    }

    /// Add an option set
    #[oai(path = "/option-sets", method = "post", operation_id = "add_configuration_option_set")]
    async fn add_option_set(
        &self,
        access: Access,
        input: Input<Any<Json>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Found<DraftView>, Problem> {
        let json = input.0.0;
        self.edit(&access, &if_match, move |document, _| edit::add_option_set(document, &json)).await
    }

    /// Change an option set
    ///
    /// Options are matched by `key`: those that you name are changed or added, the others stay.
    #[oai(path = "/option-sets/:key", method = "patch", operation_id = "change_configuration_option_set")]
    async fn change_option_set(
        &self,
        access: Access,
        key: Path<String>,
        input: Input<Any<Json>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Found<DraftView>, Problem> {
        let (key, json) = (key.0, input.0.0);
        self.edit(&access, &if_match, move |document, _| edit::change_option_set(document, &key, &json)).await
    }

    /// Replace an option by another
    ///
    /// When the draft is published, every record that holds the one gets the other, and the one is archived.
    #[oai(path = "/option-sets/:key/replace", method = "post", operation_id = "replace_configuration_option")]
    async fn replace_option(
        &self,
        access: Access,
        key: Path<String>,
        input: Input<ReplaceInput>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Found<DraftView>, Problem> {
        let (key, ReplaceInput { from, to }) = (key.0, input.0);
        self.edit(&access, &if_match, move |document, _| edit::replace_option(document, &key, &from, &to))
            .await
    }
}

impl PartsApi {
    async fn edit(
        &self,
        access: &Access,
        if_match: &IfMatch,
        edit: impl FnOnce(&mut Document, &Document) -> Result<(), RecordError> + Send + 'static,
    ) -> Result<Found<DraftView>, Problem> {
        access.must(OBJECT, "update")?;
        let revision = expected_version(if_match.0.as_deref())?;
        let draft = self.app.configuration.edit(&access.caller, revision, edit).await.map_err(problem)?;
        Ok(shown(&draft))
    }
}
