//! Walking over an organization's OpenAPI document: everything it says is called, and everything that answers is held
//! against what it says. Nothing here knows an entity; what an operation needs is read from the document.
//!
//! Reading order: `document.rs` (what the document says), `world.rs` (records that operations need), `call.rs` (a request
//! made of an example), `twist.rs` (requests that must be refused), `fields.rs` (every field there and back), `travel.rs`
//! (out as a file and in again).

pub(crate) mod call;
pub(crate) mod document;
pub(crate) mod fields;
pub(crate) mod travel;
pub(crate) mod twist;
pub(crate) mod world;

use std::cell::RefCell;
use std::collections::BTreeSet;

/// What was found wrong, each once, so that one walk reports everything.
#[derive(Default)]
pub(crate) struct Faults(RefCell<BTreeSet<String>>);

impl Faults {
    /// Notes something.
    pub(crate) fn add(&self, fault: impl Into<String>) {
        self.0.borrow_mut().insert(fault.into());
    }

    /// Fails when something was noted.
    #[track_caller]
    pub(crate) fn none(&self) {
        let faults = self.0.borrow();
        let shown: Vec<String> = faults.iter().map(|fault| fault.chars().take(400).collect()).collect();
        assert!(shown.is_empty(), "{} faults:\n{}", shown.len(), shown.join("\n"));
    }
}
