//! What the tests of this module start from: two organizations on real files, and a clock that stands still.

use crate::caller::{Caller, Principal, PrincipalKind, Source};
use crate::clock::Clock;
use crate::config::PublicAddress;
use crate::identity::{Cost, Email, Identity, IdentityError, NewUser, User, Visitor, platform};
use crate::ids::{OrganizationId, RequestId};
use crate::mail::Mailer;
use crate::organizations::{Organization, Slug, Status};
use crate::storage::{Secrets, TenantFiles};

/// A password that is good enough.
pub(super) const PASSWORD: &str = "violet tram 9 east";

pub(super) struct World {
    pub(super) folder: tempfile::TempDir,
    pub(super) clock: Clock,
    pub(super) identity: Identity,
    pub(super) acme: Organization,
    pub(super) globex: Organization,
}

impl World {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(1_700_000_000_000);
        let files = TenantFiles::new(folder.path().to_owned(), clock.clone(), crate::storage::GROUP_COMMIT);
        let secrets = Secrets::open(folder.path()).unwrap();
        let address = PublicAddress { origin: "https://crm.example.com".to_owned(), base_domain: None };
        let mailer = Mailer::new(folder.path(), &address, clock.clone());
        let identity =
            Identity::with_cost(files, secrets, clock.clone(), Cost::FLOOR).at(address).mailing(mailer);
        Self { folder, clock, identity, acme: organization("acme"), globex: organization("globex") }
    }

    /// Every mail so far with this subject, as text.
    pub(super) fn mails(&self, subject: &str) -> Vec<String> {
        let files = std::fs::read_dir(self.folder.path().join("spool/mail")).into_iter().flatten();
        let text = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        let text = text.map(|text| text.replace("=\r\n", "").replace("=3D", "="));
        text.filter(|text| text.contains(&format!("Subject: {subject}\r\n"))).collect()
    }

    /// The token behind `name` in the only mail with this subject.
    pub(super) fn mailed(&self, subject: &str, name: &str) -> String {
        let mails = self.mails(subject);
        assert_eq!(mails.len(), 1, "{subject}: {mails:?}");
        let (_, token) = mails[0].split_once(&format!("#{name}=")).unwrap();
        token.split_whitespace().next().unwrap().to_owned()
    }

    /// The same files, seen by another process that shares nothing but the folder.
    pub(super) fn another_process(&self) -> Identity {
        let files =
            TenantFiles::new(self.folder.path().to_owned(), self.clock.clone(), crate::storage::GROUP_COMMIT);
        Identity::with_cost(
            files,
            Secrets::open(self.folder.path()).unwrap(),
            self.clock.clone(),
            Cost::FLOOR,
        )
    }

    pub(super) fn platform(&self) -> Caller {
        platform(self.acme.id, RequestId::new())
    }

    /// Makes a role of acme's own, of which the policy module knows more.
    pub(super) async fn make_role(&self, name: &'static str) {
        let sql = "insert into roles (id, name, label, description, inherits, created_at, created_by, updated_at, updated_by)
                   values (randomblob(16), ?1, ?1, '', '[]', 0, x'00', 0, x'00')";
        let by = self.platform();
        let made = self.identity.write(&by, move |connection| Ok(connection.execute(sql, [name])?));
        assert_eq!(made.await.unwrap(), 1);
    }

    /// A person of acme with the address `{name}@example.com`.
    pub(super) async fn person(&self, name: &str, role: &str) -> User {
        self.try_person(&self.platform(), name, role).await.unwrap()
    }

    pub(super) async fn try_person(
        &self,
        by: &Caller,
        name: &str,
        role: &str,
    ) -> Result<User, IdentityError> {
        let email = Some(Email::parse(&format!("{name}@example.com")).unwrap());
        let new = NewUser {
            email,
            name: name.to_owned(),
            roles: vec![role.to_owned()],
            team: None,
            external_id: None,
        };
        self.identity.create_user(by, new).await
    }

    /// A person of acme who can log in with [`PASSWORD`].
    pub(super) async fn member(&self, name: &str, role: &str) -> User {
        let user = self.person(name, role).await;
        self.identity.set_password(&self.platform(), &self.acme, user.id, PASSWORD).await.unwrap();
        user
    }

    pub(super) async fn log_in(&self, name: &str) -> Result<String, IdentityError> {
        let email = format!("{name}@example.com");
        self.identity.log_in(&self.acme, &email, PASSWORD, &visitor()).await.map(|token| token.token)
    }

    pub(super) fn authenticate(&self, bearer: &str) -> Result<Caller, IdentityError> {
        self.identity.authenticate(&self.acme, bearer, RequestId::new())
    }
}

/// Somebody somewhere.
pub(super) fn visitor() -> Visitor {
    let address = "203.0.113.9".parse().unwrap();
    Visitor { address, user_agent: "Firefox".to_owned(), known_device: None, session: None }
}

/// The person as a caller.
pub(super) fn acting(organization: OrganizationId, user: &User) -> Caller {
    let principal = Principal::new(user.id, PrincipalKind::User, user.name.as_str())
        .with_roles(user.roles.iter().map(String::as_str))
        .with_teams(user.teams.clone());
    Caller { organization, principal: principal.into(), request: RequestId::new(), source: Source::Api }
}

fn organization(slug: &str) -> Organization {
    Organization {
        id: OrganizationId::new(),
        slug: Slug::parse(slug).unwrap(),
        name: slug.to_owned(),
        status: Status::Active,
        zone: "UTC".to_owned(),
        locale: "en".to_owned(),
        currency: "EUR".to_owned(),
        created_at: 0,
    }
}
