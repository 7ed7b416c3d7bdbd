//! The second factor: enrolled by showing that the secret has arrived, used once per code, replaced by whoever knows the
//! password and has the old one. Recovery codes come with it and are shown once.

use zeroize::Zeroizing;

use crate::identity::secret::{self, keyed_hash};
use crate::identity::{IdentityError, key_of, totp};
use crate::ids::PrincipalId;
use crate::platform::{Platform, PlatformError, admins};

use super::{Signed, SignedIn, begin, commit, store};

/// What authenticator apps show.
const ISSUER: &str = "Stoa Platform";

/// Recovery codes that somebody gets at once.
const RECOVERY: usize = 10;

/// Bytes of a recovery code: 120 bits, so that a fast hash is enough.
const RECOVERY_BYTES: usize = 15;

/// What an authenticator app needs to know. Shown once.
#[derive(Clone)]
pub struct Enrolment {
    /// The secret in base32, for typing.
    pub secret: String,
    /// The same as an `otpauth` address, for scanning.
    pub address: String,
}

impl Platform {
    /// Begins to enrol a second factor. Whoever has one gives a code of it, too; it stays until the new one is confirmed.
    ///
    /// # Errors
    /// [`IdentityError::InvalidCredentials`] for a wrong password, [`PlatformError::FactorRequired`],
    /// [`PlatformError::InvalidCode`].
    pub async fn enrol(
        &self,
        by: &Signed,
        password: &str,
        code: Option<&str>,
    ) -> Result<Enrolment, PlatformError> {
        self.proven(&by.admin.email, password, code).await?;
        let random = secret::random()?;
        let secret = random.get(..totp::SECRET).unwrap_or_default();
        let sealed = self.secrets.seal(&purpose(by.admin.id), secret)?;
        let mut tx = begin(&self.control).await?;
        store::set_pending(&mut tx, by.admin.id, &sealed).await?;
        commit(tx).await?;
        Ok(Enrolment {
            secret: totp::base32(secret),
            address: totp::address(secret, ISSUER, &by.admin.email),
        })
    }

    /// Makes the new secret the second factor, once a code of it shows that it has arrived. Every session ends and a strong
    /// one begins. Answers the recovery codes.
    ///
    /// # Errors
    /// [`PlatformError::NothingPending`], [`PlatformError::InvalidCode`], [`IdentityError::Throttled`].
    pub async fn confirm(
        &self,
        by: &Signed,
        code: &str,
        address: &str,
    ) -> Result<(SignedIn, Vec<String>), PlatformError> {
        let attempt = self.attempt(&format!("confirm {}", by.admin.id))?;
        let (mut tx, now, id) = (begin(&self.control).await?, self.clock.now(), by.admin.id);
        let account = admins::store::find(&mut tx, id).await?.ok_or(IdentityError::InvalidToken)?;
        let Some(pending) = account.pending else {
            attempt.withdraw();
            return Err(PlatformError::NothingPending);
        };
        let pending = Zeroizing::new(self.secrets.open_sealed(&purpose(id), &pending)?);
        let Some(step) = totp::check(&pending, code, 0, now) else {
            attempt.fail();
            return Err(PlatformError::InvalidCode);
        };
        store::confirm(&mut tx, id, step).await?;
        let codes: Vec<String> = (0..RECOVERY).map(|_| recovery_code()).collect::<Result<_, _>>()?;
        let hashes = codes.iter().map(|code| self.recovery_hash(id, code)).collect::<Result<Vec<_>, _>>()?;
        store::put_recovery(&mut tx, id, &hashes).await?;
        store::end_all(&mut tx, id, now).await?;
        let (session, secret) = self.open_session(&mut tx, id, true, address).await?;
        commit(tx).await?;
        attempt.succeed();
        let token = self.issue(&session).await?;
        let admin = admins::Admin { has_factor: true, version: account.admin.version + 1, ..account.admin };
        Ok((SignedIn { admin, secret, session, token }, codes))
    }

    /// Uses a code of the second factor up, or a recovery code; `false` when it is neither.
    pub(super) async fn use_code(&self, id: PrincipalId, code: &str) -> Result<bool, PlatformError> {
        let mut tx = begin(&self.control).await?;
        let Some(account) = admins::store::find(&mut tx, id).await? else { return Ok(false) };
        let Some(sealed) = account.secret else { return Ok(false) };
        let secret = Zeroizing::new(self.secrets.open_sealed(&purpose(id), &sealed)?);
        let good = match totp::check(&secret, code, account.step.unwrap_or(0), self.clock.now()) {
            Some(step) => {
                store::set_step(&mut tx, id, step).await?;
                true
            }
            None => {
                let hash = self.recovery_hash(id, code)?;
                store::take_recovery(&mut tx, id, &hash).await?
            }
        };
        commit(tx).await?;
        Ok(good)
    }

    fn recovery_hash(&self, id: PrincipalId, code: &str) -> Result<[u8; 32], IdentityError> {
        let plain: String = key_of(code).chars().filter(|letter| *letter != '-').collect();
        keyed_hash(&self.peppers.recovery, id.as_bytes(), plain.as_bytes())
    }
}

/// Names the administrator, so that a sealed secret does not open in another row.
fn purpose(admin: PrincipalId) -> String {
    format!("platform-totp:{admin}")
}

/// Six groups of four letters and digits.
fn recovery_code() -> Result<String, IdentityError> {
    let random = secret::random()?;
    let text = totp::base32(random.get(..RECOVERY_BYTES).unwrap_or_default()).to_lowercase();
    let letters: Vec<char> = text.chars().collect();
    Ok(letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-"))
}
