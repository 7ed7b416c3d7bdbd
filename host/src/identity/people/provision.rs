//! People whom nobody created: those that a provider vouches for.

use crate::clock::UnixMillis;
use crate::identity::{IdentityError, OWNER};
use crate::ids::PrincipalId;
use crate::storage::Connection;

use super::{Email, User, UserStatus, role, store, user};

/// Makes an active person without a password. Nobody becomes an owner this way.
///
/// # Errors
/// [`IdentityError::Invalid`], [`IdentityError::UnknownRole`], [`IdentityError::Taken`].
pub(in crate::identity) fn provision(
    connection: &Connection,
    name: &str,
    email: Option<&Email>,
    roles: Vec<String>,
    now: UnixMillis,
) -> Result<User, IdentityError> {
    let roles = role::checked(&roles)?;
    if roles.iter().any(|role| role == OWNER) {
        return Err(IdentityError::RoleRequired(OWNER.to_owned()));
    }
    let clean: String = name.chars().filter(|letter| !letter.is_control()).take(200).collect();
    let id = PrincipalId::new();
    let user = User {
        id,
        version: 1,
        name: user::checked_name(&clean)?,
        email: email.map(|email| email.as_str().to_owned()),
        external_id: None,
        status: UserStatus::Active,
        roles,
        teams: Vec::new(),
        has_password: false,
        created_at: now,
        created_by: id,
        updated_at: now,
        updated_by: id,
    };
    super::check_unique(connection, id, email, None)?;
    store::insert_user(connection, &user, email.map(Email::key))?;
    Ok(user)
}

/// Leaves somebody with these roles, perhaps none: those of their groups elsewhere, and their own. Nobody becomes an owner
/// this way, and nobody ceases to be one.
///
/// # Errors
/// [`IdentityError::RoleRequired`].
pub(in crate::identity) fn follow_roles(
    connection: &Connection,
    user: User,
    roles: Vec<String>,
    now: UnixMillis,
) -> Result<(), IdentityError> {
    let owns = |roles: &[String]| roles.iter().any(|role| role == OWNER);
    if owns(&roles) != owns(&user.roles) {
        return Err(IdentityError::RoleRequired(OWNER.to_owned()));
    }
    let (version, updated_by) = (user.version + 1, user.id);
    Ok(store::update_user(connection, &User { roles, version, updated_at: now, updated_by, ..user })?)
}
