//! Paged lists.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One page of a list. `next_link` is an absolute URL; absent on the last page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "{T}List")]
pub struct Page<T> {
    /// The items of this page, in a stable order over all pages.
    pub value: Vec<T>,
    /// Where the next page is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_link: Option<String>,
}

impl<T> Page<T> {
    /// The only page of a list.
    #[must_use]
    pub fn all(value: Vec<T>) -> Self {
        Self {
            value,
            next_link: None,
        }
    }
}
