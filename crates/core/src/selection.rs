//! Which objects a backup takes, and a restore takes out of a recovery point.
//!
//! Contract: [`Selection`] is parsed input under its published names (the public contract's
//! `KubernetesClusterBackupDatasourceParameters`); [`Selector`] is its validated meaning. A decision is
//! a pure function of the type and the facts of one object, and every decision carries the rule that
//! made it. Rules are asked in a fixed order: never taken, opted out by its own label, namespace, type,
//! switches, labels. With the cluster's own scope switched off, what taken objects need of it is taken
//! all the same: [`related`] says what that is.
//! Source: <https://learn.microsoft.com/azure/backup/azure-kubernetes-service-cluster-backup#backup-configurations>

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};

use crate::error::{Code, Problem};
use crate::hooks::HookKind;
use crate::limits;
use crate::name::{self, NameKind};
use crate::object::{ObjectFacts, ResourceType};

pub use labels::LabelSelector;
pub use rule::{Decision, Rule};
pub use types::TypeFilter;

pub mod labels;
mod never;
mod opt_out;
pub mod related;
mod rule;
#[cfg(test)]
mod tests;
pub mod types;

pub use opt_out::EXCLUDE_LABELS;

pub use never::{
    EXTENSION_NAMESPACE, OWN_GROUP, OWN_LABEL, OWN_LABEL_VALUE, SNAPSHOT_LABEL, SYSTEM_NAMESPACES,
};

/// A backup configuration's choice of objects, as it is sent and stored.
///
/// An absent or null list has its default; unknown fields are ignored, because the published type has
/// more of them than concern the choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Selection {
    /// Namespaces to take; absent or empty means all that exist now and later.
    pub included_namespaces: Option<Vec<String>>,
    /// Namespaces to leave out.
    #[serde(deserialize_with = "null_is_default")]
    pub excluded_namespaces: Vec<String>,
    /// Types to take; empty means all. See [`TypeFilter`] for the accepted forms.
    #[serde(deserialize_with = "null_is_default")]
    pub included_resource_types: Vec<String>,
    /// Types to leave out.
    #[serde(deserialize_with = "null_is_default")]
    pub excluded_resource_types: Vec<String>,
    /// Label selectors, all of which must match. See [`LabelSelector`] for the accepted forms.
    #[serde(deserialize_with = "null_is_default")]
    pub label_selectors: Vec<String>,
    /// Whether objects of the cluster's own scope are taken; published default true.
    pub include_cluster_scope_resources: bool,
    /// Whether Secrets are taken; ours, default true.
    pub include_secrets: bool,
    /// Whether volumes are snapshotted; published default true.
    pub snapshot_volumes: bool,
    /// Types of volumes to snapshot: published names, or names of CSI drivers (ours); empty means all.
    #[serde(
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub included_volume_types: Vec<String>,
    /// `BackupHook` resources to run around the snapshots, in this order.
    #[serde(
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub backup_hook_references: Vec<HookReference>,
}

impl Default for Selection {
    /// Everything: all namespaces, all types, the cluster's scope, secrets and volumes.
    fn default() -> Self {
        Self {
            included_namespaces: None,
            excluded_namespaces: Vec::new(),
            included_resource_types: Vec::new(),
            excluded_resource_types: Vec::new(),
            label_selectors: Vec::new(),
            include_cluster_scope_resources: true,
            include_secrets: true,
            snapshot_volumes: true,
            included_volume_types: Vec::new(),
            backup_hook_references: Vec::new(),
        }
    }
}

/// A `BackupHook` or `RestoreHook` resource, as the published `NamespacedNameResource` names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct HookReference {
    /// Its name.
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
    /// Its namespace.
    #[serde(deserialize_with = "null_is_default")]
    pub namespace: String,
}

impl std::fmt::Display for HookReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// SDKs write an unset list as null (see the published models), which means the default.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Why a selection cannot be followed: every fault in it, not only the first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", problems.iter().map(|p| p.message.as_str()).collect::<Vec<_>>().join("; "))]
pub struct InvalidSelection {
    /// One problem for each fault, with the published field name as target.
    pub problems: Vec<Problem>,
}

impl From<InvalidSelection> for Problem {
    /// The only problem, or one that has all of them as details.
    fn from(invalid: InvalidSelection) -> Self {
        let message = invalid.to_string();
        let mut problems = invalid.problems;
        match (problems.pop(), problems.is_empty()) {
            (Some(only), true) => only,
            (Some(last), false) => {
                let code = last.code;
                problems.push(last);
                Self::new(code, message).with_details(problems)
            }
            (None, _) => Self::new(Code::InvalidRequestContent, message),
        }
    }
}

impl Selection {
    /// Validates and compiles the selection.
    ///
    /// # Errors
    /// [`InvalidSelection`] lists every name, type filter and label selector that does not parse, every
    /// namespace that is both chosen and left out, and a choice of nothing but system namespaces.
    pub fn compile(&self) -> Result<Selector, InvalidSelection> {
        let mut problems = Vec::new();
        let included = self.included_namespaces.as_deref().unwrap_or_default();
        check_namespaces(included, "includedNamespaces", &mut problems);
        check_namespaces(
            &self.excluded_namespaces,
            "excludedNamespaces",
            &mut problems,
        );
        self.check_namespaces_agree(included, &mut problems);
        check_hooks(
            &self.backup_hook_references,
            HookKind::Backup,
            &mut problems,
        );
        let selector = Selector {
            included_namespaces: (!included.is_empty()).then(|| included.iter().cloned().collect()),
            excluded_namespaces: self.excluded_namespaces.iter().cloned().collect(),
            included_types: parse_types(
                &self.included_resource_types,
                "includedResourceTypes",
                &mut problems,
            ),
            excluded_types: parse_types(
                &self.excluded_resource_types,
                "excludedResourceTypes",
                &mut problems,
            ),
            labels: parse_labels(&self.label_selectors, &mut problems),
            opted_out: BTreeSet::new(),
            cluster_scope: self.include_cluster_scope_resources,
            secrets: self.include_secrets,
        };
        if problems.is_empty() {
            Ok(selector)
        } else {
            Err(InvalidSelection { problems })
        }
    }

    fn check_namespaces_agree(&self, included: &[String], problems: &mut Vec<Problem>) {
        for both in included
            .iter()
            .filter(|name| self.excluded_namespaces.contains(name))
        {
            let message = format!("namespace {both} is both included and excluded");
            problems.push(
                Problem::new(Code::UserErrorInvalidNamespaceFilter, message)
                    .at("excludedNamespaces"),
            );
        }
        if !included.is_empty() && included.iter().all(|name| never::namespace(name).is_some()) {
            let message = format!(
                "{} is never backed up, so this configuration would take nothing",
                included.join(", ")
            );
            problems.push(
                Problem::new(Code::UserErrorInvalidNamespaceFilter, message)
                    .at("includedNamespaces"),
            );
        }
    }
}

/// What is wrong with references to hooks of a kind.
pub(crate) fn check_hooks(references: &[HookReference], of: HookKind, problems: &mut Vec<Problem>) {
    let ((kind, _), field, code) = (of.resource(), of.field(), of.invalid());
    let mut refuse = |message: String| {
        problems.push(Problem::new(code, message).at(field));
    };
    if references.len() > limits::HOOK_REFERENCES_MAX {
        refuse(format!(
            "{field} has {} entries; at most {} are accepted",
            references.len(),
            limits::HOOK_REFERENCES_MAX
        ));
    }
    let mut known = BTreeSet::new();
    for reference in references {
        if reference.name.is_empty() || reference.namespace.is_empty() {
            refuse(format!(
                "{reference} is not the namespace and the name of a {kind}"
            ));
        } else if !known.insert(reference) {
            refuse(format!("{kind} {reference} is named twice"));
        }
    }
}

fn check_namespaces(names: &[String], field: &str, problems: &mut Vec<Problem>) {
    if names.len() > limits::SELECTION_LIST_MAX {
        let message = format!(
            "{field} has {} entries; at most {} are accepted",
            names.len(),
            limits::SELECTION_LIST_MAX
        );
        problems.push(Problem::new(Code::UserErrorInvalidNamespaceFilter, message).at(field));
    }
    for invalid in names
        .iter()
        .filter_map(|n| name::check(NameKind::KubernetesNamespace, n).err())
    {
        problems.push(
            Problem::new(Code::UserErrorInvalidNamespaceFilter, invalid.to_string()).at(field),
        );
    }
}

fn parse_types(texts: &[String], field: &str, problems: &mut Vec<Problem>) -> Vec<TypeFilter> {
    let mut filters = Vec::with_capacity(texts.len());
    for text in texts {
        match text.parse() {
            Ok(filter) => filters.push(filter),
            Err(invalid) => problems.push(
                Problem::new(
                    Code::UserErrorInvalidResourceTypeFilter,
                    format!("{invalid}"),
                )
                .at(field),
            ),
        }
    }
    filters
}

fn parse_labels(texts: &[String], problems: &mut Vec<Problem>) -> Vec<LabelSelector> {
    let mut selectors = Vec::with_capacity(texts.len());
    for text in texts {
        match text.parse() {
            Ok(selector) => selectors.push(selector),
            Err(invalid) => problems.push(
                Problem::new(Code::UserErrorInvalidLabelSelector, format!("{invalid}"))
                    .at("labelSelectors"),
            ),
        }
    }
    selectors
}

/// A validated selection: decides for each namespace, type and object whether it is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    included_namespaces: Option<BTreeSet<String>>,
    excluded_namespaces: BTreeSet<String>,
    included_types: Vec<TypeFilter>,
    excluded_types: Vec<TypeFilter>,
    labels: Vec<LabelSelector>,
    /// Namespaces whose own label keeps them out.
    opted_out: BTreeSet<String>,
    cluster_scope: bool,
    secrets: bool,
}

impl Selector {
    /// The same with namespaces left out, with all that is in them, because their own label says so.
    #[must_use]
    pub fn without_namespaces(mut self, opted_out: BTreeSet<String>) -> Self {
        self.opted_out = opted_out;
        self
    }

    /// Whether objects of the cluster's own scope are taken only when something taken needs them.
    #[must_use]
    pub fn follows_needs(&self) -> bool {
        !self.cluster_scope
    }

    /// Whether objects in the namespace `name` can be taken.
    #[must_use]
    pub fn decide_namespace(&self, name: &str) -> Decision {
        if let Some(rule) = never::namespace(name) {
            return Decision::exclude(rule);
        }
        if self.excluded_namespaces.contains(name) {
            return Decision::exclude(Rule::NamespaceExcluded);
        }
        if self.opted_out.contains(name) {
            return Decision::exclude(Rule::NamespaceExcludedByLabel);
        }
        match &self.included_namespaces {
            None => Decision::include(Rule::AllNamespaces),
            Some(chosen) if chosen.contains(name) => Decision::include(Rule::NamespaceChosen),
            Some(_) => Decision::exclude(Rule::NamespaceNotChosen),
        }
    }

    /// Whether objects of the type can be taken: a type that is excluded here need not be listed.
    /// Namespaces are never excluded here, because what is taken needs them.
    #[must_use]
    pub fn decide_type(&self, resource: &ResourceType) -> Decision {
        if let Some(rule) = never::resource_type(resource) {
            return Decision::exclude(rule);
        }
        if resource.is("", "Namespace") {
            return Decision::include(Rule::TypeTaken);
        }
        if self
            .excluded_types
            .iter()
            .any(|filter| filter.matches(resource))
        {
            return Decision::exclude(Rule::TypeExcluded);
        }
        if !self.cluster_scope && related::is_ever_needed(resource) {
            return Decision::include(Rule::TakenWhenNeeded);
        }
        if !self.includes_type(resource) {
            return Decision::exclude(Rule::TypeNotChosen);
        }
        if !self.secrets && resource.is("", "Secret") {
            return Decision::exclude(Rule::SecretsSwitchedOff);
        }
        if !self.cluster_scope && !resource.namespaced {
            return Decision::exclude(Rule::ClusterScopeSwitchedOff);
        }
        Decision::include(Rule::TypeTaken)
    }

    /// Whether one object is taken, by all that can be said of it alone. What other objects need of the
    /// cluster's own scope comes out as [`Rule::NotNeeded`]: ask [`related::Needs`] about those.
    #[must_use]
    pub fn decide(&self, resource: &ResourceType, facts: &ObjectFacts) -> Decision {
        if let Some(rule) = never::object(resource, facts).or_else(|| opt_out::object(facts)) {
            return Decision::exclude(rule);
        }
        if resource.is("", "Namespace") {
            return self.decide_namespace_object(resource, facts);
        }
        let by_type = self.decide_type(resource);
        if !by_type.included {
            return by_type;
        }
        if by_type.rule == Rule::TakenWhenNeeded {
            return Decision::exclude(Rule::NotNeeded);
        }
        let place = match &facts.object.namespace {
            Some(namespace) => self.decide_namespace(namespace),
            None => Decision::include(Rule::ClusterScoped),
        };
        if place.included && !self.labels_match(facts) {
            return Decision::exclude(Rule::LabelsDiffer);
        }
        place
    }

    /// The chosen namespaces, when not all are chosen; then listing by namespace may be cheaper.
    #[must_use]
    pub fn chosen_namespaces(&self) -> Option<impl Iterator<Item = &str>> {
        self.included_namespaces
            .as_ref()
            .map(|names| names.iter().map(String::as_str))
    }

    /// Whether the included types name this one; true as well when no types are named.
    #[must_use]
    pub fn includes_type(&self, resource: &ResourceType) -> bool {
        self.included_types.is_empty()
            || self
                .included_types
                .iter()
                .any(|filter| filter.matches(resource))
    }

    /// The included type filters that match none of the types that a cluster serves, as they were
    /// written: material for a finding.
    pub fn unmatched_types<'a>(
        &'a self,
        served: &'a [ResourceType],
    ) -> impl Iterator<Item = &'a TypeFilter> {
        self.included_types
            .iter()
            .chain(&self.excluded_types)
            .filter(move |filter| !served.iter().any(|resource| filter.matches(resource)))
    }

    /// A Namespace comes with whatever is taken from it. When types or labels would leave it out, it is
    /// *carried*: stored so that a restore can make it exactly as it was, but made only when an object
    /// needs it.
    fn decide_namespace_object(&self, resource: &ResourceType, facts: &ObjectFacts) -> Decision {
        let place = self.decide_namespace(&facts.object.name);
        if !place.included {
            return place;
        }
        let wanted = self.includes_type(resource)
            && !self
                .excluded_types
                .iter()
                .any(|filter| filter.matches(resource))
            && self.labels_match(facts);
        if wanted {
            place
        } else {
            Decision::include(Rule::NamespaceCarried)
        }
    }

    fn labels_match(&self, facts: &ObjectFacts) -> bool {
        self.labels
            .iter()
            .all(|selector| selector.matches(&facts.labels))
    }
}
