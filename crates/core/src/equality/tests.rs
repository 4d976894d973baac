//! Equality: what counts, what does not, and that every difference is named.
