//! Mentions: people whom a comment calls, by `@[id]` in its text or by name of their ids beside it.

use std::collections::BTreeSet;
use std::str::FromStr as _;

use super::access;
use crate::identity::{IdentityError, UserStatus};
use crate::ids::PrincipalId;
use crate::records::schema::Entity;
use crate::records::tx::Tx;
use crate::records::value::Value;
use crate::records::{Fault, RecordError};

/// Most people whom one comment calls.
pub(super) const MOST: usize = 50;

/// Characters of an id.
const ID: usize = 36;

/// The ids in `@[…]` of a text, each once, in order of their first place. What is no id is text.
#[must_use]
pub(super) fn in_text(text: &str) -> Vec<PrincipalId> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("@[") {
        let inside =
            text.get(at + 2..at + 2 + ID).filter(|_| text.get(at + 2 + ID..at + 3 + ID) == Some("]"));
        if let Some(id) = inside.and_then(|inside| PrincipalId::from_str(inside).ok())
            && !found.contains(&id)
        {
            found.push(id);
        }
    }
    found
}

/// Checks that everybody who is called is an active person who may read the record; everyone who is not is a fault. Those
/// in `known` were checked when they were called first.
///
/// # Errors
/// [`RecordError::Invalid`], or the identity file fails.
pub(super) fn check(
    tx: &Tx,
    entity: &Entity,
    values: &[Value],
    called: &BTreeSet<PrincipalId>,
    known: &BTreeSet<PrincipalId>,
) -> Result<(), RecordError> {
    let organization = tx.scope.organization.id;
    let mut faults = Vec::new();
    for id in called.difference(known) {
        let there = match tx.engine.people.user(organization, *id) {
            Ok(user) => user.status == UserStatus::Active,
            Err(IdentityError::UserNotFound(_)) => false,
            Err(error) => return Err(error.into()),
        };
        let principal = if there { tx.engine.people.principal(organization, *id)? } else { None };
        match principal {
            None => faults.push(Fault::at(
                "mentions",
                "user_not_found",
                format!("{id} is nobody who could be mentioned; take the id of an active user"),
            )),
            Some(principal) if !access::may_read(&tx.conn, &tx.scope, entity, values, &principal) => {
                faults.push(Fault::at(
                    "mentions",
                    "mention_not_allowed",
                    format!("{id} may not read this record, and so cannot be mentioned on it"),
                ));
            }
            Some(_) => {}
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(RecordError::Invalid(faults)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mention_is_an_id_in_brackets_and_everything_else_is_text() {
        let (ann, bob) = (PrincipalId::new(), PrincipalId::new());
        let text = format!("@[{ann}] and @[{bob}], @[{ann}] again; @[x] @{ann} @[] @[{ann}x] [@{bob}] @[");
        assert_eq!(in_text(&text), [ann, bob]);
        assert_eq!(in_text("@[ünïcödé-that-is-as-long-as-an-id-is-xyz]"), []);
        assert_eq!(in_text(&format!("@[@[{bob}]")), [bob]);
    }
}
