//! Duplicates: records that are about the same thing in the world.
pub mod rule;
