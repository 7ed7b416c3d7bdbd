//! `Idempotency-Key`: a request that is sent again is answered again, and done once.
//!
//! The answer is stored in the transaction of the write, so there is no moment in which one of the two exists without the
//! other. A file has one writer: whoever sends the same request meanwhile stands in its queue, and finds the answer there.
//! What was refused wrote nothing and is not stored: sent again, it is judged again.

mod store;

use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use super::error::RecordError;
use super::mutation::Reply;
use crate::clock::UnixMillis;
use crate::ids::PrincipalId;
use crate::storage::Connection;

/// How long an answer is kept: a day.
pub const KEPT: i64 = 24 * 60 * 60 * 1_000;

/// Old answers that go with each new one.
const PRUNED: i64 = 8;

/// What a client calls a request: 1 to 255 printable ASCII characters.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Key(String);

impl Key {
    /// The key, if the text is one.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=255).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        fits.then(|| Self(text.to_owned()))
    }

    /// A request under this key. Two are the same when all their parts are.
    #[must_use]
    pub fn of<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> Asked {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Asked { key: self.0.clone(), request: hash.finalize().into() }
    }
}

/// A request that came with a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asked {
    key: String,
    request: [u8; 32],
}

/// Answers what was answered before to this request of this caller; else does `f` and keeps its answer.
///
/// # Errors
/// Those of `f`, with nothing kept; [`RecordError::KeyReused`]; the file fails.
pub fn idempotent(
    conn: &Rc<Connection>,
    (principal, now): (PrincipalId, UnixMillis),
    asked: Option<&Asked>,
    f: impl FnOnce() -> Result<Reply, RecordError>,
) -> Result<Reply, RecordError> {
    let Some(asked) = asked else { return f() };
    if let Some((request, reply)) = store::find(conn, principal, &asked.key, now - KEPT)? {
        return if request == asked.request { Ok(reply) } else { Err(RecordError::KeyReused) };
    }
    let reply = f()?;
    store::prune(conn, now - KEPT, PRUNED)?;
    store::keep(conn, principal, &asked.key, &asked.request, now, &reply)?;
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_short_and_printable() {
        for good in ["a", "0199c0de-7b1f", "~ !", &"k".repeat(255)] {
            assert!(Key::new(good).is_some(), "{good}");
        }
        for bad in ["", "a\n", "\u{7f}", "schlüssel", &"k".repeat(256)] {
            assert!(Key::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn requests_are_the_same_when_all_their_parts_are() {
        let of = |parts: &[&[u8]]| Key::new("k").unwrap().of(parts.iter().copied());
        assert_eq!(of(&[b"POST", b"/a", b"{}"]), of(&[b"POST", b"/a", b"{}"]));
        for other in [&[&b"POST"[..], b"/a", b"{ }"], &[b"POST", b"/b", b"{}"], &[b"POST", b"/a{", b"}"]] {
            assert_ne!(of(&[b"POST", b"/a", b"{}"]), of(other));
        }
    }
}
