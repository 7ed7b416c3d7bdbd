//! Duplicates: records that are about the same thing in the world. Found by rules that an entity declares ([`rule`]),
//! through keys that are stored beside the rows, so that the cost of a check does not grow with the table.
//!
//! A write is checked where it is made ([`gate`]); a payload can be checked without writing ([`check`]); a whole table is
//! walked by a job that leaves sets for people to look at ([`sets`]).
//!
//! Reading order: `rule.rs`, `normalize/`, `method.rs`, `pair.rs`, `blocking.rs` (all pure), `index.rs` (where keys
//! are stored), `keys.rs` (stored keys in step with rows and rules), `candidates.rs`, `check.rs`, `gate.rs`, `sets/`,
//! `store.rs` (SQL).

pub mod blocking;
mod candidates;
pub mod check;
pub(super) mod gate;
mod index;
pub(super) mod keys;
pub mod method;
pub mod normalize;
pub mod pair;
pub mod rule;
pub mod sets;
mod store;
#[cfg(test)]
mod tests;

/// A key that more records have is too common to tell anything: candidates are not taken from it.
pub const COMMON: usize = 200;

/// The action of whoever may write in spite of a rule that blocks.
pub const BYPASS: &str = "bypass-duplicates";
