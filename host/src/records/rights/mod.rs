//! Rights on records and their fields: a policy's [`Decision`] put to the record engine, in SQL and in memory.
//!
//! `rows.rs` writes a decision as a predicate and asks it of one record, `conditions.rs` turns a condition into a filter,
//! `fields.rs` says which fields a caller may read and write, `shares.rs` keeps who shared what with whom.

pub mod conditions;
mod fields;
mod rows;
pub mod shares;
#[cfg(test)]
mod tests;

pub(in crate::records) use self::fields::{masked_names, write_masked};
pub(in crate::records) use self::rows::Writing;
pub(crate) use self::rows::{gone_predicate, permits, predicate};
