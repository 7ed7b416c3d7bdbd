//! An administrator, what may be asked of one, and which values are acceptable. Pure.

use crate::clock::UnixMillis;
use crate::identity::Email;
use crate::ids::PrincipalId;
use crate::platform::{PlatformError, ROLES};

/// Whether an administrator may act.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AdminStatus {
    /// Not before they have chosen a password.
    Invited,
    /// They may.
    Active,
    /// Not any more.
    Disabled,
}

impl AdminStatus {
    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }

    /// Anything unknown keeps people out.
    pub(super) fn stored(text: &str) -> Self {
        match text {
            "active" => Self::Active,
            "invited" => Self::Invited,
            _ => Self::Disabled,
        }
    }
}

/// Somebody who runs the installation.
#[derive(Clone, Debug)]
pub struct Admin {
    /// The id.
    pub id: PrincipalId,
    /// Grows with every change.
    pub version: i64,
    /// As it was given.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// Whether they may act.
    pub status: AdminStatus,
    /// Names of their roles, by name.
    pub roles: Vec<String>,
    /// Whether they have chosen a password.
    pub has_password: bool,
    /// Whether they have a second factor.
    pub has_factor: bool,
    /// When they came.
    pub created_at: UnixMillis,
    /// When they were last changed.
    pub updated_at: UnixMillis,
}

/// An administrator with what signing in needs.
pub(in crate::platform) struct Account {
    pub(in crate::platform) admin: Admin,
    pub(in crate::platform) password_hash: Option<String>,
    pub(in crate::platform) secret: Option<Vec<u8>>,
    pub(in crate::platform) pending: Option<Vec<u8>>,
    pub(in crate::platform) step: Option<i64>,
}

/// Whom to invite.
#[derive(Clone, Debug)]
pub struct NewAdmin {
    /// Their address.
    pub email: Email,
    /// What people call them.
    pub name: String,
    /// At least one.
    pub roles: Vec<String>,
}

/// What is to change.
#[derive(Clone, Debug, Default)]
pub struct AdminChange {
    /// Only when it still has this version.
    pub if_version: Option<i64>,
    /// What people call them.
    pub name: Option<String>,
    /// At least one.
    pub roles: Option<Vec<String>>,
    /// `Active` or `Disabled`; whoever was invited becomes active by choosing a password.
    pub status: Option<AdminStatus>,
}

/// The first owner, as they present themselves with the claim code.
#[derive(Clone, Debug)]
pub struct Claim {
    /// What `stoa serve` printed.
    pub code: String,
    /// Their address.
    pub email: Email,
    /// What people call them.
    pub name: String,
    /// Their password.
    pub password: String,
}

/// A link with which an administrator chooses a password. The token is shown once; only its hash is stored.
#[derive(Clone)]
pub struct Invitation {
    /// What the link carries.
    pub token: String,
    /// The link.
    pub url: String,
    /// The first instant it is no longer good.
    pub expires_at: UnixMillis,
}

/// What `before` becomes.
pub(super) fn changed(before: &Admin, change: AdminChange, now: UnixMillis) -> Result<Admin, PlatformError> {
    if change.if_version.is_some_and(|expected| expected != before.version) {
        return Err(PlatformError::VersionConflict { current: before.version });
    }
    let mut after = Admin { updated_at: now, ..before.clone() };
    if let Some(name) = change.name {
        after.name = named(&name)?;
    }
    if let Some(roles) = change.roles {
        after.roles = known(roles)?;
    }
    if let Some(status) = change.status.filter(|status| *status != before.status) {
        let possible =
            status != AdminStatus::Invited && (before.has_password || status == AdminStatus::Disabled);
        if !possible {
            return Err(PlatformError::Invalid {
                field: "status",
                reason: "they have to choose a password first",
            });
        }
        after.status = status;
    }
    Ok(after)
}

/// A name without blanks around it.
pub(super) fn named(name: &str) -> Result<String, PlatformError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        let reason = "use 1 to 200 characters, no control characters";
        return Err(PlatformError::Invalid { field: "name", reason });
    }
    Ok(name.to_owned())
}

/// The roles by name, each once, at least one.
pub(super) fn known(mut roles: Vec<String>) -> Result<Vec<String>, PlatformError> {
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() {
        return Err(PlatformError::Invalid { field: "roles", reason: "give at least one role" });
    }
    match roles.iter().find(|role| !ROLES.contains(&role.as_str())) {
        Some(unknown) => Err(PlatformError::UnknownRole(unknown.chars().take(64).collect())),
        None => Ok(roles),
    }
}
