//! What a restore request chooses, in the domain's words.
//!
//! Contract: the contract's criteria go in, whatever their order; nothing of the cluster or of the recovery
//! point is looked at.

use strongroom_api::instance::NamespacedNameResource;
use strongroom_api::restore::{
    ConflictPolicy as WireConflictPolicy, KubernetesClusterRestoreCriteria,
    PersistentVolumeRestoreMode, RestoreCriteria as WireRestoreCriteria, RestoreTarget,
};
use strongroom_core::error::{Code, Problem};
use strongroom_core::restore::volumes::{ClaimChoice, VolumeChoices};
use strongroom_core::restore::{ConflictPolicy, RestoreCriteria};
use strongroom_core::selection::{HookReference, Selection};

use crate::app::error::refuse;
use crate::app::{Error, Result};

/// The criteria of a restore. One that names none restores everything.
pub(super) fn criteria_of(target: &RestoreTarget) -> Result<RestoreCriteria> {
    let all: &[WireRestoreCriteria] = match target {
        RestoreTarget::RestoreTargetInfo(_) => &[],
        RestoreTarget::ItemLevelRestoreTargetInfo(target) => &target.restore_criteria,
    };
    let default = KubernetesClusterRestoreCriteria {
        include_cluster_scope_resources: true,
        ..KubernetesClusterRestoreCriteria::default()
    };
    let clusters: Vec<_> = all
        .iter()
        .filter_map(WireRestoreCriteria::cluster)
        .collect();
    let wire = match clusters.as_slice() {
        [] => &default,
        [one] => *one,
        _ => {
            return refuse(
                Code::InvalidRequestContent,
                "A restore has one restoreCriteria of a cluster; several were given.",
            );
        }
    };
    if let Some(reference) = &wire.resource_modifier_reference {
        return Err(not_supported(reference).into());
    }
    let value =
        serde_json::to_value(wire).map_err(Error::unexpected("read the restore criteria"))?;
    let selection: Selection =
        serde_json::from_value(value).map_err(Error::unexpected("read the restore criteria"))?;
    Ok(RestoreCriteria {
        selection,
        namespace_mappings: wire.namespace_mappings.clone().unwrap_or_default(),
        conflict_policy: match wire.conflict_policy.unwrap_or_default() {
            WireConflictPolicy::Skip => ConflictPolicy::Skip,
            WireConflictPolicy::Patch => ConflictPolicy::Patch,
        },
        restore_volumes: wire.persistent_volume_restore_mode
            != Some(PersistentVolumeRestoreMode::RestoreWithoutVolumeData),
        volumes: volume_choices(all, wire),
        hooks: hooks(wire),
    })
}

/// The hooks that a restore names, in their order.
fn hooks(cluster: &KubernetesClusterRestoreCriteria) -> Vec<HookReference> {
    let references = cluster.restore_hook_references.iter().flatten();
    references
        .map(|reference| HookReference {
            name: reference.name.clone().unwrap_or_default(),
            namespace: reference.namespace.clone().unwrap_or_default(),
        })
        .collect()
}

/// A restore whose rules would be left out is not what was asked for.
fn not_supported(reference: &NamespacedNameResource) -> Problem {
    let message = format!(
        "The restore names the resource modifier rules '{}/{}'; this version does not apply such rules.",
        reference.namespace.as_deref().unwrap_or_default(),
        reference.name.as_deref().unwrap_or_default()
    );
    Problem::new(Code::ResourceModifierNotSupported, message).at("resourceModifierReference")
}

/// What is chosen for volumes: claims and classes by criteria of their own, the rest beside the choice of
/// objects.
fn volume_choices(
    all: &[WireRestoreCriteria],
    cluster: &KubernetesClusterRestoreCriteria,
) -> VolumeChoices {
    let mut choices = VolumeChoices {
        class_mappings: cluster.storage_class_mappings.clone().unwrap_or_default(),
        sizes: cluster.volume_sizes.clone().unwrap_or_default(),
        ..VolumeChoices::default()
    };
    for one in all {
        match one {
            WireRestoreCriteria::KubernetesPVRestoreCriteria(claim) => {
                let choice = ClaimChoice {
                    namespace: claim.namespace.clone(),
                    name: claim.name.clone().unwrap_or_default(),
                    storage_class: claim.storage_class_name.clone(),
                };
                choices.claims.get_or_insert_default().push(choice);
            }
            WireRestoreCriteria::KubernetesStorageClassRestoreCriteria(class) => {
                let provisioner = class.provisioner.clone().unwrap_or_default();
                let class = class
                    .selected_storage_class_name
                    .clone()
                    .unwrap_or_default();
                choices.class_of_provisioner.insert(provisioner, class);
            }
            WireRestoreCriteria::KubernetesClusterRestoreCriteria(_)
            | WireRestoreCriteria::KubernetesClusterVaultTierRestoreCriteria(_) => {}
        }
    }
    choices
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn target(criteria: Value) -> RestoreTarget {
        serde_json::from_value(json!({
            "objectType": "ItemLevelRestoreTargetInfo",
            "recoveryOption": "FailIfExists",
            "datasourceInfo": {"objectType": "Datasource", "resourceID": "/subscriptions/s"},
            "restoreCriteria": criteria,
        }))
        .unwrap()
    }

    fn cluster() -> Value {
        json!({"objectType": "KubernetesClusterRestoreCriteria",
            "includeClusterScopeResources": true,
            "persistentVolumeRestoreMode": "RestoreWithVolumeData",
            "storageClassMappings": {"slow": "fast"}, "volumeSizes": {"shop/data": "20Gi"}})
    }

    #[test]
    fn criteria_of_volumes_stand_beside_those_of_the_cluster_in_any_order() {
        let read = criteria_of(&target(json!([
            {"objectType": "KubernetesPVRestoreCriteria", "name": "data", "storageClassName": "own"},
            cluster(),
            {"objectType": "KubernetesStorageClassRestoreCriteria",
                "selectedStorageClassName": "premium", "provisioner": "disk.example.com"},
        ])))
        .unwrap();
        assert!(read.restore_volumes);
        let expected = json!({
            "claims": [{"name": "data", "storageClass": "own"}],
            "classMappings": {"slow": "fast"},
            "classOfProvisioner": {"disk.example.com": "premium"},
            "sizes": {"shop/data": "20Gi"},
        });
        assert_eq!(serde_json::to_value(&read.volumes).unwrap(), expected);
    }

    #[test]
    fn a_restore_has_one_choice_of_objects_at_most_and_volumes_come_with_data_unless_it_says_so() {
        assert!(criteria_of(&target(json!([cluster(), cluster()]))).is_err());
        let everything = criteria_of(&target(json!([]))).unwrap();
        assert!(everything.restore_volumes && everything.volumes.is_empty());
        let mut without = cluster();
        without["persistentVolumeRestoreMode"] = json!("RestoreWithoutVolumeData");
        assert!(
            !criteria_of(&target(json!([without])))
                .unwrap()
                .restore_volumes
        );
    }

    #[test]
    fn hooks_reach_the_extension_in_their_order_and_what_is_not_supported_is_refused() {
        let mut named = cluster();
        let reference = |name: &str| json!({"name": name, "namespace": "shop"});
        named["restoreHookReferences"] = json!([reference("seed"), reference("a")]);
        let read = criteria_of(&target(json!([named]))).unwrap();
        let hooks: Vec<_> = read.hooks.iter().map(ToString::to_string).collect();
        assert_eq!(hooks, ["shop/seed", "shop/a"]);
        named["resourceModifierReference"] = reference("rules");
        let refused = criteria_of(&target(json!([named]))).unwrap_err();
        assert!(
            matches!(&refused, Error::Problem(problem)
                if problem.code == Code::ResourceModifierNotSupported),
            "{refused:?}"
        );
    }
}
