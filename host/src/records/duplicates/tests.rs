//! Tests of the engine's part.
