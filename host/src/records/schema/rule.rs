//! What an organization demands of its records beyond what a plugin declares: conditions in the filter language, read
//! once when the schema is made.

use std::sync::Arc;

use crate::records::filter::Filter;

/// A condition on one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition(pub Filter);

/// A validation rule: a condition that must hold whenever a record is written.
#[derive(Clone, Debug)]
pub struct Validation {
    /// Its key.
    pub key: Arc<str>,
    /// The field that a broken rule is reported at; `None` for the record as a whole.
    pub field: Option<Arc<str>>,
    /// What people read when it is broken.
    pub message: String,
    /// What must hold.
    pub condition: Condition,
}

impl Validation {
    /// The code of the fault: `rule_` and the key.
    #[must_use]
    pub fn code(&self) -> String {
        format!("rule_{}", self.key)
    }
}
