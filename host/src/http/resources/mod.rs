//! The host's own resources, one file each. Every handler asks the policy, calls one operation and shapes its answer.

pub mod api_keys;
pub mod auth;
pub mod configuration;
pub mod files;
pub mod duplicates;
pub mod imports;
pub mod jobs;
pub mod me;
pub mod merges;
pub mod organization;
pub mod people;
pub mod search;
pub mod teams;
pub mod upload;
pub mod users;
pub mod views;

use poem_openapi::Tags;

use crate::app::App;

use self::api_keys::ApiKeysApi;
use self::auth::AuthApi;
use self::configuration::{ConfigurationApi, PartsApi};
use self::files::FilesApi;
use self::duplicates::DuplicatesApi;
use self::imports::ImportsApi;
use self::jobs::JobsApi;
use self::me::MeApi;
use self::merges::MergesApi;
use self::organization::OrganizationApi;
use self::search::SearchApi;
use self::teams::TeamsApi;
use self::users::UsersApi;
use self::views::ViewsApi;

/// All of them.
#[rustfmt::skip] // one on a line, so that adding one is one line
pub type Resources = (
    AuthApi,
    MeApi,
    OrganizationApi,
    UsersApi,
    TeamsApi,
    ApiKeysApi,
    ImportsApi,
    JobsApi,
    SearchApi,
    FilesApi,
    ConfigurationApi,
    PartsApi,
);
pub type Resources =
    (AuthApi, MeApi, OrganizationApi, UsersApi, TeamsApi, ApiKeysApi, ImportsApi, JobsApi, ViewsApi);
pub type Resources =
    (AuthApi, MeApi, OrganizationApi, UsersApi, TeamsApi, ApiKeysApi, ImportsApi, JobsApi, DuplicatesApi);

/// The headings of the document.
#[derive(Tags)]
pub enum Tag {
    /// Getting in: login and set-up links.
    Auth,
    /// The organization itself, its modules, and who you are.
    Organization,
    /// The people of the organization.
    Users,
    /// The teams that people belong to.
    Teams,
    /// Keys for programs.
    ApiKeys,
    /// Files of records.
    Files,
    /// Files that become records.
    Imports,
    /// Long-running work.
    Jobs,
    /// Finding records by words.
    Search,
    /// The organization's own schema.
    Configuration,
    /// Saved views of records.
    Views,
    /// Records that are taken for one.
    Duplicates,
    /// Records that became one.
    Merges,
}

/// The resources over the handles they use.
#[must_use]
pub fn all(app: &App) -> Resources {
    let identity = &app.identity;
    (
        AuthApi { identity: identity.clone() },
        MeApi { identity: identity.clone() },
        OrganizationApi { clock: app.clock.clone() },
        UsersApi { identity: identity.clone() },
        TeamsApi { identity: identity.clone() },
        ApiKeysApi { identity: identity.clone() },
        ImportsApi { imports: app.imports.clone() },
        JobsApi { jobs: app.jobs.clone(), imports: app.imports.clone() },
        SearchApi { records: app.records.clone() },
        FilesApi { records: app.records.clone() },
        ConfigurationApi { app: app.clone() },
        PartsApi { app: app.clone() },
        ViewsApi { records: app.records.clone() },
        DuplicatesApi { sets: app.duplicates.clone(), app: app.clone() },
        MergesApi { records: app.records.clone(), hooks: app.hooks() },
    )
}
