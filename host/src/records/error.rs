//! What can go wrong with records, in the words of the domain.

use std::borrow::Cow;

use super::since::ChangedField;
use crate::identity::IdentityError;
use crate::storage::StorageError;

/// One thing that is wrong with an input.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// JSON Pointer (RFC 6901) into the input; empty for the whole.
    pub pointer: String,
    /// Stable, snake case.
    pub code: Cow<'static, str>,
    /// For people: what is wrong and what to do.
    pub detail: String,
}

impl Fault {
    /// A fault of one member of the input.
    #[must_use]
    pub fn at(field: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            pointer: format!("/{}", field.replace('~', "~0").replace('/', "~1")),
            code: code.into(),
            detail: detail.into(),
        }
    }
}

/// Why an operation on records was not done. Nothing of it happened.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// There is no such record, or none that the caller may read.
    #[error("there is no such record, or none that you may read")]
    NotFound,
    /// The caller may read, but not do this.
    #[error("your roles do not allow `{action}` on {object}")]
    Forbidden {
        /// `plugin.entity`
        object: String,
        /// `update`
        action: String,
    },
    /// The caller may read the record, but not this field of it, and so may not ask about it either.
    #[error("your roles do not allow to read `{field}` of {object}")]
    FieldNotReadable {
        /// `plugin.entity`
        object: String,
        /// `amount`
        field: String,
    },
    /// The caller may write the record, but not this field of it.
    #[error("your roles do not allow to write `{field}` of {object}")]
    FieldNotWritable {
        /// `plugin.entity`
        object: String,
        /// `amount`
        field: String,
    },
    /// The address asks for something that cannot be: a parameter, a cursor, a filter.
    #[error("{detail}")]
    BadRequest {
        /// Stable, snake case.
        code: &'static str,
        /// What and what to do.
        detail: String,
    },
    /// The input breaks rules; all of them are listed.
    #[error("the input breaks {} rule(s)", .0.len())]
    Invalid(Vec<Fault>),
    /// The record's state forbids it.
    #[error("{detail}")]
    Conflict {
        /// Stable, snake case.
        code: Cow<'static, str>,
        /// What and what to do.
        detail: String,
        /// Further members for the answer (allowed transitions).
        extra: serde_json::Map<String, serde_json::Value>,
        /// Every rule that is broken.
        faults: Vec<Fault>,
    },
    /// The record has changed since the version in `If-Match`.
    #[error("the record has changed: it is at version {current}, you sent {sent}")]
    Stale {
        /// The version in the file.
        current: u64,
        /// The version that the caller knew.
        sent: u64,
        /// The record as JSON, for the answer.
        record: Vec<u8>,
        /// What was changed since that version, the latest change first.
        changed: Vec<ChangedField>,
    },
    /// The `Idempotency-Key` was sent before, with another request.
    #[error("this idempotency key was sent before with another request; make a new key for each request")]
    KeyReused,
    /// Plugin code failed or was stopped.
    #[error("plugin {plugin}: {detail}")]
    Plugin {
        /// The plugin's id.
        plugin: String,
        /// Stable: `plugin_cpu_limit`, `plugin_memory_limit`, `plugin_panicked`, `plugin_trapped`, ...
        code: &'static str,
        /// For people.
        detail: String,
    },
    /// Plugin code is not called for a while, because too many calls of it failed.
    #[error("the plugin {plugin} failed too often and is tried again in {seconds} s")]
    PluginPaused {
        /// The plugin's id.
        plugin: String,
        /// When to come back, at least 1.
        seconds: u32,
    },
    /// The declared schema does not fit the stored one.
    #[error("{0}")]
    Schema(String),
    /// A file failed: for the log, never for the caller.
    #[error("organization's file")]
    Storage(#[from] StorageError),
    /// The identity file failed: for the log, never for the caller.
    #[error("identity file")]
    Identity(#[from] IdentityError),
}

impl RecordError {
    /// One broken rule.
    #[must_use]
    pub fn invalid(field: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![Fault::at(field, code, detail)])
    }

    /// Whether it speaks of the record or the input at hand, so that another record of the same batch may do better.
    #[must_use]
    pub const fn is_of_a_record(&self) -> bool {
        matches!(
            self,
            Self::NotFound
                | Self::Forbidden { .. }
                | Self::FieldNotWritable { .. }
                | Self::BadRequest { .. }
                | Self::Invalid(_)
                | Self::Conflict { .. }
                | Self::Stale { .. }
        )
    }

    /// A conflict that has no more to say than its code and a sentence.
    #[must_use]
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Conflict {
            code: code.into(),
            detail: detail.into(),
            extra: serde_json::Map::new(),
            faults: Vec::new(),
        }
    }

    /// A malformed request.
    #[must_use]
    pub fn bad(code: &'static str, detail: impl Into<String>) -> Self {
        Self::BadRequest { code, detail: detail.into() }
    }
}

impl From<rusqlite::Error> for RecordError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(StorageError::from(error))
    }
}
