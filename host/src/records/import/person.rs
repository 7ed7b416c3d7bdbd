//! A line of an import of people, and what can be said of it before anybody is written.
//!
//! Identity has the last word when a person is written. Its rules stand here a second time because a dry run must tell
//! what they would, and because a line that will be refused must not leave the team that it names.

use super::file::{Cell, Cells};
use super::source::Source;
use super::spec::{Mapping, Spec};
use crate::caller::{Principal, PrincipalKind};
use crate::identity::{Email, IdentityError, OWNER, ROLES};
use crate::records::error::Fault;

/// A line of the file.
pub(super) struct Person {
    pub(super) external_id: String,
    pub(super) name: String,
    /// Empty for nobody's.
    pub(super) email: String,
    /// Empty for none.
    pub(super) team: String,
    pub(super) roles: Vec<String>,
}

impl Person {
    /// The person of a line.
    pub(super) fn of(spec: &Spec, source: &Source, cells: &Cells) -> Self {
        let cell = |column: &str| {
            let at = source.columns.iter().position(|name| name == column);
            match cells.get(column, at) {
                Cell::Text(text) => text.trim().to_owned(),
                Cell::Json(json) => json.to_string(),
                Cell::Absent => String::new(),
            }
        };
        let text = |mapping: &Mapping| {
            let text = match (&mapping.column, &mapping.constant) {
                (Some(column), _) => cell(column),
                (None, Some(constant)) => constant.as_str().unwrap_or_default().to_owned(),
                (None, None) => String::new(),
            };
            let text = mapping.values.get(&text).cloned().unwrap_or(text);
            let default = mapping.default.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
            if text.is_empty() { default.to_owned() } else { text }
        };
        let field = |key: &str| spec.mapping.get(key).map(text).unwrap_or_default();
        let roles = field("roles");
        let roles = roles.split(';').map(str::trim).filter(|role| !role.is_empty());
        Self {
            external_id: spec.external_id.as_ref().map(|id| cell(&id.column)).unwrap_or_default(),
            name: field("name"),
            email: field("email"),
            team: field("team"),
            roles: roles.map(str::to_owned).collect(),
        }
    }

    /// The address, if the line alone has no fault.
    ///
    /// # Errors
    /// The fault.
    pub(super) fn checked(&self) -> Result<Option<Email>, Fault> {
        let required = |field: &str| Fault::at(field, "required", format!("`{field}` is empty"));
        if self.external_id.is_empty() {
            return Err(required("external_ids"));
        }
        if self.external_id.len() > 200 || self.external_id.chars().any(char::is_control) {
            let detail = "use 1 to 200 bytes, no control characters";
            return Err(Fault::at("external_ids", "invalid", detail));
        }
        if self.name.is_empty() {
            return Err(required("name"));
        }
        for (field, name) in [("name", &self.name), ("team", &self.team)] {
            if name.chars().count() > 200 || name.chars().any(char::is_control) {
                let detail = "use 1 to 200 characters, no control characters";
                return Err(Fault::at(field, "invalid", detail));
            }
        }
        match self.email.as_str() {
            "" => Ok(None),
            text => Email::parse(text).map(Some).map_err(fault_of),
        }
    }
}

/// Whether roles are known, at least one, and such that `by` may give them.
///
/// # Errors
/// The first that is not.
pub(super) fn giveable(by: &Principal, roles: &[String]) -> Result<(), IdentityError> {
    if let Some(unknown) = roles.iter().find(|role| !ROLES.contains(&role.as_str())) {
        return Err(IdentityError::UnknownRole(unknown.chars().take(64).collect()));
    }
    if roles.is_empty() {
        return Err(IdentityError::Invalid { field: "roles", reason: "name at least one role" });
    }
    covered(by, roles)
}

/// Whether `by` has a role at least as strong as each of these; only a person gives the owner's.
///
/// # Errors
/// The first that is stronger.
pub(super) fn covered(by: &Principal, roles: &[String]) -> Result<(), IdentityError> {
    if by.kind == PrincipalKind::Platform {
        return Ok(());
    }
    let rank = |role: &str| ROLES.iter().position(|known| *known == role).unwrap_or(ROLES.len());
    let own = by.roles.iter().map(|role| rank(role)).min().unwrap_or(ROLES.len());
    let lacks = |role: &&String| own > rank(role) || role.as_str() == OWNER && by.kind != PrincipalKind::User;
    match roles.iter().find(lacks) {
        Some(role) => Err(IdentityError::RoleRequired(role.clone())),
        None => Ok(()),
    }
}

/// What identity refuses, as a fault of the line.
pub(super) fn fault_of(error: IdentityError) -> Fault {
    let detail = error.to_string();
    match error {
        IdentityError::Invalid { field: "email", .. } => Fault::at("email", "invalid_email", detail),
        IdentityError::Invalid { field: "external_id", .. } => Fault::at("external_ids", "invalid", detail),
        IdentityError::Invalid { field, .. } => Fault::at(field, "invalid", detail),
        IdentityError::Taken { field: "external_id" } => Fault::at("external_ids", "not_unique", detail),
        IdentityError::Taken { field } => Fault::at(field, "taken", detail),
        IdentityError::UnknownRole(_) => Fault::at("roles", "unknown_role", detail),
        IdentityError::RoleRequired(_) => Fault::at("roles", "role_required", detail),
        IdentityError::LastOwner => Fault::at("roles", "last_owner", detail),
        _ => Fault { pointer: String::new(), code: "not_written".into(), detail },
    }
}
