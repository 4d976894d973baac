//! Identifiers: jobs, recovery points, and Azure Resource Manager's resource ids.
//!
//! Contract: a resource id is compared without regard to case ([`ArmId::key`]) and written in the
//! published case, because Terraform's parsers demand it. New identifiers come from outside: nothing
//! in here is random.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::limits::RESOURCE_ID_BYTES;

mod published;
#[cfg(test)]
mod tests;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    };
}

uuid_id! {
    /// Identifies a job.
    JobId
}

/// The id of a resource: a scope followed by pairs of type and name.
///
/// Equality, order and hash are those of [`ArmId::key`]; the text keeps the case of names and has the
/// published case of everything else.
#[derive(Clone, Debug)]
pub struct ArmId {
    subscription: String,
    resource_group: Option<String>,
    providers: Vec<Provider>,
    key: String,
}

/// One `/providers/<namespace>/<type>/<name>…` part; an extension resource has two of them.
#[derive(Clone, Debug)]
struct Provider {
    namespace: String,
    /// Pairs of type and name, never empty.
    segments: Vec<(String, String)>,
}

/// A text that is no resource id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{id:?} is not a resource id: {why}")]
pub struct InvalidArmId {
    /// The text, shortened.
    pub id: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl ArmId {
    /// Reads an id in any case, with or without a slash at its end.
    ///
    /// # Errors
    /// [`InvalidArmId`] when the text is not `/subscriptions/{s}[/resourceGroups/{g}]` followed by any
    /// number of `/providers/{namespace}/{type}/{name}[/{type}/{name}…]`, or is longer than
    /// [`RESOURCE_ID_BYTES`], or a segment is empty or not printable.
    pub fn parse(text: &str) -> Result<Self, InvalidArmId> {
        let fail = |why| InvalidArmId {
            id: text.chars().take(200).collect(),
            why,
        };
        if text.len() > RESOURCE_ID_BYTES {
            return Err(fail("it is too long"));
        }
        let trimmed = text.strip_suffix('/').unwrap_or(text);
        let Some(rest) = trimmed.strip_prefix('/') else {
            return Err(fail("it does not start with /subscriptions/"));
        };
        let segments: Vec<&str> = rest.split('/').collect();
        if segments.iter().any(|s| !is_segment(s)) {
            return Err(fail(
                "a segment is empty or holds a character that ids never have",
            ));
        }
        let mut segments = segments.into_iter().peekable();
        let subscription = match (segments.next(), segments.next()) {
            (Some(word), Some(id)) if word.eq_ignore_ascii_case("subscriptions") => id.to_owned(),
            _ => return Err(fail("it does not start with /subscriptions/<id>")),
        };
        let mut resource_group = None;
        if segments
            .next_if(|s| s.eq_ignore_ascii_case("resourceGroups"))
            .is_some()
        {
            resource_group = Some(
                segments
                    .next()
                    .ok_or_else(|| fail("the resource group has no name"))?
                    .to_owned(),
            );
        }
        let mut providers = Vec::new();
        while let Some(word) = segments.next() {
            if !word.eq_ignore_ascii_case("providers") {
                return Err(fail("expected /providers/ after the scope"));
            }
            let namespace = segments
                .next()
                .ok_or_else(|| fail("providers has no namespace"))?;
            let mut pairs = Vec::new();
            while let Some(kind) = segments.next_if(|s| !s.eq_ignore_ascii_case("providers")) {
                let name = segments
                    .next()
                    .ok_or_else(|| fail("the last type has no name"))?;
                pairs.push((kind.to_owned(), name.to_owned()));
            }
            if pairs.is_empty() {
                return Err(fail("the provider has no type and name"));
            }
            providers.push(Provider {
                namespace: namespace.to_owned(),
                segments: pairs,
            });
        }
        Ok(Self::build(subscription, resource_group, providers))
    }

    /// The id of a subscription.
    #[must_use]
    pub fn of_subscription(subscription: &str) -> Self {
        Self::build(subscription.to_owned(), None, Vec::new())
    }

    /// The id of a resource group.
    #[must_use]
    pub fn of_resource_group(subscription: &str, group: &str) -> Self {
        Self::build(subscription.to_owned(), Some(group.to_owned()), Vec::new())
    }

    /// The id of a top-level resource of a provider within this scope; on a resource it makes an
    /// extension resource (`…/providers/<namespace>/<type>/<name>` behind the resource's own id).
    #[must_use]
    pub fn provider(&self, namespace: &str, resource_type: &str, name: &str) -> Self {
        let mut providers = self.providers.clone();
        providers.push(Provider {
            namespace: namespace.to_owned(),
            segments: vec![(resource_type.to_owned(), name.to_owned())],
        });
        Self::build(
            self.subscription.clone(),
            self.resource_group.clone(),
            providers,
        )
    }

    /// The id of a child resource; of a scope without provider the child is not possible and the id
    /// itself is returned unchanged.
    #[must_use]
    pub fn child(&self, resource_type: &str, name: &str) -> Self {
        let mut providers = self.providers.clone();
        if let Some(last) = providers.last_mut() {
            last.segments
                .push((resource_type.to_owned(), name.to_owned()));
        }
        Self::build(
            self.subscription.clone(),
            self.resource_group.clone(),
            providers,
        )
    }

    /// The resource that contains this one: the parent resource, the extended resource, the resource
    /// group or the subscription; `None` of a subscription.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let mut providers = self.providers.clone();
        if let Some(last) = providers.last_mut() {
            last.segments.pop();
            if last.segments.is_empty() {
                providers.pop();
            }
            return Some(Self::build(
                self.subscription.clone(),
                self.resource_group.clone(),
                providers,
            ));
        }
        self.resource_group
            .as_ref()
            .map(|_| Self::of_subscription(&self.subscription))
    }

    /// The subscription's id.
    #[must_use]
    pub fn subscription(&self) -> &str {
        &self.subscription
    }

    /// The resource group's name, when the resource is in one.
    #[must_use]
    pub fn resource_group(&self) -> Option<&str> {
        self.resource_group.as_deref()
    }

    /// The resource's own name: its last segment.
    #[must_use]
    pub fn name(&self) -> &str {
        match self.providers.last().and_then(|p| p.segments.last()) {
            Some((_, name)) => name,
            None => self.resource_group.as_deref().unwrap_or(&self.subscription),
        }
    }

    /// The full type in published case, for example `Microsoft.DataProtection/backupVaults/backupInstances`.
    #[must_use]
    pub fn resource_type(&self) -> String {
        match self.providers.last() {
            Some(provider) => {
                let types: Vec<&str> = provider
                    .segments
                    .iter()
                    .map(|(kind, _)| kind.as_str())
                    .collect();
                format!("{}/{}", provider.namespace, types.join("/"))
            }
            None if self.resource_group.is_some() => {
                "Microsoft.Resources/resourceGroups".to_owned()
            }
            None => "Microsoft.Resources/subscriptions".to_owned(),
        }
    }

    /// Whether the resource is of this full type, in any case.
    #[must_use]
    pub fn is_type(&self, resource_type: &str) -> bool {
        self.resource_type().eq_ignore_ascii_case(resource_type)
    }

    /// The name of the segment of a type, for example of `backupVaults` in a recovery point's id.
    #[must_use]
    pub fn name_of(&self, segment_type: &str) -> Option<&str> {
        self.providers
            .iter()
            .rev()
            .flat_map(|provider| provider.segments.iter().rev())
            .find(|(kind, _)| kind.eq_ignore_ascii_case(segment_type))
            .map(|(_, name)| name.as_str())
    }

    /// The lower-case id: what stores use as key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    fn build(
        subscription: String,
        resource_group: Option<String>,
        mut providers: Vec<Provider>,
    ) -> Self {
        for provider in &mut providers {
            provider.namespace = published::case_of(&provider.namespace);
            for (kind, _) in &mut provider.segments {
                *kind = published::case_of(kind);
            }
        }
        let mut id = Self {
            subscription,
            resource_group,
            providers,
            key: String::new(),
        };
        id.key = id.to_string().to_lowercase();
        id
    }
}

impl fmt::Display for ArmId {
    /// The id with published case of types and the names as they were given.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/subscriptions/{}", self.subscription)?;
        if let Some(group) = &self.resource_group {
            write!(f, "/resourceGroups/{group}")?;
        }
        for provider in &self.providers {
            write!(f, "/providers/{}", provider.namespace)?;
            for (kind, name) in &provider.segments {
                write!(f, "/{kind}/{name}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for ArmId {
    type Err = InvalidArmId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl PartialEq for ArmId {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for ArmId {}

impl PartialOrd for ArmId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ArmId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

impl Hash for ArmId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl Serialize for ArmId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ArmId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A segment is not empty, not a step in a path, and holds nothing that a URL or a log must escape.
fn is_segment(segment: &str) -> bool {
    !segment.is_empty()
        && segment != "."
        && segment != ".."
        && segment
            .chars()
            .all(|c| !c.is_control() && !c.is_whitespace() && !"?#%\\<>\"".contains(c))
}
