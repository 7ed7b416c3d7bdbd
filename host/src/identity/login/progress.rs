//! How far a login is: what it takes, what was done, what can be done next. Pure.

use crate::clock::UnixMillis;
use crate::identity::IdentityError;
use crate::identity::sessions::Method;
use crate::identity::sign_ins::Asked;
use crate::ids::PrincipalId;

/// What can be done next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Say who you are.
    Identify,
    /// Say the password.
    Password,
    /// Say a code of the authenticator app.
    Totp,
    /// Say a recovery code.
    Recovery,
    /// Add an authenticator app.
    Enrol,
    /// Confirm the app that is being added, with two codes.
    Confirm,
    /// Ask for the session.
    Complete,
}

impl Step {
    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identify => "identify",
            Self::Password => "password",
            Self::Totp => "totp",
            Self::Recovery => "recovery",
            Self::Enrol => "enrol",
            Self::Confirm => "confirm",
            Self::Complete => "complete",
        }
    }
}

/// What another issuer vouched for.
#[derive(Clone, Debug)]
pub struct External {
    /// Who it is here.
    pub user: PrincipalId,
    /// How well they were proved: `aal1` or `aal2`.
    pub acr: String,
    /// When.
    pub auth_time: UnixMillis,
}

/// A login under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Login {
    pub(super) user: Option<PrincipalId>,
    pub(super) email_key: Option<String>,
    /// Only grows as long as it is the same person's.
    pub(super) required: Vec<Method>,
    pub(super) done: Vec<Method>,
    pub(super) acr: Option<String>,
    pub(super) auth_time: Option<UnixMillis>,
    /// The sealed secret of an app that is being added.
    pub(super) pending: Option<Vec<u8>>,
    /// Whether an app is to be added. Not stored: it is seen anew whenever the login is looked at.
    pub(super) enrols: Option<Enrols>,
    /// Whether the step under way ended sessions. Not stored.
    pub(super) ended: bool,
}

/// Why an app is to be added.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Enrols {
    /// The organization demands one, and there is none.
    First,
    /// A recovery code stood for the one there is.
    Anew,
}

impl Login {
    pub(super) fn steps(&self) -> Vec<Step> {
        let first = [Method::Password, Method::Federated];
        if self.email_key.is_none() && self.user.is_none() {
            return vec![Step::Identify];
        }
        if !self.done.iter().any(|method| first.contains(method)) {
            return vec![Step::Password];
        }
        let second = self.done.iter().any(|method| method.is_second());
        let required = self.required.iter().any(|method| method.is_second());
        match self.enrols {
            Some(Enrols::First) if !second => self.enrolling(),
            _ if required && !second => vec![Step::Totp, Step::Recovery],
            Some(Enrols::Anew) => self.enrolling(),
            _ => vec![Step::Complete],
        }
    }

    fn enrolling(&self) -> Vec<Step> {
        if self.pending.is_some() { vec![Step::Confirm, Step::Enrol] } else { vec![Step::Enrol] }
    }

    /// Adds what the person and the organization ask for by now. Nothing is ever taken away.
    pub(super) fn ask(&mut self, asked: Asked) {
        // Another issuer that asked for a second factor has done it for us.
        if self.acr.as_deref() == Some("aal2") {
            return;
        }
        if (asked.has || asked.demanded) && !self.required.contains(&Method::Totp) {
            self.required.push(Method::Totp);
        }
        let required = self.required.contains(&Method::Totp);
        self.enrols = match (asked.has, asked.renew) {
            (true, true) => Some(Enrols::Anew),
            (false, _) if required => Some(Enrols::First),
            _ => None,
        };
    }

    /// Who is asked for this step.
    pub(super) fn asked(&self, step: Step) -> Result<PrincipalId, IdentityError> {
        let user = self.user.filter(|_| self.steps().contains(&step));
        user.ok_or(IdentityError::LoginIncomplete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Asked = Asked { has: false, demanded: false, renew: false };

    fn login(done: &[Method], asked: Asked) -> Login {
        let mut login = Login {
            user: Some(PrincipalId::new()),
            email_key: Some("ann@example.com".to_owned()),
            required: vec![Method::Password],
            done: done.to_vec(),
            ..Login::default()
        };
        login.ask(asked);
        login
    }

    #[test]
    fn whoever_must_have_a_second_factor_adds_one_and_gets_no_further_before() {
        let demanded = Asked { demanded: true, ..NOTHING };
        assert_eq!(login(&[], demanded).steps(), [Step::Password], "nothing is told before the password");
        let mut bare = login(&[Method::Password], demanded);
        assert_eq!(bare.steps(), [Step::Enrol]);
        bare.pending = Some(Vec::new());
        assert_eq!(bare.steps(), [Step::Confirm, Step::Enrol]);
        bare.done.push(Method::Totp);
        assert_eq!(bare.steps(), [Step::Complete]);
        let has = Asked { has: true, demanded: true, renew: false };
        assert_eq!(login(&[Method::Password], has).steps(), [Step::Totp, Step::Recovery]);
    }

    #[test]
    fn what_a_login_takes_only_grows() {
        let mut login = login(&[Method::Password], Asked { demanded: true, ..NOTHING });
        login.ask(NOTHING);
        assert_eq!(login.steps(), [Step::Enrol], "the rule was loosened since: this login keeps to it");
        login.ask(Asked { has: true, ..NOTHING });
        assert_eq!(login.steps(), [Step::Totp, Step::Recovery], "an app was added elsewhere since");
    }

    #[test]
    fn a_recovery_code_leads_to_a_new_app() {
        let asked = Asked { has: true, demanded: false, renew: true };
        assert_eq!(login(&[Method::Password], asked).steps(), [Step::Totp, Step::Recovery]);
        assert_eq!(login(&[Method::Password, Method::Recovery], asked).steps(), [Step::Enrol]);
        assert_eq!(
            login(&[Method::Password, Method::Totp], asked).steps(),
            [Step::Enrol],
            "also at the next login"
        );
    }
}
