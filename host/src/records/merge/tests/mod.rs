//! Merges on real files.
