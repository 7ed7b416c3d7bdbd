//! Placeholder: filled by the commit that brings this module.
