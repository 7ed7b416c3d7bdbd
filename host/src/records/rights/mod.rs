//! Rights on records and their fields: a policy's [`Decision`] put to the record engine, in SQL and in memory.
//!
//! `rows.rs` writes a decision as a predicate and asks it of one record, `conditions.rs` turns a condition into a filter,
//! `form.rs` writes a decision for people, `fields.rs` says which fields a caller may read and write, `shares.rs` keeps who
//! shared what with whom.

pub mod conditions;
mod fields;
mod form;
mod rows;
pub mod shares;
#[cfg(test)]
mod tests;

pub(in crate::records) use self::fields::{masked_names, write_masked};
pub use self::form::told;
pub use self::rows::predicate;
pub(in crate::records) use self::rows::{Writing, branches, predicate_there};
pub(crate) use self::rows::{gone_predicate, permits};
