//! Documents, what they make and what becomes of them.
