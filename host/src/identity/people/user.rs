//! People and teams: the types, and what makes their values acceptable. Pure.

use crate::clock::UnixMillis;
use crate::ids::{PrincipalId, TeamId};

use super::Email;
use crate::identity::IdentityError;

/// Whether a person may act.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UserStatus {
    /// They may.
    Active,
    /// Not any more; their tokens are dead, their records stay theirs.
    Disabled,
}

impl UserStatus {
    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }

    /// Anything that is not `active` keeps the person out.
    pub(crate) fn stored(text: &str) -> Self {
        if text == "active" { Self::Active } else { Self::Disabled }
    }
}

/// A person of an organization.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct User {
    /// The id that records name as their owner.
    pub id: PrincipalId,
    /// Grows with every change.
    pub version: i64,
    /// What people call them; not unique.
    pub name: String,
    /// Their address as written; `None`: they cannot log in.
    pub email: Option<String>,
    /// Their key in another system, unique.
    pub external_id: Option<String>,
    /// Whether they may act.
    pub status: UserStatus,
    /// Names of their roles, sorted.
    pub roles: Vec<String>,
    /// Their teams, the primary team first.
    pub teams: Vec<TeamId>,
    /// Whether they have chosen a password.
    pub has_password: bool,
    /// When they were created.
    pub created_at: UnixMillis,
    /// By whom.
    pub created_by: PrincipalId,
    /// When they were last changed.
    pub updated_at: UnixMillis,
    /// By whom.
    pub updated_by: PrincipalId,
}

/// What is asked for when a person is created.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Without one they cannot log in.
    pub email: Option<Email>,
    /// 1 to 200 characters.
    pub name: String,
    /// At least one.
    pub roles: Vec<String>,
    /// Their primary team.
    pub team: Option<TeamId>,
    /// Their key in another system.
    pub external_id: Option<String>,
}

/// What is asked for when a person is changed; `None` leaves a value as it is, `Some(None)` clears it.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// The version the change is based on; `None`: whatever it is.
    pub if_version: Option<i64>,
    /// 1 to 200 characters.
    pub name: Option<String>,
    /// Their address.
    pub email: Option<Option<Email>>,
    /// At least one.
    pub roles: Option<Vec<String>>,
    /// Their primary team; further teams stay.
    pub team: Option<Option<TeamId>>,
    /// Their key in another system.
    pub external_id: Option<Option<String>>,
    /// Whether they may act.
    pub status: Option<UserStatus>,
}

/// A team of an organization.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Grows with every change.
    pub version: i64,
    /// Unique without regard to letter case.
    pub name: String,
    /// The team it is below; `None`: at the top.
    pub parent: Option<TeamId>,
    /// How many people are in it.
    pub members: i64,
    /// When it was created.
    pub created_at: UnixMillis,
    /// By whom.
    pub created_by: PrincipalId,
    /// When it was last changed.
    pub updated_at: UnixMillis,
    /// By whom.
    pub updated_by: PrincipalId,
}

/// What is asked for when a team is changed; `None` leaves a value as it is.
#[derive(Clone, Debug, Default)]
pub struct TeamChange {
    /// The version the change is based on; `None`: whatever it is.
    pub if_version: Option<i64>,
    /// 1 to 200 characters, unique without regard to letter case.
    pub name: Option<String>,
    /// The team it is below; `Some(None)`: at the top.
    pub parent: Option<Option<TeamId>>,
}

/// The name without spaces around it.
///
/// # Errors
/// [`IdentityError::Invalid`].
pub(crate) fn checked_name(name: &str) -> Result<String, IdentityError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        return Err(IdentityError::Invalid {
            field: "name",
            reason: "use 1 to 200 characters, no control characters",
        });
    }
    Ok(name.to_owned())
}

/// The key in another system, as it came.
///
/// # Errors
/// [`IdentityError::Invalid`].
pub(crate) fn checked_external_id(id: Option<String>) -> Result<Option<String>, IdentityError> {
    if id.as_deref().is_some_and(|id| id.is_empty() || id.len() > 200 || id.chars().any(char::is_control)) {
        let reason = "use 1 to 200 bytes, no control characters";
        return Err(IdentityError::Invalid { field: "external_id", reason });
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_and_has_no_control_characters() {
        assert_eq!(checked_name("  Ann ").unwrap(), "Ann");
        for bad in ["", " ", "a\tb", "a\r\nb", &"a".repeat(201)] {
            assert!(checked_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn anything_but_active_keeps_a_person_out() {
        assert_eq!(UserStatus::stored("active"), UserStatus::Active);
        assert_eq!(UserStatus::stored("ACTIVE"), UserStatus::Disabled);
    }
}
