//! The engine on real files, with a module made by hand and hooks that a test scripts.

mod agreement;
mod deletion;
mod evolution;
mod filters;
mod paging;
mod rows;
mod scopes;
mod writes;

pub(crate) mod garden;
pub(crate) mod world;
