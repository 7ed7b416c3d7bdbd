//! `/configuration`: the organization's own schema. Everybody may read what is in force; who may change it prepares a draft,
//! has it checked, and publishes it.

mod parts;
mod views;

use poem::http::StatusCode;
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::types::Any;
use serde_json::Value as Json;

use crate::app::{App, AppError};
use crate::http::access::Access;
use crate::http::answer::{Created, Found, cursor, cut, expected_version, page_size};
use crate::http::gateway::problem as of_record;
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::records::RecordError;
use crate::records::configuration::{Draft, shape};

pub use self::parts::PartsApi;
use self::views::{CheckView, DraftView, PublishInput, PublishedView, VersionList};

const OBJECT: &str = "host.configuration";

/// Reads, checks and publishes the organization's schema.
pub struct ConfigurationApi {
    /// The host.
    pub app: App,
}

#[OpenApi(prefix_path = "/api/v1/configuration", tag = "Tag::Configuration")]
impl ConfigurationApi {
    /// What is in force
    #[oai(path = "/", method = "get", operation_id = "get_configuration")]
    async fn get(&self, access: Access) -> Result<Found<PublishedView>, Problem> {
        access.must(OBJECT, "read")?;
        let published = self.app.configuration.published(access.organization().id).map_err(problem)?;
        Ok(Found::new(PublishedView::from(&published)).version(published.version.version))
    }

    /// What is being prepared
    #[oai(path = "/draft", method = "get", operation_id = "get_configuration_draft")]
    async fn draft(&self, access: Access) -> Result<Found<DraftView>, Problem> {
        access.must(OBJECT, "update")?;
        Ok(shown(&self.app.configuration.draft(access.organization().id).map_err(problem)?))
    }

    /// Replace the draft
    ///
    /// With a document made from what is in force now. `If-Match` names the revision that it replaces.
    #[oai(path = "/draft", method = "put", operation_id = "put_configuration_draft")]
    async fn put(
        &self,
        access: Access,
        input: Input<Any<Json>>,
        /// The ETag of the draft that you have seen.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Found<DraftView>, Problem> {
        access.must(OBJECT, "update")?;
        if if_match.0.is_none() {
            let detail =
                "Send `If-Match` with the ETag of the draft that you have seen, or `*` to replace any.";
            return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "precondition_required", detail));
        }
        let revision = expected_version(if_match.0.as_deref())?;
        let document = shape::document(&input.0.0).map_err(|faults| problem(RecordError::Invalid(faults)))?;
        let draft =
            self.app.configuration.replace(&access.caller, revision, document).await.map_err(problem)?;
        Ok(shown(&draft))
    }

    /// Discard the draft
    ///
    /// It is what is in force again.
    #[oai(path = "/draft", method = "delete", operation_id = "discard_configuration_draft")]
    async fn discard(
        &self,
        access: Access,
        /// The ETag of the draft that you have seen.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Found<DraftView>, Problem> {
        access.must(OBJECT, "update")?;
        let revision = expected_version(if_match.0.as_deref())?;
        Ok(shown(&self.app.configuration.discard(&access.caller, revision).await.map_err(problem)?))
    }

    /// Check the draft
    ///
    /// Every fault with its place, and what the draft means for the records that are there. Changes nothing.
    #[oai(path = "/draft/check", method = "post", operation_id = "check_configuration_draft")]
    async fn check(&self, access: Access) -> Result<Found<CheckView>, Problem> {
        access.must(OBJECT, "update")?;
        let (configuration, ground) = (self.app.configuration.clone(), access.entered.ground().clone());
        let scope = access.entered.scope(&access.caller);
        let checked = tokio::task::spawn_blocking(move || configuration.check(&scope, &ground)).await;
        let report = checked.map_err(|error| Problem::internal(&error))?.map_err(problem)?;
        Ok(Found::new(CheckView::from(report)))
    }

    /// Publish the draft
    ///
    /// Atomically: the next request finds it in force. `If-Match` names the revision that was checked.
    #[oai(path = "/publish", method = "post", operation_id = "publish_configuration")]
    async fn publish(
        &self,
        access: Access,
        input: Input<PublishInput>,
        /// The ETag of the draft that you have checked.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Created<PublishedView>, Problem> {
        access.must(OBJECT, "publish")?;
        let revision = expected_version(if_match.0.as_deref())?;
        let note = input.0.note.unwrap_or_default();
        let published = self.app.publish(&access.entered, &access.caller, revision, note).await;
        let published = published.map_err(refused)?;
        Ok(created(&access, &published))
    }

    /// List versions
    #[oai(path = "/versions", method = "get", operation_id = "list_configuration_versions")]
    async fn versions(
        &self,
        access: Access,
        /// 1 to 200, 50 unless asked for.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Found<VersionList>, Problem> {
        access.must(OBJECT, "read")?;
        let (size, before) = (page_size(limit.0)?, self::cursor(cursor.0.as_deref())?);
        let versions =
            self.app.configuration.versions(access.organization().id, before, size + 1).map_err(problem)?;
        let (versions, next) = cut(versions, size, |version| version.version.to_string());
        Ok(Found::new(VersionList::new(&versions, next)))
    }

    /// Get a version
    #[oai(path = "/versions/:version", method = "get", operation_id = "get_configuration_version")]
    async fn version(&self, access: Access, version: Path<String>) -> Result<Found<PublishedView>, Problem> {
        access.must(OBJECT, "read")?;
        let number = numbered(&version.0)?;
        let published = self.app.configuration.version(access.organization().id, number).map_err(problem)?;
        Ok(Found::new(PublishedView::from(&published)))
    }

    /// Go back to a version
    ///
    /// Its document is published anew. What was added since is archived, and keeps its values.
    #[oai(path = "/versions/:version/rollback", method = "post", operation_id = "roll_back_configuration")]
    async fn roll_back(
        &self,
        access: Access,
        version: Path<String>,
        input: Input<PublishInput>,
    ) -> Result<Created<PublishedView>, Problem> {
        access.must(OBJECT, "publish")?;
        let (number, note) = (numbered(&version.0)?, input.0.note.unwrap_or_default());
        let published =
            self.app.roll_back(&access.entered, &access.caller, number, note).await.map_err(refused)?;
        Ok(created(&access, &published))
    }
}

fn created(access: &Access, published: &crate::records::configuration::Published) -> Created<PublishedView> {
    let version = published.version.version;
    let place = access.link(&format!("/configuration/versions/{version}"));
    Created::new(PublishedView::from(published)).at(place).version(version)
}

fn shown(draft: &Draft) -> Found<DraftView> {
    Found::new(DraftView::from(draft)).version(draft.revision)
}

fn numbered(text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| missing())
}

fn missing() -> Problem {
    Problem::not_found("configuration_not_found", "There is nothing of this name in the configuration.")
}

fn problem(error: RecordError) -> Problem {
    match error {
        RecordError::NotFound => missing(),
        other => of_record(other),
    }
}

fn refused(error: AppError) -> Problem {
    match error {
        AppError::Records(error) => problem(error),
        other => Problem::internal(&other),
    }
}
