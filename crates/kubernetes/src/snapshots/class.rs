//! The VolumeSnapshotClasses that the extension makes of what snapshot resource groups say.
//!
//! Contract: such a class is no default and has no label by which anybody else would choose it. Its name
//! follows from what it says, so it is made twice as it is made once, and each job that is about to use it
//! writes itself on it: who would remove one for want of use says in which state it was seen, and fails when
//! a job came in between. Contents name their class for as long as they are, and it is needed until they are
//! ready; their secrets are noted on themselves.
//! Source: `getCSISnapshotInput` and `deleteCSISnapshotOperation` in external-snapshotter v8.6,
//! `pkg/sidecar-controller/snapshot_controller.go`.

use serde_json::{Value, json};
use strongroom_core::volumes::{CLASS_LABEL, CLASS_MADE, SnapshotClass};

use super::{EXTENSION_LABEL, JOB_ANNOTATION, Owner, classes, each};
use crate::apply::{self, Propagation};
use crate::cluster::{Cluster, ClusterError, Failure};
use crate::{FIELD_MANAGER, MANAGED_BY, MANAGED_BY_LABEL};

/// A class that an extension made, as it was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MadeClass {
    /// Its name.
    pub name: String,
    uid: String,
    resource_version: String,
}

/// Makes a class for a job, or writes the job on the one that is there.
pub async fn make_class(
    cluster: &Cluster,
    owner: &Owner,
    class: &SnapshotClass,
) -> Result<(), ClusterError> {
    let object = manifest(owner, class);
    apply::patch_apply(cluster, &classes(), &object, FIELD_MANAGER, true).await?;
    Ok(())
}

fn manifest(owner: &Owner, class: &SnapshotClass) -> Value {
    let kind = classes();
    json!({
        "apiVersion": kind.api_version(),
        "kind": kind.kind,
        "metadata": {
            "name": class.name,
            "labels": {
                MANAGED_BY_LABEL: MANAGED_BY,
                CLASS_LABEL: CLASS_MADE,
                EXTENSION_LABEL: owner.extension,
            },
            "annotations": { JOB_ANNOTATION: owner.job },
        },
        "driver": class.driver,
        "deletionPolicy": "Retain",
        "parameters": class.parameters,
    })
}

/// The classes that the extension of this namespace made. None where no snapshots are served.
pub async fn list_made(cluster: &Cluster, extension: &str) -> Result<Vec<MadeClass>, ClusterError> {
    let selector = format!("{EXTENSION_LABEL}={extension},{CLASS_LABEL}={CLASS_MADE}");
    let (kind, mut all) = (classes(), Vec::new());
    let listed = each(cluster, &kind, None, Some(&selector), |class| {
        let text = |field: &str| {
            let value = class["metadata"][field].as_str();
            value.unwrap_or_default().to_owned()
        };
        all.push(MadeClass {
            name: text("name"),
            uid: text("uid"),
            resource_version: text("resourceVersion"),
        });
    });
    match listed.await {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        listed => listed.map(|()| all),
    }
}

/// Removes a class that was made, unless a job wrote itself on it since it was seen; whether it did.
pub async fn remove_class(cluster: &Cluster, class: &MadeClass) -> Result<bool, ClusterError> {
    let (kind, name, how) = (classes(), class.name.as_str(), Propagation::Background);
    let seen = json!({"uid": class.uid, "resourceVersion": class.resource_version});
    match apply::delete_when(cluster, &kind, None, name, Some(seen), how).await {
        Err(error) if matches!(error.failure, Failure::Conflict { .. }) => Ok(false),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_made_class_is_nobodys_default_and_keeps_what_it_takes() {
        let owner = Owner {
            extension: "backups".into(),
            recovery_point: Uuid::from_u128(1),
            job: Uuid::from_u128(2),
            backup_instance: "/i".into(),
        };
        let class = SnapshotClass {
            name: "strongroom-1-class-2".into(),
            driver: "disk.csi.azure.com".into(),
            made: true,
            parameters: BTreeMap::from([("incremental".into(), "true".into())]),
            ..SnapshotClass::default()
        };
        let object = manifest(&owner, &class);
        assert_eq!(SnapshotClass::of(&object), class);
        assert_eq!(object["deletionPolicy"], "Retain");
        assert_eq!(
            object["metadata"]["annotations"][JOB_ANNOTATION],
            json!(owner.job)
        );
    }
}
