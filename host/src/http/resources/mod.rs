//! The host's own resources, one file each. Every handler asks the policy, calls one operation and shapes its answer.

pub mod api_keys;
pub mod auth;
pub mod duplicates;
pub mod imports;
pub mod jobs;
pub mod me;
pub mod organization;
pub mod people;
pub mod teams;
pub mod upload;
pub mod users;

use poem_openapi::Tags;

use crate::app::App;

use self::api_keys::ApiKeysApi;
use self::auth::AuthApi;
use self::duplicates::DuplicatesApi;
use self::imports::ImportsApi;
use self::jobs::JobsApi;
use self::me::MeApi;
use self::organization::OrganizationApi;
use self::teams::TeamsApi;
use self::users::UsersApi;

/// All of them.
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
    /// Files that become records.
    Imports,
    /// Long-running work.
    Jobs,
    /// Records that are taken for one.
    Duplicates,
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
        DuplicatesApi { sets: app.duplicates.clone(), app: app.clone() },
    )
}
