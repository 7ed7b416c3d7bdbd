//! One frame for every request that changes records: tried or done, and done once for each `Idempotency-Key`.

use super::dry_run::{self, Mark};
use super::error::RecordError;
use super::idempotency::{Asked, idempotent};
use super::tx::Tx;
use crate::storage::Verdict;

/// What a mutation answers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The record's version, for the `ETag`.
    pub version: Option<u64>,
    /// Where the new record is.
    pub location: Option<String>,
    /// JSON, or nothing.
    pub body: Vec<u8>,
    /// Whether this was answered before, and nothing happened this time.
    pub replayed: bool,
}

impl Reply {
    /// 200 with this body.
    #[must_use]
    pub fn ok(body: Vec<u8>) -> Self {
        Self { status: 200, body, ..Self::default() }
    }

    /// 204.
    #[must_use]
    pub fn nothing() -> Self {
        Self { status: 204, ..Self::default() }
    }
}

/// How a mutation is to be done.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// Whether to keep nothing of it and to tell what it would have changed.
    pub dry_run: bool,
    /// The request's `Idempotency-Key`.
    pub asked: Option<Asked>,
}

/// Runs `f` in this manner: what every mutation's transaction consists of.
///
/// # Errors
/// Those of `f`; [`RecordError::KeyReused`]; the file fails.
pub fn perform(
    tx: &Tx,
    manner: &Manner,
    f: impl FnOnce(&Tx) -> Result<Reply, RecordError>,
) -> Result<Verdict<Reply>, RecordError> {
    if !manner.dry_run {
        let by = (tx.scope.caller.principal.id, tx.now);
        return idempotent(&tx.conn, by, manner.asked.as_ref(), || f(tx)).map(Verdict::Keep);
    }
    let mark = Mark::now(tx);
    let reply = f(tx)?;
    Ok(Verdict::Undo(Reply::ok(dry_run::report(tx, &mark, &reply)?)))
}
