//! The plane under attack.
