//! Storage as its users see it.
