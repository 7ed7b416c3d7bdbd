//! Sessions on a real identity file.
