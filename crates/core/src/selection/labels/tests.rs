//! Label selectors: what parses, what it means, and that it never panics.
