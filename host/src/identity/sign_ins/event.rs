//! Events of authentication: what is written, what is read, what is asked for. Pure.

use crate::clock::UnixMillis;
use crate::identity::sessions::Visitor;
use crate::ids::PrincipalId;

/// Declares the kinds with their words.
macro_rules! kinds {
    ($($(#[$doc:meta])+ $kind:ident = $word:literal,)+) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum EventKind {
            $($(#[$doc])+ $kind,)+
        }

        impl EventKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+];

            /// The word that is stored, and that the API says.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $word,)+ }
            }
        }
    };
}

kinds! {
    /// Somebody signed in, or tried to.
    SignIn = "sign_in",
    /// Guessing at one address was slowed down.
    Throttled = "throttled",
    /// Many addresses were tried: the organization is slowed down.
    Spraying = "spraying",
    /// A password was chosen behind an invitation.
    PasswordSet = "password_set",
    /// A password was changed by whoever knew it.
    PasswordChanged = "password_changed",
    /// Somebody asked for a new password.
    ResetRequested = "reset_requested",
    /// A password was replaced behind a mailed link.
    PasswordReset = "password_reset",
    /// An address was changed.
    EmailChanged = "email_changed",
    /// A change of address was undone.
    EmailRestored = "email_restored",
    /// An authenticator app was added, or replaced.
    FactorAdded = "factor_added",
    /// The second factor was removed.
    FactorRemoved = "factor_removed",
    /// New recovery codes were made.
    RecoveryCodesMade = "recovery_codes_made",
    /// A recovery code was used.
    RecoveryUsed = "recovery_used",
    /// A session ended before its time.
    SessionEnded = "session_ended",
    /// Every session and token of a person ended.
    SessionsEnded = "sessions_ended",
    /// A key was made.
    KeyMade = "key_made",
    /// A key was used for the first time.
    KeyFirstUsed = "key_first_used",
    /// A key was revoked.
    KeyRevoked = "key_revoked",
    /// It was decided anew who needs a second factor.
    RulesChanged = "rules_changed",
}

impl EventKind {
    /// The kind with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|kind| kind.as_str() == word).copied()
    }
}

/// An event to write.
#[derive(Clone, Debug)]
pub(in crate::identity) struct Event {
    pub(in crate::identity) kind: EventKind,
    pub(super) cause: Option<&'static str>,
    pub(super) user: Option<PrincipalId>,
    pub(super) stranger: Option<[u8; 32]>,
    pub(super) network: Option<String>,
    pub(super) device: Option<String>,
    pub(super) by: Option<PrincipalId>,
    pub(super) about: Option<String>,
}

impl Event {
    pub(in crate::identity) const fn new(kind: EventKind) -> Self {
        Self {
            kind,
            cause: None,
            user: None,
            stranger: None,
            network: None,
            device: None,
            by: None,
            about: None,
        }
    }

    /// The same of another kind.
    pub(in crate::identity) fn instead(self, kind: EventKind) -> Self {
        Self { kind, ..self }
    }

    pub(in crate::identity) fn of(self, user: PrincipalId) -> Self {
        Self { user: Some(user), ..self }
    }

    /// Of a person, or else of an address that nobody has.
    pub(in crate::identity) fn of_either(
        self,
        user: Option<PrincipalId>,
        stranger: Option<[u8; 32]>,
    ) -> Self {
        Self { user, stranger: stranger.filter(|_| user.is_none()), ..self }
    }

    pub(in crate::identity) fn at(self, visitor: &Visitor) -> Self {
        Self { network: Some(visitor.prefix()), device: Some(visitor.device()), ..self }
    }

    pub(in crate::identity) fn because(self, cause: &'static str) -> Self {
        Self { cause: Some(cause), ..self }
    }

    pub(in crate::identity) fn by(self, by: PrincipalId) -> Self {
        Self { by: Some(by), ..self }
    }

    pub(in crate::identity) fn about(self, about: &(impl ToString + ?Sized)) -> Self {
        Self { about: Some(about.to_string()), ..self }
    }
}

/// An event that was written.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// Its number; later ones are higher.
    pub seq: i64,
    /// When.
    pub at: UnixMillis,
    /// What.
    pub kind: String,
    /// Why it failed; `None`: it did not.
    pub cause: Option<String>,
    /// Whose way in.
    pub user: Option<PrincipalId>,
    /// Instead, for an address that nobody has: the same for the same address.
    pub stranger: Option<Vec<u8>>,
    /// Where from: a prefix of an address.
    pub network: Option<String>,
    /// On what.
    pub device: Option<String>,
    /// Who did it, when it was somebody else.
    pub by: Option<PrincipalId>,
    /// How, or the id of a session or key.
    pub about: Option<String>,
}

/// Which events are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignInFilter {
    /// Of this person.
    pub user: Option<PrincipalId>,
    /// Of this kind.
    pub kind: Option<EventKind>,
    /// From this instant on.
    pub since: Option<UnixMillis>,
}
