//! `Idempotency-Key`: a request that is sent again is answered again, and done once.
//!
//! The answer is stored in the transaction of the write, so there is no moment in which one of the two exists without the
//! other. A file has one writer: whoever sends the same request meanwhile stands in its queue, and finds the answer there.
//! What was refused wrote nothing and is not stored: sent again, it is judged again.

mod store;

use sha2::{Digest as _, Sha256};

use super::error::RecordError;
use super::mutation::Reply;
use super::tx::Tx;

/// How long an answer is kept: a day.
pub const KEPT: i64 = 24 * 60 * 60 * 1_000;

/// Old answers that go with each new one.
const PRUNED: i64 = 8;

/// A request that came with a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asked {
    key: String,
    request: [u8; 32],
}

impl Asked {
    /// The key and what makes two requests the same; `None` when it is no key: 1 to 255 printable ASCII characters.
    #[must_use]
    pub fn new(key: &str, parts: &[&[u8]]) -> Option<Self> {
        let fits = (1..=255).contains(&key.len()) && key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if !fits {
            return None;
        }
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Some(Self { key: key.to_owned(), request: hash.finalize().into() })
    }
}

/// Answers what was answered before to this request of this caller; else does `f` and keeps its answer.
///
/// # Errors
/// Those of `f`, with nothing kept; [`RecordError::KeyReused`]; the file fails.
pub fn idempotent(
    tx: &Tx,
    asked: Option<&Asked>,
    f: impl FnOnce(&Tx) -> Result<Reply, RecordError>,
) -> Result<Reply, RecordError> {
    let Some(asked) = asked else { return f(tx) };
    let principal = tx.scope.caller.principal.id;
    if let Some((request, reply)) = store::find(&tx.conn, principal, &asked.key, tx.now - KEPT)? {
        return if request == asked.request { Ok(reply) } else { Err(RecordError::KeyReused) };
    }
    let reply = f(tx)?;
    store::prune(&tx.conn, tx.now - KEPT, PRUNED)?;
    store::keep(&tx.conn, principal, &asked.key, &asked.request, tx.now, &reply)?;
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_short_and_printable() {
        for good in ["a", "0199c0de-7b1f", "~ !", &"k".repeat(255)] {
            assert!(Asked::new(good, &[]).is_some(), "{good}");
        }
        for bad in ["", "a\n", "\u{7f}", "schlüssel", &"k".repeat(256)] {
            assert!(Asked::new(bad, &[]).is_none(), "{bad}");
        }
    }

    #[test]
    fn requests_are_the_same_when_all_their_parts_are() {
        let of = |parts: &[&[u8]]| Asked::new("k", parts).unwrap();
        assert_eq!(of(&[b"POST", b"/a", b"{}"]), of(&[b"POST", b"/a", b"{}"]));
        for other in [&[&b"POST"[..], b"/a", b"{ }"], &[b"POST", b"/b", b"{}"], &[b"POST", b"/a{", b"}"]] {
            assert_ne!(of(&[b"POST", b"/a", b"{}"]), of(other));
        }
    }
}
