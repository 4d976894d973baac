//! Where a role is assigned, and where something is done.
//!
//! Contract: scopes are compared without regard to case and cover what lies below them by whole segments:
//! `…/backupVaults/shop` covers `…/backupVaults/shop/backupJobs/1` and never `…/backupVaults/shop-2`.
//! Source: <https://learn.microsoft.com/azure/role-based-access-control/scope-overview>.

use std::fmt;

use crate::id::ArmId;

/// A subscription, a resource group, a resource, or the root above all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    text: String,
    /// Lower case; empty for the root, so that every key begins with it.
    key: String,
}

/// A text that is no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no scope: expected the id of a subscription, resource group or resource, or '/'")]
pub struct InvalidScope(pub String);

impl Scope {
    /// The root, above every subscription.
    #[must_use]
    pub fn root() -> Self {
        Self::of_text(String::new())
    }

    /// Reads a scope to assign a role at.
    ///
    /// # Errors
    /// [`InvalidScope`] when the text is neither `/` nor a resource id.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        if matches!(text, "" | "/") {
            return Ok(Self::root());
        }
        let id = ArmId::parse(text)
            .map_err(|_| InvalidScope(text.chars().take(200).collect::<String>()))?;
        Ok(Self::of_text(id.to_string()))
    }

    /// The scope that an address is about: its longest beginning that is a subscription, a resource group
    /// or a resource. The word of a collection or an action at the end is not part of it.
    #[must_use]
    pub fn of_address(path: &str) -> Self {
        let segments: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).collect();
        let is = |at: usize, word: &str| {
            segments
                .get(at)
                .is_some_and(|found| found.eq_ignore_ascii_case(word))
        };
        let mut end = 0;
        for word in ["subscriptions", "resourceGroups"] {
            if is(end, word) && segments.len() > end + 1 {
                end += 2;
            }
        }
        while is(end, "providers") {
            let pairs = segments[end..]
                .iter()
                .skip(2)
                .position(|word| word.eq_ignore_ascii_case("providers"))
                .unwrap_or(segments.len().saturating_sub(end + 2));
            if pairs < 2 {
                break;
            }
            let next = end + 2 + pairs - pairs % 2;
            let is_whole = pairs.is_multiple_of(2);
            end = next;
            if !is_whole {
                break;
            }
        }
        let text = segments[..end]
            .iter()
            .fold(String::new(), |text, word| format!("{text}/{word}"));
        Self::of_text(text)
    }

    /// The scope of a resource whose id is known to be one.
    #[must_use]
    pub fn of_resource(id: &str) -> Self {
        Self::of_text(id.trim_end_matches('/').to_owned())
    }

    fn of_text(text: String) -> Self {
        Self {
            key: text.to_lowercase(),
            text,
        }
    }

    /// Whether what is assigned here holds there.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other
            .key
            .strip_prefix(&self.key)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.key.is_empty()
    }

    /// The identity: lower case, and empty for the root.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for Scope {
    /// As clients read it: `/` for the root.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.text.is_empty() {
            "/"
        } else {
            &self.text
        })
    }
}
