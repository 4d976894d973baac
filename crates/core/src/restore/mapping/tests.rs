//! Namespace mapping: each kind of reference, swaps, and that nothing else is touched.
