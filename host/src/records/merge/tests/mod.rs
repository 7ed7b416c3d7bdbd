//! Merges on real files: one module whose records are merged, another one that names them.

pub(crate) mod estate;
mod merging;
mod resuming;
mod undoing;
