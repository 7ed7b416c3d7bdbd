//! The host's own resources, one file each. Every handler asks the policy, calls one operation and shapes its answer.

pub mod api_keys;
pub mod auth;
pub mod clients;
pub mod configuration;
pub mod consents;
pub mod duplicates;
pub mod exports;
pub mod files;
pub mod imports;
pub mod jobs;
pub mod mappings;
pub mod me;
pub mod merges;
pub mod organization;
pub mod people;
pub mod search;
pub mod signing_keys;
pub mod teams;
pub mod upload;
pub mod users;
pub mod views;

use poem_openapi::Tags;

use crate::app::App;

use self::api_keys::ApiKeysApi;
use self::auth::AuthApi;
use self::clients::ClientsApi;
use self::configuration::{ConfigurationApi, PartsApi};
use self::consents::ConsentsApi;
use self::duplicates::DuplicatesApi;
use self::exports::ExportsApi;
use self::files::FilesApi;
use self::imports::ImportsApi;
use self::jobs::JobsApi;
use self::mappings::MappingsApi;
use self::me::MeApi;
use self::merges::MergesApi;
use self::organization::OrganizationApi;
use self::search::SearchApi;
use self::signing_keys::SigningKeysApi;
use self::teams::TeamsApi;
use self::users::UsersApi;
use self::views::ViewsApi;

/// All of them.
pub type Resources = (Members, Issuing, Arranging, Finding, Moving);
/// Who is who.
type Members = (AuthApi, MeApi, OrganizationApi, UsersApi, TeamsApi, ApiKeysApi);
/// Who gets tokens, and what signs them.
type Issuing = (ClientsApi, SigningKeysApi, ConsentsApi);
/// What the organization arranges for itself.
type Arranging = (ConfigurationApi, PartsApi, ViewsApi);
/// Across all records.
type Finding = (SearchApi, FilesApi, DuplicatesApi, MergesApi);
/// Records in and out, and the work that this is.
type Moving = (ImportsApi, MappingsApi, ExportsApi, JobsApi);

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
    /// Programs that people sign in to, and what signs their tokens.
    Clients,
    /// Files of records.
    Files,
    /// Files that become records.
    Imports,
    /// Records that went out.
    Exports,
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
        (
            AuthApi { identity: identity.clone() },
            MeApi { identity: identity.clone() },
            OrganizationApi { clock: app.clock.clone() },
            UsersApi { identity: identity.clone() },
            TeamsApi { identity: identity.clone() },
            ApiKeysApi { identity: identity.clone() },
        ),
        (
            ClientsApi { identity: identity.clone() },
            SigningKeysApi { identity: identity.clone() },
            ConsentsApi { identity: identity.clone() },
        ),
        (
            ConfigurationApi { app: app.clone() },
            PartsApi { app: app.clone() },
            ViewsApi { records: app.records.clone() },
        ),
        (
            SearchApi { records: app.records.clone() },
            FilesApi { records: app.records.clone() },
            DuplicatesApi { sets: app.duplicates.clone(), app: app.clone() },
            MergesApi { records: app.records.clone(), hooks: app.hooks() },
        ),
        (
            ImportsApi { imports: app.imports.clone(), jobs: app.jobs.clone() },
            MappingsApi { imports: app.imports.clone() },
            ExportsApi { records: app.records.clone() },
            JobsApi { jobs: app.jobs.clone(), imports: app.imports.clone() },
        ),
    )
}
