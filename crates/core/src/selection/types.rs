//! Filters for resource types, in every form that people write them.
//!
//! Contract: case does not matter. `Kind`, `plural`, `short`, `group/Kind`, `group/plural`,
//! `group/version/Kind`, `version/Kind` (core group), `plural.group`, `Kind.group`,
//! `plural.version.group`, with `*` for a whole part. A version is accepted and ignored, because an
//! object exists in all served versions at once. Short names are those of the built-in types: what a
//! custom type calls itself for short another one may as well, and a filter must not mean two things.

use std::fmt;
use std::str::FromStr;

use crate::object::ResourceType;

/// Short names of built-in types, with group and kind.
/// Source: <https://kubernetes.io/docs/reference/kubectl/#resource-types>
const SHORT_NAMES: &[(&str, &str, &str)] = &[
    ("cm", "", "ConfigMap"),
    ("ep", "", "Endpoints"),
    ("limits", "", "LimitRange"),
    ("ns", "", "Namespace"),
    ("po", "", "Pod"),
    ("pv", "", "PersistentVolume"),
    ("pvc", "", "PersistentVolumeClaim"),
    ("quota", "", "ResourceQuota"),
    ("rc", "", "ReplicationController"),
    ("sa", "", "ServiceAccount"),
    ("svc", "", "Service"),
    ("deploy", "apps", "Deployment"),
    ("ds", "apps", "DaemonSet"),
    ("rs", "apps", "ReplicaSet"),
    ("sts", "apps", "StatefulSet"),
    ("hpa", "autoscaling", "HorizontalPodAutoscaler"),
    ("cj", "batch", "CronJob"),
    ("csr", "certificates.k8s.io", "CertificateSigningRequest"),
    ("ing", "networking.k8s.io", "Ingress"),
    ("netpol", "networking.k8s.io", "NetworkPolicy"),
    ("pdb", "policy", "PodDisruptionBudget"),
    ("pc", "scheduling.k8s.io", "PriorityClass"),
    ("sc", "storage.k8s.io", "StorageClass"),
    ("vac", "storage.k8s.io", "VolumeAttributesClass"),
    ("crd", "apiextensions.k8s.io", "CustomResourceDefinition"),
    ("crds", "apiextensions.k8s.io", "CustomResourceDefinition"),
];

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
            name.eq_ignore_ascii_case(&resource.kind)
                || name.eq_ignore_ascii_case(&resource.plural)
                || is_short_name(name, resource)
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
                Some((name, group)) => (Some(without_version(group)), name),
                None => (None, *name),
            },
            [first, name] if is_version(first) => (Some(""), *name),
            [_, "", _] => return Err(invalid("it has an empty part")),
            [group, name] | [group, _, name] => (Some(*group), *name),
            _ => return Err(invalid("it has more than three parts")),
        };
        // `pods.v1.` is how kubectl writes the core group with a version; any other dot there is a slip.
        let ends_in_dot = parts.len() == 1 && lower.ends_with('.') && group != Some("");
        let no_group = lower.strip_suffix('.') == Some(name);
        if name.is_empty() || ends_in_dot || no_group {
            return Err(invalid("it has an empty part"));
        }
        if name.contains('.') {
            return Err(invalid("the kind after '/' has no dots"));
        }
        let is_partial = |part: &str| part.contains('*') && part != "*";
        if is_partial(name) || group.is_some_and(is_partial) {
            return Err(invalid("'*' stands for a whole part"));
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

fn is_short_name(name: &str, resource: &ResourceType) -> bool {
    SHORT_NAMES
        .iter()
        .any(|(short, group, kind)| *short == name && resource.is(group, kind))
}

/// `v1.apps` is the group `apps`; `v1` and `v1.` are the core group, as `kubectl` reads them.
fn without_version(group: &str) -> &str {
    match group.split_once('.') {
        Some((version, group)) if is_version(version) => group,
        None if is_version(group) => "",
        _ => group,
    }
}

/// `v1`, `v2beta1`: a version where a group would stand.
fn is_version(part: &str) -> bool {
    part.strip_prefix('v')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
