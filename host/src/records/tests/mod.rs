//! The engine on real files, with a module made by hand and hooks that a test scripts.

mod agreement;
mod crossing;
mod deletion;
mod evolution;
mod filters;
mod fuzz;
mod paging;
mod reading;
mod rows;
mod scopes;
mod views;
mod writes;

pub(crate) mod garden;
pub(crate) mod world;
