//! Which ClusterRoles are parts of others.
//!
//! The rules of an aggregated ClusterRole are written by a controller from the ClusterRoles that its
//! selectors match; in another cluster they would come out empty without those.
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::limits::AGGREGATED_ROLES_MAX;
use crate::selection::labels::{LabelSelector, Requirement};

/// The aggregated ClusterRoles of a cluster, and which of them are needed.
#[derive(Clone, Debug, Default)]
pub(super) struct Aggregation {
    /// Few, with what they aggregate: the API server itself has three.
    known: BTreeMap<String, Aggregated>,
    needed: BTreeSet<String>,
    overflowed: bool,
}

#[derive(Clone, Debug)]
struct Aggregated {
    labels: BTreeMap<String, String>,
    parts: Vec<LabelSelector>,
}

impl Aggregation {
    /// Takes note of a role that is aggregated; false when it could not be because there are too many.
    pub(super) fn note(
        &mut self,
        name: &str,
        labels: &BTreeMap<String, String>,
        role: &Value,
    ) -> bool {
        let selectors = role["aggregationRule"]["clusterRoleSelectors"].as_array();
        let parts: Vec<LabelSelector> = selectors.into_iter().flatten().map(selector).collect();
        if parts.is_empty() {
            return true;
        }
        if self.known.len() >= AGGREGATED_ROLES_MAX {
            self.overflowed = true;
            return false;
        }
        let labels = labels.clone();
        self.known
            .insert(name.to_owned(), Aggregated { labels, parts });
        true
    }

    /// Follows from the roles that are needed by name to all that they are made of.
    pub(super) fn close(&mut self, is_needed: impl Fn(&str) -> bool) {
        let mut open: Vec<String> = self
            .known
            .keys()
            .filter(|name| is_needed(name))
            .cloned()
            .collect();
        while let Some(name) = open.pop() {
            if !self.needed.insert(name.clone()) {
                continue;
            }
            let Some(whole) = self.known.get(&name) else {
                continue;
            };
            let parts = self
                .known
                .iter()
                .filter(|(_, part)| whole.has(&part.labels));
            open.extend(parts.map(|(name, _)| name.clone()));
        }
    }

    /// The needed role that one with these labels is a part of.
    pub(super) fn whole_of(&self, labels: &BTreeMap<String, String>) -> Option<&str> {
        let mut needed = self
            .needed
            .iter()
            .filter_map(|name| Some((name, self.known.get(name)?)));
        needed
            .find(|(_, whole)| whole.has(labels))
            .map(|(name, _)| name.as_str())
    }

    /// Whether there were more aggregated roles than are kept in mind.
    pub(super) fn is_overflowed(&self) -> bool {
        self.overflowed
    }
}

impl Aggregated {
    fn has(&self, labels: &BTreeMap<String, String>) -> bool {
        self.parts.iter().any(|part| part.matches(labels))
    }
}

/// A `metav1.LabelSelector`; an operator that is not known makes it match more, never less.
fn selector(value: &Value) -> LabelSelector {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pairs = value["matchLabels"].as_object().into_iter().flatten();
    let mut requirements: Vec<Requirement> = pairs
        .map(|(key, value)| Requirement::In(key.clone(), BTreeSet::from([text(value)])))
        .collect();
    for expression in value["matchExpressions"].as_array().into_iter().flatten() {
        let key = text(&expression["key"]);
        let values = expression["values"]
            .as_array()
            .into_iter()
            .flatten()
            .map(text)
            .collect();
        requirements.extend(match expression["operator"].as_str() {
            Some("In") => Some(Requirement::In(key, values)),
            Some("NotIn") => Some(Requirement::NotIn(key, values)),
            Some("Exists") => Some(Requirement::Exists(key)),
            Some("DoesNotExist") => Some(Requirement::Absent(key)),
            _ => None,
        });
    }
    LabelSelector::all_of(requirements)
}
