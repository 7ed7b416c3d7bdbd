//! Second factors on a real identity file.
