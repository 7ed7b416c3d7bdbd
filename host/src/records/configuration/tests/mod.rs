//! Documents, what they make and what becomes of them.

mod documents;
mod publishing;
mod shop;
