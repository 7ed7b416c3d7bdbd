//! The host's own resources, one file each. Every handler asks the policy, calls one operation and shapes its answer.

pub mod api_keys;
pub mod auth;
pub mod authz;
pub mod clients;
pub mod configuration;
pub mod consents;
pub mod domains;
pub mod duplicates;
pub mod elsewhere;
pub mod exports;
pub mod files;
pub mod imports;
pub mod jobs;
pub mod limits;
pub mod mappings;
pub mod me;
pub mod merges;
pub mod organization;
pub mod people;
pub mod policies;
pub mod providers;
pub mod roles;
pub mod search;
pub mod security;
pub mod service_accounts;
pub mod sessions;
pub mod sign_ins;
pub mod signing_keys;
pub mod teams;
pub mod transactions;
pub mod upload;
pub mod user_factors;
pub mod users;
pub mod views;

use poem_openapi::Tags;

use crate::app::App;

use self::api_keys::ApiKeysApi;
use self::auth::AuthApi;
use self::authz::AuthzApi;
use self::clients::ClientsApi;
use self::configuration::{ConfigurationApi, PartsApi};
use self::consents::ConsentsApi;
use self::domains::DomainsApi;
use self::duplicates::DuplicatesApi;
use self::elsewhere::SignInApi;
use self::exports::ExportsApi;
use self::files::FilesApi;
use self::imports::ImportsApi;
use self::jobs::JobsApi;
use self::limits::LimitsApi;
use self::mappings::MappingsApi;
use self::me::{CredentialsApi, MeApi};
use self::merges::MergesApi;
use self::organization::OrganizationApi;
use self::policies::PoliciesApi;
use self::providers::ProvidersApi;
use self::roles::RolesApi;
use self::search::SearchApi;
use self::security::LeaksApi;
use self::service_accounts::ServiceAccountsApi;
use self::sessions::SessionsApi;
use self::sign_ins::SignInsApi;
use self::signing_keys::SigningKeysApi;
use self::teams::TeamsApi;
use self::transactions::TransactionsApi;
use self::user_factors::UserFactorsApi;
use self::users::UsersApi;
use self::views::ViewsApi;

/// All of them.
pub type Resources = (Members, Deciding, Issuing, Programs, Arranging, Finding, Moving);
/// Who may do what.
type Deciding = (RolesApi, PoliciesApi, AuthzApi);
/// Who is who.
type Members =
    (AuthApi, TransactionsApi, MeApi, CredentialsApi, OrganizationApi, UsersApi, TeamsApi, ApiKeysApi);
/// Who gets tokens, and what signs them.
type Issuing = (ClientsApi, SigningKeysApi, ConsentsApi);
/// Programs, people from elsewhere, and what administrators see and end of others' ways in.
type Programs = (
    ServiceAccountsApi,
    LeaksApi,
    ProvidersApi,
    DomainsApi,
    SignInApi,
    SessionsApi,
    SignInsApi,
    UserFactorsApi,
);
/// What the organization arranges for itself.
type Arranging = (ConfigurationApi, PartsApi, LimitsApi, ViewsApi);
/// Across all records.
type Finding = (SearchApi, FilesApi, DuplicatesApi, MergesApi);
/// Records in and out, and the work that this is.
type Moving = (ImportsApi, MappingsApi, ExportsApi, JobsApi);

/// The headings of the document.
#[derive(Tags)]
pub enum Tag {
    /// Getting in: signing in and out, passwords, second factors, sessions, links.
    Auth,
    /// The organization itself, its modules, and who you are.
    Organization,
    /// The people of the organization.
    Users,
    /// The teams that people belong to.
    Teams,
    /// Keys for programs.
    ApiKeys,
    /// Roles, and the organization's own rows of the policy.
    Policy,
    /// What is decided, and why.
    Authorization,
    /// Programs that people sign in to, and what signs their tokens.
    Clients,
    /// Programs with accounts of their own.
    ServiceAccounts,
    /// Other issuers whose people may sign in.
    IdentityProviders,
    /// Reports about leaked credentials.
    Security,
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
            AuthApi { identity: identity.clone(), address: app.address.clone() },
            TransactionsApi {
                identity: identity.clone(),
                federation: app.federation.clone(),
                address: app.address.clone(),
            },
            MeApi { identity: identity.clone() },
            CredentialsApi { identity: identity.clone(), address: app.address.clone() },
            OrganizationApi { clock: app.clock.clone() },
            UsersApi { identity: identity.clone() },
            TeamsApi { identity: identity.clone() },
            ApiKeysApi { identity: identity.clone() },
        ),
        (RolesApi { app: app.clone() }, PoliciesApi { app: app.clone() }, AuthzApi { app: app.clone() }),
        (
            ClientsApi { identity: identity.clone() },
            SigningKeysApi { identity: identity.clone() },
            ConsentsApi { identity: identity.clone() },
        ),
        (
            ServiceAccountsApi { identity: identity.clone() },
            LeaksApi { identity: identity.clone() },
            ProvidersApi { federation: app.federation.clone(), address: app.address.clone() },
            DomainsApi { federation: app.federation.clone() },
            SignInApi { federation: app.federation.clone() },
            SessionsApi { identity: identity.clone() },
            SignInsApi { identity: identity.clone() },
            UserFactorsApi { users: UsersApi { identity: identity.clone() }, address: app.address.clone() },
        ),
        (
            ConfigurationApi { app: app.clone() },
            PartsApi { app: app.clone() },
            LimitsApi { settings: app.settings.clone() },
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
