//! Laws of the field decisions.
