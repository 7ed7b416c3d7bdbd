//! Why an operation was not done, in the shape that the host turns into a problem document.

use std::fmt;

use serde_json::{Map, Value};

/// One thing that is wrong with an input.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// JSON Pointer (RFC 6901) into the input: `/amount`; empty for the whole.
    pub pointer: String,
    /// Stable, snake case: `amount_not_positive`.
    pub code: String,
    /// For people: what is wrong and what to do.
    pub detail: String,
}

impl Failure {
    /// A failure at this pointer.
    pub fn new(pointer: impl Into<String>, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code: code.into(), detail: detail.into() }
    }
}

/// Why an operation was not done. Nothing of it happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// `invalid`, `conflict`, `not-found`, `forbidden`, `not-available`, `transaction-open`, `limit` or `failed`.
    /// Others may come: treat an unknown kind as `failed`.
    pub kind: String,
    /// Stable, snake case: `stage_not_next`.
    pub code: String,
    /// For people: what is wrong and what to do.
    pub detail: String,
    /// Every failure, not the first; may be empty.
    pub failures: Vec<Failure>,
    /// Further members for the caller, such as the allowed transitions.
    pub extra: Map<String, Value>,
}

/// What every handler answers.
pub type Result<T, E = Refusal> = std::result::Result<T, E>;

impl Refusal {
    fn of(kind: &str, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            code: code.into(),
            detail: detail.into(),
            failures: Vec::new(),
            extra: Map::new(),
        }
    }

    /// The input breaks a rule. Collect several with [`Refusal::all`].
    pub fn invalid(pointer: impl Into<String>, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::all(vec![Failure::new(pointer, code, detail)])
    }

    /// The input breaks these rules.
    #[must_use]
    pub fn all(failures: Vec<Failure>) -> Self {
        let detail = match failures.as_slice() {
            [only] => only.detail.clone(),
            many => format!("the input breaks {} rules", many.len()),
        };
        Self { failures, ..Self::of("invalid", "invalid", detail) }
    }

    /// The record's state forbids it.
    pub fn conflict(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::of("conflict", code, detail)
    }

    /// There is no such thing, or none that the caller may read.
    pub fn not_found(what: impl fmt::Display) -> Self {
        Self::of("not-found", "not_found", format!("there is no such {what}, or none that you may read"))
    }

    /// The caller may not do this.
    pub fn forbidden(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::of("forbidden", code, detail)
    }

    /// The plugin or the host is at fault, not the caller.
    pub fn failed(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::of("failed", code, detail)
    }

    /// Adds a member to the answer.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(key.to_owned(), value.into());
        self
    }

    /// Adds failures to the answer.
    #[must_use]
    pub fn because(mut self, failures: Vec<Failure>) -> Self {
        self.failures.extend(failures);
        self
    }

    /// `Ok` when nothing failed, else all failures at once.
    ///
    /// # Errors
    /// The failures, when there are any.
    pub fn unless_empty(failures: Vec<Failure>) -> Result<()> {
        if failures.is_empty() { Ok(()) } else { Err(Self::all(failures)) }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.kind, self.code, self.detail)?;
        for failure in &self.failures {
            write!(f, "; {} {}: {}", failure.pointer, failure.code, failure.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}
