//! The engine on real files, with a module made by hand and hooks that a test scripts.

mod agreement;
mod between;
mod bulk;
mod crossing;
mod deletion;
mod dry_runs;
mod evolution;
mod filters;
mod fuzz;
mod once;
mod orchard;
mod paging;
mod reading;
mod recycling;
mod returning;
mod rows;
mod scopes;
mod stale;
mod views;
mod writes;

pub(crate) mod garden;
pub(crate) mod world;
