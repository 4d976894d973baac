//! `strongroom token`: the administrator's token.

use super::verbs;

verbs! {
    /// Replace the administrator's token; the old one is refused from then on
    Rotate(rotate),
}
