//! An organization of a running host, and the callers that a test needs in it.

use serde_json::Value;

use crate::client::Client;
use crate::host::Host;

/// An organization, with a key of its owner.
pub struct Organization<'a> {
    host: &'a Host,
    slug: String,
    key: String,
}

impl<'a> Organization<'a> {
    /// Creates it through the command line, as an operator does, and keeps the owner's key that is printed.
    ///
    /// # Panics
    /// When the command fails.
    pub(crate) fn create(host: &'a Host, slug: &str, modules: &[&str]) -> Self {
        let (name, owner, modules) =
            (format!("The {slug} company"), format!("owner@{slug}.example"), modules.join(","));
        let mut arguments = vec!["org", "create", slug, "--name", &name, "--owner", &owner];
        if !modules.is_empty() {
            arguments.extend(["--modules", &modules]);
        }
        arguments.extend(["--api-key", "--json"]);
        let printed = host.cli(&arguments).json();
        let key = key_of(&printed)
            .unwrap_or_else(|| panic!("`stoa org create --api-key --json` printed {printed}"));
        Self { host, slug: slug.to_owned(), key }
    }

    /// Its slug.
    #[must_use]
    pub fn slug(&self) -> &str {
        &self.slug
    }

    /// The owner's API key.
    #[must_use]
    pub fn api_key(&self) -> &str {
        &self.key
    }

    /// The owner.
    #[must_use]
    pub fn owner(&self) -> Client {
        self.with_token(&self.key)
    }

    /// A new API key with this role.
    ///
    /// # Panics
    /// When the command fails.
    #[must_use]
    pub fn key(&self, role: &str) -> Client {
        let printed =
            self.host.cli(&["api-key", "create", "--org", &self.slug, "--role", role, "--json"]).json();
        let key =
            key_of(&printed).unwrap_or_else(|| panic!("`stoa api-key create --json` printed {printed}"));
        self.with_token(&key)
    }

    /// Someone without a token.
    #[must_use]
    pub fn anonymous(&self) -> Client {
        self.client(None)
    }

    /// Someone with this bearer token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Client {
        self.client(Some(token))
    }

    fn client(&self, token: Option<&str>) -> Client {
        Client::new(self.host.address(), &format!("/t/{}", self.slug), token)
    }
}

fn key_of(printed: &Value) -> Option<String> {
    printed["api_key"].as_str().map(str::to_owned)
}
