//! What the objects of namespaces need of the cluster's own scope.
//!
//! Contract: with the cluster's scope switched off, a backup takes of it what the taken objects cannot be
//! restored or cannot work without, each with the sentence that names who needs it. The types are read
//! behind all others, in stages: those of a later stage are needed by those before. [`Needs`] keeps names
//! only, and of so many that its memory is bounded; beyond that everything of a type counts as
//! needed, which is never too little, and [`Needs::overflowed`] says so.
//! Why: `docs/adr` on what a selection takes of the cluster's own scope.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::limits::NEEDED_NAMES_MAX;
use crate::object::{ObjectFacts, ResourceType};

use self::roles::Aggregation;
use self::table::{
    API_SERVICE, CLAIM, CLUSTER_ROLE, CLUSTER_ROLE_BINDING, DEFINITION, Kind, POD_ROWS, POD_SPECS,
    ROLE_BINDING, ROWS, SNAPSHOT_CONTENT, TARGETS, VOLUME,
};
use super::{Decision, Rule};

pub use self::classes::{NamedClass, named_classes};

mod classes;
mod roles;
mod table;
#[cfg(test)]
mod tests;

/// Sorts behind every letter, so that a run with it comes behind those of all types.
const LAST: char = '~';

/// When a type that is taken on need is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Needed by objects in namespaces: volumes, snapshots' contents, bindings, and custom owners.
    First,
    /// Classes of a custom type: needed by those, and need their own definition.
    Second,
    /// Built-in classes, roles and definitions, which need nothing.
    Third,
}

impl Stage {
    /// All, in their order.
    pub const ALL: [Self; 3] = [Self::First, Self::Second, Self::Third];
}

/// Whether objects of a type can be needed by others: the built-in ones of the table, and every custom
/// type of the cluster's own scope, because it may own objects.
#[must_use]
pub fn is_ever_needed(resource: &ResourceType) -> bool {
    !resource.namespaced && (resource.is_custom() || is_one_of(resource, TARGETS))
}

/// When a type is read that is taken on need.
#[must_use]
pub fn stage(resource: &ResourceType) -> Stage {
    let first = is_one_of(resource, &[VOLUME, SNAPSHOT_CONTENT, CLUSTER_ROLE_BINDING]);
    match (is_one_of(resource, TARGETS) && !first, resource.is_custom()) {
        (false, _) => Stage::First,
        (true, true) => Stage::Second,
        (true, false) => Stage::Third,
    }
}

/// The name of a type's run in a recovery point: the name of the type, behind a prefix when its objects
/// are taken on need. Runs are in ascending order of their names, and the prefix puts these behind all
/// others and the stages one behind the other.
#[must_use]
pub fn run_name(resource: &ResourceType, on_need: bool) -> String {
    let name = resource.resource();
    match (on_need, stage(resource)) {
        (false, _) => name,
        (true, Stage::First) => format!("{LAST}1.{name}"),
        (true, Stage::Second) => format!("{LAST}2.{name}"),
        (true, Stage::Third) => format!("{LAST}3.{name}"),
    }
}

/// Whether [`Needs::learn`] reads the content of objects of a type; of others it needs the facts only.
#[must_use]
pub fn is_read(resource: &ResourceType) -> bool {
    ROWS.iter().any(|row| is(resource, row.of))
        || POD_SPECS.iter().any(|(kind, _)| is(resource, *kind))
        || is(resource, ROLE_BINDING)
}

/// What the objects that were taken so far need.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// The types that are read on need; names of others are not kept.
    types: BTreeSet<(String, String)>,
    /// Who needs it, by type and name.
    names: BTreeMap<(String, String), BTreeMap<String, String>>,
    /// Claims that name no volume; a volume may be kept for one.
    claims: BTreeSet<String>,
    /// Namespaces of which something is taken.
    namespaces: BTreeSet<String>,
    roles: Aggregation,
    /// How many names there are in all.
    kept: usize,
    /// Types of which more is needed than is kept in mind.
    overflowed: BTreeSet<(String, String)>,
}

impl Needs {
    /// No needs yet, to be kept of these types; the others are taken or left by other rules.
    #[must_use]
    pub fn among<'a>(types: impl IntoIterator<Item = &'a ResourceType>) -> Self {
        Self {
            types: types.into_iter().map(key).collect(),
            ..Self::default()
        }
    }

    /// Takes in what an object that is taken needs. `content` may be null for a type that is not
    /// [`is_read`].
    pub fn learn(&mut self, resource: &ResourceType, facts: &ObjectFacts, content: &Value) {
        let who = &facts.object;
        if let Some(namespace) = who.namespace.as_deref() {
            self.serve_namespace(namespace);
        }
        if resource.is_custom() {
            self.need_definition(resource);
        }
        for owner in &facts.owners {
            let because = format!("it owns {who}");
            self.need((owner.group(), &owner.kind), &owner.name, || because);
        }
        for row in ROWS.iter().filter(|row| is(resource, row.of)) {
            self.need_fields(row.names, content, row.field, &[], who);
        }
        for (_, spec) in POD_SPECS.iter().filter(|(kind, _)| is(resource, *kind)) {
            let Some(pod) = spec.iter().try_fold(content, |at, field| at.get(*field)) else {
                continue;
            };
            for row in POD_ROWS {
                self.need_fields(row.names, pod, row.field, spec, who);
            }
        }
        if is(resource, ROLE_BINDING) && content["roleRef"]["kind"] == CLUSTER_ROLE.1 {
            self.need_fields(CLUSTER_ROLE, content, &["roleRef", "name"], &[], who);
        }
        if is(resource, CLAIM)
            && content["spec"]["volumeName"]
                .as_str()
                .unwrap_or_default()
                .is_empty()
        {
            self.need_volume_of(who.key());
        }
    }

    /// Takes in a ClusterRole before they are decided over, so that the parts of a needed one are known.
    pub fn survey(&mut self, resource: &ResourceType, facts: &ObjectFacts, content: &Value) {
        if is(resource, CLUSTER_ROLE) {
            self.roles.note(&facts.object.name, &facts.labels, content);
        }
    }

    /// Ends the survey.
    pub fn surveyed(&mut self) {
        let all = self.roles.is_overflowed();
        if all {
            self.overflowed.insert(owned(CLUSTER_ROLE));
        }
        let needed = self.names.get(&owned(CLUSTER_ROLE));
        self.roles
            .close(|name| all || needed.is_some_and(|names| names.contains_key(name)));
    }

    /// Whether a type is to be surveyed before its objects are decided over.
    #[must_use]
    pub fn wants_survey(&self, resource: &ResourceType) -> bool {
        is(resource, CLUSTER_ROLE) && self.wants(resource)
    }

    /// Whether anything of a type may be needed: a type that is not need not be read.
    #[must_use]
    pub fn wants(&self, resource: &ResourceType) -> bool {
        let key = key(resource);
        is(resource, CLUSTER_ROLE_BINDING) && !self.namespaces.is_empty()
            || is(resource, VOLUME) && !self.claims.is_empty()
            || self.overflowed.contains(&key)
            || self.names.contains_key(&key)
    }

    /// Whether an object that a selector leaves as [`Rule::NotNeeded`] is needed, and why in words.
    #[must_use]
    pub fn decide(
        &self,
        resource: &ResourceType,
        facts: &ObjectFacts,
        content: &Value,
    ) -> (Decision, String) {
        match self.because(resource, facts, content) {
            Some(because) => (Decision::include(Rule::NeededByTaken), because),
            None => (
                Decision::exclude(Rule::NotNeeded),
                Rule::NotNeeded.reason().to_owned(),
            ),
        }
    }

    fn because(
        &self,
        resource: &ResourceType,
        facts: &ObjectFacts,
        content: &Value,
    ) -> Option<String> {
        let key = key(resource);
        let name = &facts.object.name;
        if let Some(because) = self.names.get(&key).and_then(|names| names.get(name)) {
            return Some(because.clone());
        }
        let more = if is(resource, VOLUME) {
            self.reserved_for(content)
        } else if is(resource, CLUSTER_ROLE) {
            let whole = self.roles.whole_of(&facts.labels);
            whole.map(|whole| format!("it is a part of ClusterRole {whole}, which is needed"))
        } else if is(resource, CLUSTER_ROLE_BINDING) {
            self.bound_namespace(content)
                .map(|namespace| format!("it binds service accounts of namespace {namespace}"))
        } else {
            None
        };
        more.or_else(|| {
            let too_many = self.overflowed.contains(&key);
            too_many.then(|| format!(
                "more than {NEEDED_NAMES_MAX} names are needed, so all objects of this type are taken"
            ))
        })
    }

    /// Types of which everything is taken because more is needed than is kept in mind, as group and kind.
    pub fn overflowed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.overflowed
            .iter()
            .map(|(group, kind)| (group.as_str(), kind.as_str()))
    }

    /// A volume that was made for a claim which is not bound to it (yet).
    fn reserved_for(&self, volume: &Value) -> Option<String> {
        let claim = &volume["spec"]["claimRef"];
        let key = format!(
            "{}/{}",
            claim["namespace"].as_str()?,
            claim["name"].as_str()?
        );
        self.claims
            .contains(&key)
            .then(|| format!("it is reserved for PersistentVolumeClaim {key}"))
    }

    /// The definition of a custom type, or the APIService of an aggregated one: whichever there is.
    fn need_definition(&mut self, resource: &ResourceType) {
        let because = || {
            format!(
                "it defines {}, of which objects are taken",
                resource.resource()
            )
        };
        self.need(DEFINITION, &resource.resource(), because);
        let service = format!("{}.{}", resource.version, resource.group);
        self.need(API_SERVICE, &service, because);
    }

    fn need_fields(
        &mut self,
        names: Kind,
        value: &Value,
        field: &[&str],
        before: &[&str],
        who: &crate::object::ObjectRef,
    ) {
        let mut found = Vec::new();
        follow(value, field, &mut found);
        for name in found {
            self.need(names, name, || {
                let path: Vec<&str> = before
                    .iter()
                    .chain(field)
                    .copied()
                    .filter(|part| *part != "*")
                    .collect();
                format!("{who} names it in {}", path.join("."))
            });
        }
    }

    /// The taken namespace whose service accounts a ClusterRoleBinding serves: by name, as the group of all
    /// service accounts of a namespace, or as the user that a service account is.
    /// Source: <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-subjects>
    fn bound_namespace<'b>(&self, binding: &'b Value) -> Option<&'b str> {
        let subjects = binding["subjects"].as_array().into_iter().flatten();
        let mut namespaces = subjects.filter_map(|subject| {
            let name = subject["name"].as_str()?;
            match subject["kind"].as_str()? {
                "ServiceAccount" => subject["namespace"].as_str(),
                "Group" => name.strip_prefix("system:serviceaccounts:"),
                "User" => name
                    .strip_prefix("system:serviceaccount:")?
                    .split(':')
                    .next(),
                _ => None,
            }
        });
        namespaces.find(|namespace| self.namespaces.contains(*namespace))
    }

    fn serve_namespace(&mut self, namespace: &str) {
        if self.namespaces.contains(namespace) {
            return;
        }
        if self.kept >= NEEDED_NAMES_MAX {
            self.overflowed.insert(owned(CLUSTER_ROLE_BINDING));
            return;
        }
        self.kept += 1;
        self.namespaces.insert(namespace.to_owned());
    }

    fn need_volume_of(&mut self, claim: String) {
        if self.kept >= NEEDED_NAMES_MAX {
            self.overflowed.insert(owned(VOLUME));
        } else if self.claims.insert(claim) {
            self.kept += 1;
        }
    }

    fn need(&mut self, kind: (&str, &str), name: &str, because: impl FnOnce() -> String) {
        if name.is_empty() {
            return;
        }
        let kind = (kind.0.to_owned(), kind.1.to_owned());
        if !self.types.contains(&kind) {
            return;
        }
        if self
            .names
            .get(&kind)
            .is_some_and(|names| names.contains_key(name))
        {
            return;
        }
        if self.kept >= NEEDED_NAMES_MAX {
            self.overflowed.insert(kind);
            return;
        }
        self.kept += 1;
        self.names
            .entry(kind)
            .or_default()
            .insert(name.to_owned(), because());
    }
}

/// All texts that a field's way leads to.
fn follow<'a>(value: &'a Value, field: &[&str], found: &mut Vec<&'a str>) {
    match field {
        [] => found.extend(value.as_str()),
        ["*", rest @ ..] => {
            for element in value.as_array().into_iter().flatten() {
                follow(element, rest, found);
            }
        }
        [first, rest @ ..] => {
            if let Some(next) = value.get(*first) {
                follow(next, rest, found);
            }
        }
    }
}

fn is(resource: &ResourceType, (group, kind): Kind) -> bool {
    resource.is(group, kind)
}

fn is_one_of(resource: &ResourceType, kinds: &[Kind]) -> bool {
    kinds.iter().any(|kind| is(resource, *kind))
}

fn key(resource: &ResourceType) -> (String, String) {
    (resource.group.clone(), resource.kind.clone())
}

fn owned((group, kind): Kind) -> (String, String) {
    (group.to_owned(), kind.to_owned())
}
