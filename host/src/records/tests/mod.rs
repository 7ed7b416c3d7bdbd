//! The engine on real files, with a module made by hand and hooks that a test scripts.

mod bulk;
mod deletion;
mod dry_runs;
mod evolution;
mod filters;
mod once;
mod orchard;
mod paging;
mod recycling;
mod returning;
mod rows;
mod scopes;
mod stale;
mod writes;

pub(crate) mod garden;
pub(crate) mod world;
