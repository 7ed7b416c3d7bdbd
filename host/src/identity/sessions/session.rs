//! What a session is, and what is kept of the visitor who began it. Pure.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::clock::UnixMillis;
use crate::ids::{PrincipalId, SessionId};

/// What a person proved themselves with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// Their password.
    Password,
    /// A code of their authenticator app.
    Totp,
    /// A recovery code.
    Recovery,
    /// Another issuer vouched for them.
    Federated,
}

impl Method {
    /// The word of `amr`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::Totp => "otp",
            Self::Recovery => "recovery",
            Self::Federated => "fed",
        }
    }

    pub(in crate::identity) fn stored(text: &str) -> Option<Self> {
        [Self::Password, Self::Totp, Self::Recovery, Self::Federated]
            .into_iter()
            .find(|method| method.as_str() == text)
    }

    /// Whether it is a second factor.
    #[must_use]
    pub const fn is_second(self) -> bool {
        matches!(self, Self::Totp | Self::Recovery)
    }
}

/// A person, signed in somewhere.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id, which opens nothing.
    pub id: SessionId,
    /// Whose.
    pub user: PrincipalId,
    /// When it began.
    pub created_at: UnixMillis,
    /// When it was last used, to the minute.
    pub last_seen: UnixMillis,
    /// When the person proved who they are.
    pub auth_time: UnixMillis,
    /// With what.
    pub methods: Vec<Method>,
    pub(in crate::identity) acr: String,
    /// What people recognize it by, such as `Firefox on Linux`.
    pub device: String,
    /// Where from: a prefix of the address.
    pub network: String,
    /// The family of the browser.
    pub agent: String,
}

impl Session {
    /// How the person proved who they are, in the words of RFC 8176.
    #[must_use]
    pub fn amr(&self) -> Vec<String> {
        let mut amr: Vec<String> = self.methods.iter().map(|method| method.as_str().to_owned()).collect();
        if self.methods.len() > 1 {
            amr.push("mfa".to_owned());
        }
        amr
    }

    /// How well: `aal1` or, with a second factor, `aal2`.
    #[must_use]
    pub fn acr(&self) -> &str {
        &self.acr
    }
}

/// A session to make.
pub(in crate::identity) struct NewSession {
    pub(in crate::identity) user: PrincipalId,
    pub(in crate::identity) auth_time: UnixMillis,
    pub(in crate::identity) methods: Vec<Method>,
    pub(in crate::identity) acr: String,
    pub(in crate::identity) visitor: Visitor,
}

/// How well these prove somebody; `vouched` is what another issuer said.
pub(in crate::identity) fn acr_of(methods: &[Method], vouched: Option<&str>) -> String {
    let two = methods.iter().any(|method| method.is_second()) && methods.len() > 1;
    let text = if two || vouched == Some("aal2") { "aal2" } else { "aal1" };
    text.to_owned()
}

/// Whoever is at the other end of a request.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Their address.
    pub address: IpAddr,
    /// What their `User-Agent` says.
    pub user_agent: String,
    /// The cookie of a device on which somebody signed in before.
    pub known_device: Option<String>,
    /// The cookie of the session that their browser has.
    pub session: Option<String>,
}

impl Visitor {
    /// The address, with what distinguishes neighbours left out.
    pub(in crate::identity) fn network(&self, version_4: u8, version_6: u8) -> IpNet {
        let address = self.address.to_canonical();
        let bits = if address.is_ipv4() { version_4 } else { version_6 };
        IpNet::new(address, bits).map_or_else(|_| IpNet::from(address), |network| network.trunc())
    }

    pub(in crate::identity) fn prefix(&self) -> String {
        self.network(24, 48).to_string()
    }

    pub(super) fn family(&self) -> &'static str {
        // The order matters: each names itself after those that follow.
        let families = [
            ("Edg", "Edge"),
            ("OPR", "Opera"),
            ("Firefox", "Firefox"),
            ("Chrome", "Chrome"),
            ("Safari", "Safari"),
            ("curl", "curl"),
        ];
        families.iter().find(|(token, _)| self.user_agent.contains(token)).map_or("Other", |(_, name)| name)
    }

    pub(in crate::identity) fn device(&self) -> String {
        let systems = [
            ("Android", "Android"),
            ("iPhone", "iPhone"),
            ("iPad", "iPad"),
            ("Windows", "Windows"),
            ("Mac OS X", "macOS"),
            ("Linux", "Linux"),
        ];
        match systems.iter().find(|(token, _)| self.user_agent.contains(token)) {
            Some((_, system)) => format!("{} on {system}", self.family()),
            None => self.family().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitor(agent: &str) -> Visitor {
        let address = "203.0.113.9".parse().unwrap();
        Visitor { address, user_agent: agent.to_owned(), known_device: None, session: None }
    }

    #[test]
    fn of_a_visitor_no_more_is_kept_than_people_recognize() {
        let firefox = visitor("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0");
        assert_eq!(
            (firefox.device().as_str(), firefox.prefix().as_str()),
            ("Firefox on Linux", "203.0.113.0/24")
        );
        assert_eq!(visitor("<script>alert(1)</script>").device(), "Other");
        let six = Visitor { address: "2001:db8:1:2::7".parse().unwrap(), ..visitor("") };
        assert_eq!(six.prefix(), "2001:db8:1::/48");
    }

    #[test]
    fn two_factors_are_aal2_and_one_is_aal1() {
        assert_eq!(acr_of(&[Method::Password], None), "aal1");
        assert_eq!(acr_of(&[Method::Password, Method::Totp], None), "aal2");
        assert_eq!(acr_of(&[Method::Federated], None), "aal1");
        assert_eq!(acr_of(&[Method::Federated], Some("aal2")), "aal2");
    }
}
