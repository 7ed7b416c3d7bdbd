//! Of whom an organization demands a second factor.
//!
//! Administrators are the owners, and whoever has a role that the organization made itself: what such a role lets is not
//! known here, so it counts as one.

use crate::caller::Caller;
use crate::identity::factors::{self, Factors};
use crate::identity::people::{self, OWNER, ROLES};
use crate::identity::{Identity, IdentityError, sessions};
use crate::ids::{OrganizationId, PrincipalId};
use crate::storage::Connection;

use super::{Event, EventKind, record, store};

/// Of whom a second factor is demanded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Demand {
    /// Whoever has one is asked for it; nobody has to have one.
    Nobody,
    /// Of those who administer the organization.
    Administrators,
    /// Of everybody.
    Everybody,
}

impl Demand {
    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Administrators => "administrators",
            Self::Everybody => "everybody",
        }
    }

    /// A word that is none of these demands of everybody: nobody gets in with less by damaging a file.
    fn stored(word: &str) -> Self {
        match word {
            "nobody" => Self::Nobody,
            "administrators" => Self::Administrators,
            _ => Self::Everybody,
        }
    }

    /// Whether it means somebody with these roles.
    fn means(self, roles: &[String]) -> bool {
        let administers = |role: &String| role == OWNER || !ROLES.contains(&role.as_str());
        match self {
            Self::Nobody => false,
            Self::Administrators => roles.iter().any(administers),
            Self::Everybody => true,
        }
    }
}

/// What a login takes of a person beside the first factor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::identity) struct Asked {
    /// They have an app, so it is asked for.
    pub(in crate::identity) has: bool,
    /// They must have one.
    pub(in crate::identity) demanded: bool,
    /// They used a recovery code, so the app is set up anew.
    pub(in crate::identity) renew: bool,
}

/// What a login takes of this person, as things are.
pub(in crate::identity) fn asked(connection: &Connection, user: PrincipalId) -> Result<Asked, IdentityError> {
    let Factors { totp, renew, .. } = factors::factors_of(connection, user)?;
    let demand = Demand::stored(&store::demand(connection)?);
    let roles = people::find_user(connection, user)?.map(|user| user.roles).unwrap_or_default();
    Ok(Asked { has: totp, demanded: demand.means(&roles), renew })
}

impl Identity {
    /// Of whom the organization demands a second factor.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn demand(&self, organization: OrganizationId) -> Result<Demand, IdentityError> {
        self.read(organization, |connection| Ok(Demand::stored(&store::demand(connection)?)))
    }

    /// Demands a second factor of these from now on. Whoever must have one and has none is signed out everywhere, and adds
    /// one when they sign in again.
    ///
    /// # Errors
    /// [`IdentityError::KeyCannotAdminister`].
    pub async fn set_demand(&self, by: &Caller, demand: Demand) -> Result<(), IdentityError> {
        crate::identity::keys::administers(&by.principal)?;
        let (caller, now) = (by.clone(), self.clock.now());
        self.write(by, move |connection| {
            store::set_demand(connection, demand.as_str())?;
            let event = Event::new(EventKind::RulesChanged).by(caller.principal.id).about(demand.as_str());
            record(connection, &event, now)?;
            for (person, roles) in store::bare_people(connection)? {
                if demand.means(&roles) {
                    sessions::end_sessions_of(connection, person, None, now)?;
                    people::end_tokens(connection, person)?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Whether the short ways in, by password or voucher alone, are not enough for this person.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn needs_second(
        &self,
        organization: OrganizationId,
        user: PrincipalId,
    ) -> Result<bool, IdentityError> {
        let asked = self.read(organization, |connection| asked(connection, user))?;
        Ok(asked.has || asked.demanded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn administrators_are_owners_and_whoever_has_a_role_of_the_organizations_own() {
        let means = |demand: Demand, role: &str| demand.means(&[role.to_owned()]);
        for role in ["owner", "manager", "rep", "readonly", "auditor"] {
            assert!(!means(Demand::Nobody, role) && means(Demand::Everybody, role), "{role}");
            let administers = matches!(role, "owner" | "auditor");
            assert_eq!(means(Demand::Administrators, role), administers, "{role}");
        }
        assert_eq!(Demand::stored("anything else"), Demand::Everybody);
    }
}
