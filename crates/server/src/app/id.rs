//! Resource ids as requests name them.

use std::fmt;

/// The id of a resource in its published spelling; compared by [`ResourceId::key`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceId(String);

impl ResourceId {
    /// An id whose type names are already in their published spelling.
    #[must_use]
    pub fn published(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The identity: ids that differ only in case are the same.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }

    /// The last segment.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// This id without its last `segments` segments.
    #[must_use]
    pub fn without(&self, segments: usize) -> Self {
        let mut text = self.0.as_str();
        for _ in 0..segments {
            text = text.rsplit_once('/').map_or("", |(head, _)| head);
        }
        Self(text.to_owned())
    }

    /// The name after the first type that equals `literal` (without regard to case). A name that is spelled
    /// like a type is none: ids are pairs of type and name, and namespaces of providers between them.
    #[must_use]
    pub fn after(&self, literal: &str) -> Option<&str> {
        let mut segments = self.0.split('/').skip(1);
        while let Some(word) = segments.next() {
            let name = segments.next()?;
            if word.eq_ignore_ascii_case(literal) {
                return Some(name);
            }
        }
        None
    }

    /// `/subscriptions/{id}` of this id.
    #[must_use]
    pub fn subscription(&self) -> Self {
        Self(format!(
            "/subscriptions/{}",
            self.after("subscriptions").unwrap_or_default()
        ))
    }

    /// `/subscriptions/{id}/resourceGroups/{name}` of this id, when it lies in a group.
    #[must_use]
    pub fn resource_group(&self) -> Option<Self> {
        let group = self.after("resourceGroups")?;
        Some(Self(format!(
            "{}/resourceGroups/{group}",
            self.subscription().0
        )))
    }

    /// The id of a resource of `collection` below this one.
    #[must_use]
    pub fn child(&self, collection: &str, name: &str) -> Self {
        Self(format!("{}/{collection}/{name}", self.0))
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_its_parts() {
        let id = ResourceId::published(
            "/subscriptions/S/resourceGroups/G/providers/Microsoft.DataProtection/backupVaults/V",
        );
        assert_eq!(id.name(), "V");
        assert_eq!(id.subscription().as_str(), "/subscriptions/S");
        assert_eq!(
            id.resource_group().unwrap().key(),
            "/subscriptions/s/resourcegroups/g"
        );
        assert_eq!(id.child("backupPolicies", "P").without(2), id);
        assert_eq!(id.after("backupvaults"), Some("V"));
        assert_eq!(id.after("locations"), None);
    }

    #[test]
    fn a_name_that_is_spelled_like_a_type_is_a_name() {
        let id = ResourceId::published(
            "/subscriptions/resourceGroups/resourceGroups/providers/providers/N/backupVaults/locations",
        );
        assert_eq!(id.subscription().as_str(), "/subscriptions/resourceGroups");
        assert_eq!(id.after("resourceGroups"), Some("providers"));
        assert_eq!(id.after("backupVaults"), Some("locations"));
        assert_eq!(id.after("locations"), None);
    }
}
