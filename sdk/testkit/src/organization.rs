//! An organization of a running host, and the callers that a test needs in it.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::client::Client;
use crate::host::Host;

/// An organization, with a key of its owner.
pub struct Organization<'a> {
    host: &'a Host,
    slug: String,
    key: String,
    /// The token of the owner's set-up link.
    invitation: String,
    password: OnceLock<&'static str>,
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
        let link = printed["setup_url"].as_str().unwrap_or_default();
        let invitation = link.split_once("#token=").map(|(_, token)| token.to_owned());
        let invitation = invitation.unwrap_or_else(|| panic!("`stoa org create --json` printed {printed}"));
        Self { host, slug: slug.to_owned(), key, invitation, password: OnceLock::new() }
    }

    /// The owner's address and password; the first time, the set-up link is used.
    ///
    /// # Panics
    /// When the link is refused.
    #[must_use]
    pub fn owner_credentials(&self) -> (String, &'static str) {
        let password = self.password.get_or_init(|| {
            let password = "a lantern over 9 rivers";
            let body = json!({ "token": self.invitation, "password": password });
            self.anonymous().post("/api/v1/auth/setup", &body).success();
            password
        });
        (format!("owner@{}.example", self.slug), *password)
    }

    /// The owner in person, logged in: for what no program may do.
    ///
    /// # Panics
    /// When they are not let in.
    #[must_use]
    pub fn owner_in_person(&self) -> Client {
        let (email, password) = self.owner_credentials();
        let body = json!({ "email": email, "password": password });
        let answer = self.anonymous().post("/api/v1/auth/login", &body).ok();
        self.with_token(answer["access_token"].as_str().unwrap_or_default())
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
