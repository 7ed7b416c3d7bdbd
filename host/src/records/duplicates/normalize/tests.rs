//! Tables of what is the same to a reader and what is not.
