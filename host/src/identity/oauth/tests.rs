//! The authorization server below HTTP.
