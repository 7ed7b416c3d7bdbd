//! Domains that an organization has shown to be its own: an address of one links people, see `fitting` in `mod.rs`.
//!
//! The organization names a domain and gets a challenge, which it writes into the DNS. The host asks no name server: who
//! runs the installation looks the record up, wherever they trust the answer, and says what they saw; it must be the very
//! challenge. So neither of the two can do it without the other. A domain is one organization's at most.

use subtle::ConstantTimeEq;

use crate::caller::{Caller, PrincipalKind};
use crate::clock::UnixMillis;
use crate::identity::keys::administers;
use crate::identity::{IdentityError, people, secret};
use crate::ids::{OrganizationId, PrincipalId};

use super::{Federation, store};

/// Below which name the record stands.
const RECORD: &str = "_stoa-challenge";

/// The most domains of an organization.
const MOST: usize = 100;

/// A domain of an organization.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Domain {
    /// ASCII, lower case.
    pub name: String,
    /// What the TXT record says.
    pub challenge: String,
    /// When it was added.
    pub added_at: UnixMillis,
    /// By whom.
    pub added_by: PrincipalId,
    /// When the record was seen; `None`: not yet, and the domain is good for nothing.
    pub verified_at: Option<UnixMillis>,
}

impl Domain {
    /// Where the TXT record stands.
    #[must_use]
    pub fn record_name(&self) -> String {
        format!("{RECORD}.{}", self.name)
    }
}

impl Federation {
    /// The organization's domains, by name.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn domains(&self, organization: OrganizationId) -> Result<Vec<Domain>, IdentityError> {
        self.identity.read(organization, |connection| Ok(store::list_domains(connection)?))
    }

    /// One of them.
    ///
    /// # Errors
    /// [`IdentityError::DomainNotFound`].
    pub fn domain(&self, organization: OrganizationId, name: &str) -> Result<Domain, IdentityError> {
        let found =
            self.identity.read(organization, |connection| Ok(store::find_domain(connection, name)?))?;
        found.ok_or_else(|| IdentityError::DomainNotFound(name.to_owned()))
    }

    /// Says that a domain is the organization's. It counts once it is verified.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`], [`IdentityError::Taken`], [`IdentityError::KeyCannotAdminister`].
    pub async fn add_domain(&self, by: &Caller, name: &str) -> Result<Domain, IdentityError> {
        administers(&by.principal)?;
        let domain = Domain {
            name: checked(name)?,
            challenge: format!("stoa-domain-verification={}", secret::encode(secret::random()?.as_slice())),
            added_at: self.identity.clock.now(),
            added_by: by.principal.id,
            verified_at: None,
        };
        self.identity
            .write(by, move |connection| {
                if store::find_domain(connection, &domain.name)?.is_some() {
                    return Err(IdentityError::Taken { field: "domain" });
                }
                if store::list_domains(connection)?.len() >= MOST {
                    let reason = "an organization has at most 100 domains";
                    return Err(IdentityError::Invalid { field: "domain", reason });
                }
                store::put_domain(connection, &domain)?;
                Ok(domain)
            })
            .await
    }

    /// Takes a domain away. Who was linked by an address of it stays linked.
    ///
    /// # Errors
    /// [`IdentityError::DomainNotFound`], [`IdentityError::KeyCannotAdminister`].
    pub async fn remove_domain(&self, by: &Caller, name: &str) -> Result<(), IdentityError> {
        administers(&by.principal)?;
        let _turn = self.turns.lock().await;
        let known = name.to_owned();
        self.identity
            .write(by, move |connection| {
                let deleted = store::delete_domain(connection, &known)?;
                deleted.then_some(()).ok_or(IdentityError::DomainNotFound(known))
            })
            .await?;
        Ok(self.organizations.release(name, by.organization).await?)
    }

    /// Takes the word of those who run the installation that the record stands in the DNS.
    ///
    /// # Errors
    /// [`IdentityError::RoleRequired`] for everybody else; [`IdentityError::DomainNotFound`]; [`IdentityError::Invalid`] for
    /// another record; [`IdentityError::DomainTaken`].
    pub async fn verify_domain(&self, by: &Caller, name: &str, seen: &str) -> Result<Domain, IdentityError> {
        if by.principal.kind != PrincipalKind::Platform {
            return Err(IdentityError::RoleRequired("platform".to_owned()));
        }
        let domain = self.domain(by.organization, name)?;
        // `dig` and the pages of providers show a record in quotation marks.
        let seen = seen.trim().trim_matches('"');
        if !bool::from(seen.as_bytes().ct_eq(domain.challenge.as_bytes())) {
            let reason = "this is not what the organization was asked to write there";
            return Err(IdentityError::Invalid { field: "record", reason });
        }
        // One at a time: between the two files nobody else looks.
        let _turn = self.turns.lock().await;
        let holder = self.organizations.holder_of(name).await?;
        if let Some(other) = holder.filter(|holder| *holder != by.organization)
            && self.identity.read(other, |connection| Ok(store::is_verified(connection, name)?))?
        {
            return Err(IdentityError::DomainTaken);
        }
        self.organizations.hold(name, by.organization).await?;
        let (known, now, id) = (domain.challenge, self.identity.clock.now(), by.principal.id);
        let name = name.to_owned();
        self.identity
            .write(by, move |connection| {
                // Taken away, or added anew with another challenge, in the meantime?
                let same = store::find_domain(connection, &name)?.filter(|domain| domain.challenge == known);
                let domain = same.ok_or_else(|| IdentityError::DomainNotFound(name.clone()))?;
                if domain.verified_at.is_some() {
                    return Ok(domain);
                }
                store::verify_domain(connection, &name, id, now)?;
                Ok(Domain { verified_at: Some(now), ..domain })
            })
            .await
    }
}

/// A domain as it is compared: that of an e-mail address.
fn checked(text: &str) -> Result<String, IdentityError> {
    let invalid = |reason| IdentityError::Invalid { field: "domain", reason };
    let email = people::Email::parse(&format!("somebody@{}", text.trim()))
        .map_err(|_| invalid("use a domain such as example.com"))?;
    let name = email.domain();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    if !name.bytes().all(plain) || name.len() > 200 || text.contains('@') {
        return Err(invalid("write the domain in ASCII, an international one as xn--…"));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::fixture::{World, acting};
    use crate::identity::platform;
    use crate::ids::RequestId;
    use crate::organizations::Organizations;
    use crate::outbound::{Outbound, Rules};
    use crate::storage::ControlPlane;

    const NAME: &str = "acme.example";

    async fn federation(world: &World) -> Federation {
        let control = ControlPlane::open(&world.folder.path().join("control.sqlite")).await.unwrap();
        let organizations = Organizations::new(control, world.clock.clone());
        Federation::new(world.identity.clone(), organizations, Outbound::new(Rules::default()).unwrap())
    }

    fn of(organization: OrganizationId) -> Caller {
        platform(organization, RequestId::new())
    }

    #[tokio::test]
    async fn a_domain_becomes_one_organizations_however_many_ask_at_once() {
        let world = World::new();
        let federation = federation(&world).await;
        let (acme, globex) = (of(world.acme.id), of(world.globex.id));
        let one = federation.add_domain(&acme, NAME).await.unwrap();
        let other = federation.add_domain(&globex, NAME).await.unwrap();
        assert_ne!(one.challenge, other.challenge);
        let (one, other) = tokio::join!(
            federation.verify_domain(&acme, NAME, &one.challenge),
            federation.verify_domain(&globex, NAME, &other.challenge)
        );
        let taken =
            |result: &Result<Domain, IdentityError>| matches!(result, Err(IdentityError::DomainTaken));
        assert!(one.is_ok() != other.is_ok() && taken(&one) != taken(&other), "{one:?} {other:?}");
    }

    #[tokio::test]
    async fn what_a_crash_left_half_done_keeps_nobody_from_their_domain() {
        let world = World::new();
        let federation = federation(&world).await;
        let (acme, globex) = (of(world.acme.id), of(world.globex.id));
        let domain = federation.add_domain(&acme, NAME).await.unwrap();
        // The other organization was written down, and then the host ended.
        federation.add_domain(&globex, NAME).await.unwrap();
        federation.organizations.hold(NAME, globex.organization).await.unwrap();
        federation.verify_domain(&acme, NAME, &domain.challenge).await.unwrap();
        assert_eq!(federation.organizations.holder_of(NAME).await.unwrap(), Some(acme.organization));
        // What the other takes away is only its own.
        federation.remove_domain(&globex, NAME).await.unwrap();
        assert_eq!(federation.organizations.holder_of(NAME).await.unwrap(), Some(acme.organization));
    }

    #[tokio::test]
    async fn nobody_of_the_organization_verifies_its_own_domain() {
        let world = World::new();
        let federation = federation(&world).await;
        let domain = federation.add_domain(&of(world.acme.id), NAME).await.unwrap();
        let owner = world.person("ann", "owner").await;
        let by = acting(world.acme.id, &owner);
        let verified = federation.verify_domain(&by, NAME, &domain.challenge).await;
        assert!(matches!(verified, Err(IdentityError::RoleRequired(_))));
    }

    #[test]
    fn a_domain_is_written_in_one_way() {
        assert_eq!(checked(" Example.COM ").unwrap(), "example.com");
        assert_eq!(checked("mail.xn--bcher-kva.example").unwrap(), "mail.xn--bcher-kva.example");
        let long = format!("{}.example", "a.".repeat(100));
        for bad in [
            "",
            "localhost",
            "example.com.",
            ".example.com",
            "a@example.com",
            "exam ple.com",
            "*.example.com",
            "b\u{fc}cher.example",
            "_x.example.com",
            "-a.example",
            "127.0.0.1/8",
            "example.com/x",
            &long,
        ] {
            assert!(checked(bad).is_err(), "{bad}");
        }
    }
}
