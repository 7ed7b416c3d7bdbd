//! The first argument of every handler: who asks, for whom, when, and the doors to records and SQL.

use crate::backend::{Backend, Organization, Principal};
use crate::date::{Date, DateTime};
use crate::entity::Entity;
use crate::error::{Refusal, Result};
use crate::field::{Wire, parse};
use crate::id::{RecordId, UserId};
use crate::records::Records;
use crate::sql::Database;

/// One call. Constant while it lasts: the same organization, principal and instant.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    backend: &'a dyn Backend,
}

impl<'a> Context<'a> {
    /// A context on this backend. The host's calls make their own; tests use [`testing`](crate::testing).
    #[must_use]
    pub const fn new(backend: &'a dyn Backend) -> Self {
        Self { backend }
    }

    /// The organization for which this call runs. A plugin can neither choose nor name another.
    #[must_use]
    pub fn organization(&self) -> Organization {
        self.backend.organization()
    }

    /// On whose behalf the call runs.
    #[must_use]
    pub fn principal(&self) -> Principal {
        self.backend.principal()
    }

    /// The principal's id, as owners are named.
    #[must_use]
    pub fn user(&self) -> UserId {
        UserId(self.backend.principal().id)
    }

    /// The id in the caller's `X-Request-Id`, in the log and in the change log.
    #[must_use]
    pub fn request_id(&self) -> String {
        self.backend.request_id()
    }

    /// How the request came in: `api`, `import`, `job`, ... Others may come.
    #[must_use]
    pub fn source(&self) -> String {
        self.backend.source()
    }

    /// Milliseconds left before this call is ended.
    #[must_use]
    pub fn remaining_ms(&self) -> u32 {
        self.backend.remaining_ms()
    }

    /// Whether policy allows the principal `action` on `object` for at least some records. The host checks every
    /// records call by itself; this is for rules that depend on a right.
    #[must_use]
    pub fn allows(&self, object: &str, action: &str) -> bool {
        self.backend.allows(object, action)
    }

    /// The instant of this call.
    #[must_use]
    pub fn now(&self) -> DateTime {
        DateTime::from_millis(self.backend.now())
    }

    /// The calendar date of this call in the organization's zone.
    ///
    /// # Errors
    /// The host answered something that is no date.
    pub fn today(&self) -> Result<Date> {
        self.backend
            .today()
            .parse()
            .map_err(|_| Refusal::failed("invalid_today", "the host's date is no date"))
    }

    /// The plugin's setting: the organization's value, else the default of the manifest.
    ///
    /// # Errors
    /// The setting is not declared, or its value has another form.
    pub fn setting<T: Wire>(&self, key: &str) -> Result<T> {
        let text = self.backend.setting(key);
        let text =
            text.ok_or_else(|| Refusal::failed("unknown_setting", format!("there is no setting `{key}`")))?;
        let json = serde_json::from_str(&text)
            .map_err(|error| Refusal::failed("invalid_setting", error.to_string()))?;
        parse(&json).map_err(Refusal::all)
    }

    /// A fresh id.
    #[must_use]
    pub fn random_id(&self) -> RecordId {
        self.backend.random_id()
    }

    /// Cryptographically strong bytes, 4096 at most.
    #[must_use]
    pub fn random_bytes(&self, length: u32) -> Vec<u8> {
        self.backend.random_bytes(length)
    }

    /// Writes a line for the operator and the author; never for the user. `level` is `error`, `warn`, `info`, `debug`
    /// or `trace`.
    pub fn log(&self, level: &str, message: &str) {
        self.backend.log(level, message);
    }

    /// Records of one of the plugin's entities, as the caller may see and change them.
    #[must_use]
    pub const fn records<T: Entity>(&self) -> Records<'a, T> {
        Records::new(self.backend)
    }

    /// SQL on the plugin's file: reports read `visible_<entity>`, private tables can be written.
    #[must_use]
    pub const fn sql(&self) -> Database<'a> {
        Database::new(self.backend)
    }
}
