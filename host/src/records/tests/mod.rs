//! The engine on real files, with a module made by hand and hooks that a test scripts.

mod agreement;
mod crossing;
mod bulk;
mod deletion;
mod dry_runs;
mod evolution;
mod filters;
mod fuzz;
mod paging;
mod reading;
mod rows;
mod scopes;
mod views;
mod once;
mod orchard;
mod recycling;
mod returning;
mod stale;
mod writes;

pub(crate) mod garden;
pub(crate) mod world;
