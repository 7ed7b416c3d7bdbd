//! What the operator sets, checked at start and handed out by value.

use std::path::PathBuf;

/// Where an installation keeps everything.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder: control database, secrets, one folder for each organization, compiled components.
    pub data: PathBuf,
    /// How people and programs reach it.
    pub address: PublicAddress,
    /// Whom it may ask beside the public internet.
    pub outbound: Asking,
    /// Write requests per durable commit, at most; 1 commits each by itself (for comparison: `cargo xtask bench writes`).
    pub group_commit: usize,
    /// A sorted list of SHA-1 hashes of leaked passwords, which nobody may choose.
    pub breached: Option<PathBuf>,
}

/// What the guard of outgoing requests lets pass beside `https` to public hosts on ports 443 and 8443.
#[derive(Clone, Debug, Default)]
pub struct Asking {
    /// This machine itself, also over `http` and on any port: for development and tests.
    pub loopback: bool,
    /// Further ports.
    pub ports: Vec<u16>,
}

/// How the installation is reached from outside. Links, issuers and redirects are made of this and never of a request's
/// headers, which anybody can write.
#[derive(Clone, Debug)]
pub struct PublicAddress {
    /// Scheme, host and port, such as `https://crm.example.com`, without a slash at the end.
    pub origin: String,
    /// Organizations are at `{slug}.{base_domain}`; without one, at `{origin}/t/{slug}`.
    pub base_domain: Option<String>,
}

impl PublicAddress {
    /// Where the organization with this slug is, without a slash at the end: also its issuer.
    ///
    /// Below a base domain, scheme and port are those of the origin.
    #[must_use]
    pub fn of(&self, slug: &str) -> String {
        let Some(domain) = &self.base_domain else {
            return format!("{}/t/{slug}", self.origin);
        };
        let (scheme, host) = self.origin.split_once("://").unwrap_or(("https", &self.origin));
        let port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        match port {
            Some((_, port)) => format!("{scheme}://{slug}.{domain}:{port}"),
            None => format!("{scheme}://{slug}.{domain}"),
        }
    }
}

impl Config {
    /// The control database.
    #[must_use]
    pub fn control(&self) -> PathBuf {
        self.data.join("control.sqlite")
    }

    /// Compiled components.
    #[must_use]
    pub fn artifacts(&self) -> PathBuf {
        self.data.join("components")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organization_is_below_the_base_domain_or_behind_its_prefix() {
        let at = |origin: &str, domain: Option<&str>| {
            PublicAddress { origin: origin.into(), base_domain: domain.map(Into::into) }.of("acme")
        };
        assert_eq!(at("http://127.0.0.1:8080", None), "http://127.0.0.1:8080/t/acme");
        assert_eq!(at("https://crm.example.com", Some("crm.example.com")), "https://acme.crm.example.com");
        assert_eq!(at("http://x.test:81", Some("x.test")), "http://acme.x.test:81");
        assert_eq!(at("https://[::1]", None), "https://[::1]/t/acme");
    }
}
