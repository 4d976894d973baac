//! What guards a claim while a snapshot of it is being taken.

use serde_json::Value;

use super::Removed;

/// Keeps a claim while a VolumeSnapshot of it is being made. The snapshot controller takes it off when it is
/// done with that VolumeSnapshot, which knows nothing of a claim that was made anew: there it would stay for
/// ever, and so would the claim when somebody deletes it. A backup reads claims shortly before or while their
/// snapshots are taken, so that it meets it.
/// Source: `PVCFinalizer` in `pkg/utils/util.go` and `checkandRemovePVCFinalizer` in
/// `pkg/common-controller/snapshot_controller.go` of <https://github.com/kubernetes-csi/external-snapshotter>.
const SOURCE_GUARD: &str = "snapshot.storage.kubernetes.io/pvc-as-source-protection";

/// Takes it off.
pub(super) fn remove_source_guard(claim: &mut Value) -> Option<Removed> {
    let metadata = claim.get_mut("metadata")?.as_object_mut()?;
    let finalizers = metadata.get_mut("finalizers")?.as_array_mut()?;
    let at = finalizers.iter().position(|one| one == SOURCE_GUARD)?;
    finalizers.remove(at);
    if finalizers.is_empty() {
        metadata.shift_remove("finalizers");
    }
    Some(Removed {
        pointer: format!("/metadata/finalizers/{at}"),
        why: "it guards the old claim while a snapshot of it is made, and nobody would take it off the new one",
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::restore::prepare::strip_assigned;

    #[test]
    fn a_claim_is_not_guarded_by_what_nobody_takes_off() {
        let protection = "kubernetes.io/pvc-protection";
        for (had, has) in [
            (json!([protection, SOURCE_GUARD]), json!([protection])),
            (json!([SOURCE_GUARD]), Value::Null),
            (json!([protection]), json!([protection])),
            (Value::Null, Value::Null),
        ] {
            let mut claim = json!({"metadata": {"name": "data", "finalizers": had}});
            let removed = strip_assigned("", "PersistentVolumeClaim", &mut claim);
            assert_eq!(claim["metadata"]["finalizers"], has, "{had}");
            assert_eq!(removed.len(), usize::from(had != has), "{had}");
        }
        let mut other = json!({"metadata": {"finalizers": [SOURCE_GUARD]}});
        assert_eq!(strip_assigned("", "ConfigMap", &mut other).len(), 0);
    }
}
