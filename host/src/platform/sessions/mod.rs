//! Sessions of administrators: address, password and a code; then access tokens of ten minutes for as long as the session
//! lives. Without a second factor a session is good for enrolling one, and for nothing else.

mod factor;
pub(super) mod store;

use crate::clock::UnixMillis;
use crate::identity::{IdentityError, PLATFORM, check_password, key_of};
use crate::ids::{PrincipalId, SessionId};

use super::admins::{self, Account, Admin, AdminStatus};
use super::store::{Writing, begin, commit, reader};
use super::{OWNER, Platform, PlatformError, covers, fresh, hash_of};

pub use factor::Enrolment;

/// A session that is not used for this long is over, in milliseconds.
pub const IDLE: UnixMillis = 30 * 60_000;

/// No session is longer, in milliseconds.
pub const LONGEST: UnixMillis = 12 * 3_600_000;

/// How often the use of a session is written down, in milliseconds.
const NOTED: UnixMillis = 60_000;

/// Sessions that an administrator may have at once; the oldest end.
const MOST: u32 = 20;

const PREFIX: &str = "stoa_p1_";

/// A signed-in browser or program of an administrator.
#[derive(Clone, Debug)]
pub struct Session {
    /// The id.
    pub id: SessionId,
    /// Whose.
    pub admin: PrincipalId,
    /// How they proved who they are, in the words of RFC 8176.
    pub methods: Vec<String>,
    /// With a second factor.
    pub strong: bool,
    /// Where it was begun.
    pub address: String,
    /// When.
    pub created_at: UnixMillis,
    /// When it was last used, to the minute.
    pub last_seen_at: UnixMillis,
    /// When it is over at the latest.
    pub expires_at: UnixMillis,
    /// When it was ended.
    pub ended_at: Option<UnixMillis>,
}

impl Session {
    fn is_good(&self, now: UnixMillis) -> bool {
        self.ended_at.is_none() && now < self.expires_at && now.saturating_sub(self.last_seen_at) < IDLE
    }
}

/// What somebody signs in with.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// Their address.
    pub email: String,
    /// Their password.
    pub password: String,
    /// The code of their second factor, or a recovery code.
    pub code: Option<String>,
    /// Where they are.
    pub address: String,
    /// The secret of the session that their browser has.
    pub earlier: Option<String>,
}

/// Somebody who has just signed in.
#[derive(Clone)]
pub struct SignedIn {
    /// Who.
    pub admin: Admin,
    /// The session's secret, shown once.
    pub secret: String,
    /// The session.
    pub session: Session,
    /// An access token.
    pub token: String,
}

/// An administrator in a request.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Who, with the roles of now.
    pub admin: Admin,
    /// With which session.
    pub session: SessionId,
    /// With a second factor: without, they may enrol one and nothing else.
    pub strong: bool,
}

impl Signed {
    /// Whoever may open the operator's socket: they have no account, and may do what an owner may.
    #[must_use]
    pub fn operator() -> Self {
        let admin = Admin {
            id: PLATFORM,
            version: 0,
            email: String::new(),
            name: "Operator".to_owned(),
            status: AdminStatus::Active,
            roles: vec![OWNER.to_owned()],
            has_password: false,
            has_factor: false,
            created_at: 0,
            updated_at: 0,
        };
        Self { admin, session: SessionId::new(), strong: true }
    }
}

impl Platform {
    /// Signs somebody in. Unknown address, wrong password, disabled administrator and wrong code get one answer. The session
    /// that the browser had ends.
    ///
    /// # Errors
    /// [`IdentityError::InvalidCredentials`]; [`PlatformError::FactorRequired`] when everything else is right;
    /// [`IdentityError::Throttled`] and [`IdentityError::Busy`].
    pub async fn sign_in(&self, with: SignIn) -> Result<SignedIn, PlatformError> {
        let account = self.proven(&with.email, &with.password, with.code.as_deref()).await?;
        let strong = account.secret.is_some();
        let mut tx = begin(&self.control).await?;
        if let Some(earlier) = &with.earlier
            && let Some(hash) = hash_of(&self.peppers.session, PREFIX, earlier)?
            && let Some(session) = store::find_by_hash(&mut tx, &hash).await?
        {
            store::end(&mut tx, session.id, self.clock.now()).await?;
        }
        let (session, secret) = self.open_session(&mut tx, account.admin.id, strong, &with.address).await?;
        commit(tx).await?;
        let token = self.issue(&session).await?;
        Ok(SignedIn { admin: account.admin, secret, session, token })
    }

    /// Whose address this is. For the log only: nobody is told.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn id_of(&self, email: &str) -> Result<Option<PrincipalId>, PlatformError> {
        let found = admins::store::find_by_email(&mut *reader(&self.control).await?, &key_of(email)).await?;
        Ok(found.map(|account| account.admin.id))
    }

    /// The account of whoever knows all of this. The code is used up.
    async fn proven(
        &self,
        email: &str,
        password: &str,
        code: Option<&str>,
    ) -> Result<Account, PlatformError> {
        let key = key_of(email.get(..email.floor_char_boundary(254)).unwrap_or_default());
        let attempt = self.attempt(&key)?;
        let account = admins::store::find_by_email(&mut *reader(&self.control).await?, &key).await?;
        let stored = account.as_ref().and_then(|account| account.password_hash.clone());
        let verdict = match self.hasher.verify(password, stored).await {
            Err(busy @ IdentityError::Busy { .. }) => {
                attempt.withdraw();
                return Err(busy.into());
            }
            other => other?,
        };
        let may = |account: &Account| verdict.correct && account.admin.status == AdminStatus::Active;
        let Some(account) = account.filter(may) else {
            attempt.fail();
            return Err(IdentityError::InvalidCredentials.into());
        };
        match (&account.secret, code) {
            (None, _) => {}
            (Some(_), None) => {
                attempt.withdraw();
                return Err(PlatformError::FactorRequired);
            }
            (Some(_), Some(code)) if !self.use_code(account.admin.id, code).await? => {
                attempt.fail();
                return Err(IdentityError::InvalidCredentials.into());
            }
            (Some(_), Some(_)) => {}
        }
        attempt.succeed();
        Ok(account)
    }

    async fn open_session(
        &self,
        tx: &mut Writing,
        admin: PrincipalId,
        strong: bool,
        address: &str,
    ) -> Result<(Session, String), PlatformError> {
        let secret = fresh(PREFIX)?;
        let hash = hash_of(&self.peppers.session, PREFIX, &secret)?.ok_or(PlatformError::InvalidSession)?;
        let now = self.clock.now();
        let methods: &[&str] = if strong { &["pwd", "otp", "mfa"] } else { &["pwd"] };
        let session = Session {
            id: SessionId::new(),
            admin,
            methods: methods.iter().map(ToString::to_string).collect(),
            strong,
            address: address.to_owned(),
            created_at: now,
            last_seen_at: now,
            expires_at: now.saturating_add(LONGEST),
            ended_at: None,
        };
        store::insert(tx, &session, &hash).await?;
        store::end_oldest(tx, admin, MOST, now).await?;
        Ok((session, secret))
    }

    /// A new access token for a session.
    ///
    /// # Errors
    /// [`PlatformError::InvalidSession`].
    pub async fn renew(&self, secret: &str) -> Result<(Signed, String), PlatformError> {
        let hash = hash_of(&self.peppers.session, PREFIX, secret)?.ok_or(PlatformError::InvalidSession)?;
        let found = store::find_by_hash(&mut *reader(&self.control).await?, &hash).await?;
        let session = found.ok_or(PlatformError::InvalidSession)?;
        let signed = self.signed(&session).await?.ok_or(PlatformError::InvalidSession)?;
        Ok((signed, self.issue(&session).await?))
    }

    /// The administrator that this access token stands for, as they are now.
    ///
    /// # Errors
    /// [`IdentityError::InvalidToken`] for every token that is not good.
    pub async fn authenticate(&self, bearer: &str) -> Result<Signed, PlatformError> {
        let id = self.verified(bearer).await?;
        let session = store::find(&mut *reader(&self.control).await?, id.session).await?;
        let session = session.filter(|session| session.admin == id.admin);
        let signed = match session {
            Some(session) => self.signed(&session).await?,
            None => None,
        };
        Ok(signed.ok_or(IdentityError::InvalidToken)?)
    }

    /// Whose session this is, if it and they are good; its use is noted.
    async fn signed(&self, session: &Session) -> Result<Option<Signed>, PlatformError> {
        let now = self.clock.now();
        let mut db = reader(&self.control).await?;
        let account = admins::store::find(&mut db, session.admin).await?;
        let admin = account.map(|account| account.admin);
        let Some(admin) = admin.filter(|admin| session.is_good(now) && admin.status == AdminStatus::Active)
        else {
            return Ok(None);
        };
        if now.saturating_sub(session.last_seen_at) >= NOTED {
            store::touch(&mut db, session.id, now).await?;
        }
        Ok(Some(Signed { admin, session: session.id, strong: session.strong }))
    }

    /// A page of the sessions that are going on, of everybody or of one administrator.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn sessions(
        &self,
        of: Option<PrincipalId>,
        after: Option<SessionId>,
        limit: u32,
    ) -> Result<Vec<Session>, PlatformError> {
        let now = self.clock.now();
        let bounds = (limit, now, now.saturating_sub(IDLE));
        Ok(store::page(&mut *reader(&self.control).await?, of, after, bounds).await?)
    }

    /// Ends a session: one's own, or with `others` anybody's who may not do more.
    ///
    /// # Errors
    /// [`PlatformError::SessionNotFound`], [`PlatformError::NotAllowed`].
    pub async fn end_session(&self, by: &Signed, id: SessionId, others: bool) -> Result<(), PlatformError> {
        let mut tx = begin(&self.control).await?;
        let session = store::find(&mut tx, id).await?;
        let session = session.filter(|session| others || session.admin == by.admin.id);
        let session = session.ok_or(PlatformError::SessionNotFound(id))?;
        if session.admin != by.admin.id {
            let of = admins::store::find(&mut tx, session.admin).await?;
            if !of.is_some_and(|of| covers(&by.admin.roles, &of.admin.roles)) {
                return Err(PlatformError::NotAllowed("this takes every right that these roles have"));
            }
        }
        store::end(&mut tx, id, self.clock.now()).await?;
        Ok(commit(tx).await?)
    }

    /// Changes one's own password. Every other session ends.
    ///
    /// # Errors
    /// [`IdentityError::InvalidCredentials`], [`IdentityError::WeakPassword`], [`IdentityError::Throttled`].
    pub async fn change_password(&self, by: &Signed, current: &str, new: &str) -> Result<(), PlatformError> {
        self.knows_password(&by.admin.email, current).await?;
        check_password(new, Some(&by.admin.email), "stoa")?;
        let hash = self.hasher.choose(new).await?;
        let (mut tx, now) = (begin(&self.control).await?, self.clock.now());
        admins::store::set_password(&mut tx, by.admin.id, &hash, now).await?;
        store::end_all_but(&mut tx, by.admin.id, by.session, now).await?;
        Ok(commit(tx).await?)
    }

    /// Whether somebody who is signed in knows their password.
    async fn knows_password(&self, email: &str, password: &str) -> Result<(), PlatformError> {
        match self.proven(email, password, None).await {
            Ok(_) | Err(PlatformError::FactorRequired) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
