//! What a restore does with each object of a recovery point, and what it runs when all of them are there.
//!
//! Contract: pure decisions over JSON. [`order`] says when, [`prepare`] what of the object a cluster
//! would refuse or assign anew and whether it is restored at all, [`mapping`] into which namespace,
//! [`conflict`] what to do when it exists, [`volumes`] where the volume of a claim comes from, [`hooks`]
//! which commands run in the pods that were made. Whoever applies asks them and has no rule of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::error::{Code, Problem};
use crate::hooks::HookKind;
use crate::name::{self, NameKind};
use crate::selection::{
    EXTENSION_NAMESPACE, HookReference, SYSTEM_NAMESPACES, Selection, Selector, check_hooks,
};

pub mod conflict;
#[cfg(test)]
mod guide;
pub mod hooks;
pub mod mapping;
pub mod order;
pub mod owners;
pub mod prepare;
pub mod volumes;

use volumes::VolumeChoices;

/// What to do with an object that exists already; published as `ExistingResourcePolicy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ConflictPolicy {
    /// Leave it as it is; the published default.
    #[default]
    Skip,
    /// Change it to what the recovery point holds.
    Patch,
}

/// What a restore takes out of a recovery point and how it applies it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RestoreCriteria {
    /// Which of the recovery point's objects.
    pub selection: Selection,
    /// Source namespace to target namespace; what is not named keeps its namespace.
    pub namespace_mappings: BTreeMap<String, String>,
    /// What to do with objects that exist.
    pub conflict_policy: ConflictPolicy,
    /// Whether volumes get their data back.
    pub restore_volumes: bool,
    /// Which of them, and of which classes and sizes they are.
    #[serde(skip_serializing_if = "VolumeChoices::is_empty")]
    pub volumes: VolumeChoices,
    /// `RestoreHook` resources whose commands run in the pods that were made, in this order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<HookReference>,
}

impl RestoreCriteria {
    /// Validates the criteria and compiles their selection.
    ///
    /// # Errors
    /// One [`Problem`] for each fault: those of the selection, mappings that name no valid
    /// namespace, lead into a system namespace, or lead two namespaces into one, choices of volumes
    /// that cannot be meant, and references to hooks that name none.
    pub fn compile(&self) -> Result<Selector, Vec<Problem>> {
        let mut problems = self.mapping_problems();
        problems.extend(self.volumes.problems());
        check_hooks(&self.hooks, HookKind::Restore, &mut problems);
        match self.selection.compile() {
            Ok(selector) if problems.is_empty() => Ok(selector),
            Ok(_) => Err(problems),
            Err(invalid) => {
                problems.extend(invalid.problems);
                Err(problems)
            }
        }
    }

    /// Whether a namespace is chosen by name and not mapped to another one.
    fn restores_into_itself(&self, namespace: &str) -> bool {
        let chosen = self.selection.included_namespaces.iter().flatten();
        !self.namespace_mappings.contains_key(namespace)
            && chosen.into_iter().any(|one| one == namespace)
    }

    fn mapping_problems(&self) -> Vec<Problem> {
        let mut messages = Vec::new();
        let mut targets = BTreeSet::new();
        for (source, target) in &self.namespace_mappings {
            for name in [source, target] {
                if let Err(invalid) = name::check(NameKind::KubernetesNamespace, name) {
                    messages.push(invalid.to_string());
                }
            }
            if SYSTEM_NAMESPACES.contains(&target.as_str()) || target == EXTENSION_NAMESPACE {
                messages.push(format!(
                    "{source} is mapped to {target}, into which nothing is ever restored"
                ));
            }
            if !targets.insert(target) {
                messages.push(format!("two namespaces are mapped to {target}; their objects would overwrite each other"));
            }
            if self.restores_into_itself(target) {
                messages.push(format!(
                    "{source} is mapped to {target}, which is restored as well and keeps its name; their objects would overwrite each other"
                ));
            }
        }
        messages
            .into_iter()
            .map(|m| {
                Problem::new(Code::UserErrorInvalidNamespaceMapping, m).at("namespaceMappings")
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(pairs: &[(&str, &str)]) -> RestoreCriteria {
        let namespace_mappings = pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        RestoreCriteria {
            namespace_mappings,
            ..Default::default()
        }
    }

    #[test]
    fn a_mapping_of_each_namespace_to_its_own_target_is_valid() {
        assert!(
            mapped(&[("a", "b"), ("b", "a"), ("c", "copy")])
                .compile()
                .is_ok()
        );
    }

    #[test]
    fn a_mapping_into_a_namespace_that_is_restored_itself_is_refused() {
        let mut criteria = mapped(&[("a", "b")]);
        criteria.selection.included_namespaces = Some(vec!["a".to_owned()]);
        assert!(criteria.compile().is_ok());
        criteria.selection.included_namespaces = Some(vec!["a".to_owned(), "b".to_owned()]);
        let problems = criteria.compile().unwrap_err();
        assert_eq!(problems[0].code, Code::UserErrorInvalidNamespaceMapping);
    }

    #[test]
    fn a_mapping_that_merges_namespaces_or_enters_the_system_is_refused() {
        for bad in [
            &[("a", "x"), ("b", "x")][..],
            &[("a", "kube-system")],
            &[("a", "A")],
            &[("a", EXTENSION_NAMESPACE)],
        ] {
            let problems = mapped(bad).compile().unwrap_err();
            assert_eq!(
                problems[0].code,
                Code::UserErrorInvalidNamespaceMapping,
                "{bad:?}"
            );
        }
    }

    #[test]
    fn references_to_hooks_are_named_once_and_whole() {
        let reference = |namespace: &str, name: &str| HookReference {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
        };
        let of = |hooks: &[HookReference]| RestoreCriteria {
            hooks: hooks.to_vec(),
            ..RestoreCriteria::default()
        };
        let seed = reference("shop", "seed");
        assert!(
            of(&[seed.clone(), reference("shop", "b")])
                .compile()
                .is_ok()
        );
        for bad in [&[seed.clone(), seed][..], &[reference("", "seed")]] {
            let problems = of(bad).compile().unwrap_err();
            assert_eq!(problems[0].code, Code::UserErrorInvalidRestoreHook);
            assert_eq!(problems[0].target.as_deref(), Some("restoreHookReferences"));
        }
    }
}
