//! Filters for resource types, in every form that people write them.
//!
//! Contract: case does not matter. `Kind`, `plural`, `group/Kind`, `group/plural`,
//! `group/version/Kind`, `version/Kind` (core group), `plural.group`, `Kind.group`, with `*` for a whole
//! part. A version is accepted and ignored, because an object exists in all served versions at once.

use std::fmt;
use std::str::FromStr;

use crate::object::ResourceType;

/// One filter of `includedResourceTypes` or `excludedResourceTypes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeFilter {
    text: String,
    /// Lower-case group; `None` accepts every group, empty only the core group.
    group: Option<String>,
    /// Lower-case kind or plural; `None` accepts every one.
    name: Option<String>,
}

/// A text that is no filter for resource types.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "resource type {text:?}: {why}; write Kind, group/Kind or plural.group, for example Deployment, apps/Deployment or deployments.apps"
)]
pub struct InvalidTypeFilter {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl TypeFilter {
    /// Whether the filter means this type.
    #[must_use]
    pub fn matches(&self, resource: &ResourceType) -> bool {
        let group = self
            .group
            .as_ref()
            .is_none_or(|group| group.eq_ignore_ascii_case(&resource.group));
        let name = self.name.as_ref().is_none_or(|name| {
            name.eq_ignore_ascii_case(&resource.kind) || name.eq_ignore_ascii_case(&resource.plural)
        });
        group && name
    }
}

impl FromStr for TypeFilter {
    type Err = InvalidTypeFilter;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |why| InvalidTypeFilter {
            text: text.to_owned(),
            why,
        };
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(invalid("it is empty"));
        }
        if !trimmed
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-./*".contains(c))
        {
            return Err(invalid(
                "only letters, digits, '-', '.', '/' and '*' are allowed",
            ));
        }
        let lower = trimmed.to_ascii_lowercase();
        let parts: Vec<&str> = lower.split('/').collect();
        let (group, name) = match parts.as_slice() {
            [name] => match name.split_once('.') {
                Some((name, group)) => (Some(group), name),
                None => (None, *name),
            },
            [first, name] if is_version(first) => (Some(""), *name),
            [_, "", _] => return Err(invalid("it has an empty part")),
            [group, name] | [group, _, name] => (Some(*group), *name),
            _ => return Err(invalid("it has more than three parts")),
        };
        if name.is_empty() || group.is_some_and(|g| g.is_empty()) && parts.len() == 1 {
            return Err(invalid("it has an empty part"));
        }
        if name.contains('.') {
            return Err(invalid("the kind after '/' has no dots"));
        }
        let group = match group {
            None | Some("*") => None,
            // The core group has an empty name; people write `core/Pod` or `/Pod`.
            Some("core") => Some(String::new()),
            Some(group) => Some(group.to_owned()),
        };
        let name = (name != "*").then(|| name.to_owned());
        Ok(Self {
            text: trimmed.to_owned(),
            group,
            name,
        })
    }
}

impl fmt::Display for TypeFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `v1`, `v2beta1`: a version of the core group where a group would stand.
fn is_version(part: &str) -> bool {
    part.strip_prefix('v')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
