//! The operations of the platform's plane, one file for each subject.

mod admins;
mod auth;
mod domains;
mod installations;
mod licences;
mod me;
mod organizations;
mod plugins;
mod publishers;
mod rollouts;
mod security;
mod sessions;
mod usage;

use poem_openapi::Tags;

use crate::app::App;
use crate::platform::Platform;

use self::admins::AdminsApi;
use self::auth::AuthApi;
use self::domains::DomainsApi;
use self::installations::InstallationsApi;
use self::licences::LicencesApi;
use self::me::MeApi;
use self::organizations::OrganizationsApi;
use self::plugins::PluginsApi;
use self::publishers::PublishersApi;
use self::rollouts::RolloutsApi;
use self::security::SecurityApi;
use self::sessions::SessionsApi;
use self::usage::UsageApi;

/// All of them.
pub(super) type Resources = (
    AuthApi,
    MeApi,
    AdminsApi,
    SessionsApi,
    SecurityApi,
    OrganizationsApi,
    LicencesApi,
    DomainsApi,
    UsageApi,
    InstallationsApi,
    RolloutsApi,
    PublishersApi,
    PluginsApi,
);

/// Those on plugins.
pub(super) type OfPlugins = (InstallationsApi, RolloutsApi, PublishersApi, PluginsApi);

/// The headings of the document.
#[derive(Tags)]
pub(super) enum Tag {
    /// Getting in: the claim code, invitations, signing in.
    Auth,
    /// Yourself.
    Me,
    /// Those who run the installation.
    Admins,
    /// Who is signed in.
    Sessions,
    /// The log and the signing keys.
    Security,
    /// The customers.
    Organizations,
    /// What they may use.
    Licences,
    /// Plugins and what they use.
    Plugins,
}

/// The resources over the handles they use.
pub(super) fn all(app: &App, platform: &Platform) -> Resources {
    let platform = || platform.clone();
    let (installations, rollouts, publishers, plugins) = of_plugins(app);
    (
        AuthApi { platform: platform() },
        MeApi { platform: platform() },
        AdminsApi { platform: platform() },
        SessionsApi { platform: platform() },
        SecurityApi { platform: platform() },
        OrganizationsApi { app: app.clone() },
        LicencesApi { app: app.clone() },
        DomainsApi { app: app.clone() },
        UsageApi { app: app.clone() },
        installations,
        rollouts,
        publishers,
        plugins,
    )
}

/// The resources on plugins.
pub(super) fn of_plugins(app: &App) -> OfPlugins {
    let app = || app.clone();
    (
        InstallationsApi { app: app() },
        RolloutsApi { app: app() },
        PublishersApi { app: app() },
        PluginsApi { app: app() },
    )
}
