//! What use cases keep at most.

/// Former administrator's tokens that are remembered as expired. Whoever rotates daily is told for
/// two months that a script has an old token; after that it is an unknown one. It bounds the row in
/// the store and the comparisons of each request.
pub const MAX_FORMER_TOKENS: usize = 64;
