//! The recovery point that a backup made, as it is stored and published.

use jiff::Timestamp;
use serde_json::json;
use strongroom_api::recovery_point::{
    AzureBackupDiscreteRecoveryPoint, RecoveryPoint, RecoveryPointCompletionState,
    RecoveryPointDataStoreDetails,
};
use strongroom_repository::Point;

use super::{Outcome, Request, cluster_at_backup};
use crate::app::{Error, ResourceId, Result};
use crate::store::{JobRow, RecoveryPointRow};

/// Published name of the tier that the blob container is.
const OPERATIONAL_STORE: &str = "OperationalStore";

/// The row of the recovery point of a backup whose manifest was read. `body` holds the published
/// document under `properties`, the types that the cluster served under `servedTypes`, where the
/// repository is under `repository` and the moment of the schedule under `scheduledFor`. Tag and expiry
/// are settled when it is written, see [`crate::app::retention`].
pub fn of_backup(
    job: &JobRow,
    request: &Request,
    outcome: &Outcome,
    point: &Point,
) -> Result<Option<RecoveryPointRow>> {
    let Request::Backup {
        about,
        recovery_point_id,
        repository,
        retention_tag,
        expires_at,
        scheduled_for,
        ..
    } = request
    else {
        return Ok(None);
    };
    let created = point.created();
    // Runs that are about something beside the objects, as volumes, hold none.
    let of_objects = point
        .runs()
        .iter()
        .filter(|run| run.header.get("about").is_none());
    let objects: u64 = of_objects.map(|run| run.entries).sum();
    let bytes: u64 = point.runs().iter().map(|run| run.bytes).sum();
    let policy = about.policy_id.clone().map(ResourceId::published);
    let store = RecoveryPointDataStoreDetails {
        id: Some(recovery_point_id.to_string()),
        ..committed(created, *expires_at)
    };
    let state = if outcome.with_warnings {
        RecoveryPointCompletionState::Partial
    } else {
        RecoveryPointCompletionState::Completed
    };
    let mut cluster = cluster_at_backup::of_point(point);
    let served_types = cluster
        .as_mut()
        .and_then(|cluster| cluster.served_types.take());
    let properties =
        RecoveryPoint::AzureBackupDiscreteRecoveryPoint(AzureBackupDiscreteRecoveryPoint {
            friendly_name: Some(about.instance_name.clone()),
            recovery_point_data_stores_details: Some(vec![store]),
            recovery_point_time: created,
            policy_name: policy.as_ref().map(|policy| policy.name().to_owned()),
            recovery_point_id: Some(recovery_point_id.to_string()),
            // Every recovery point is restorable by itself, whatever it shares with others.
            recovery_point_type: Some("Full".to_owned()),
            retention_tag_name: Some(retention_tag.clone()).filter(|tag| !tag.is_empty()),
            expiry_time: *expires_at,
            recovery_point_state: Some(state),
            manifest_digest: Some(point.digest().to_owned()),
            object_count: Some(objects),
            size_in_bytes: Some(bytes),
            new_bytes: Some(outcome.new_bytes),
            volumes: point.header()["volumes"].as_u64(),
            volume_groups: point.header()["volumeGroups"].as_u64(),
            job_id: Some(job.id.to_string()),
            consistency: outcome.cut.clone(),
            cluster,
            ..AzureBackupDiscreteRecoveryPoint::default()
        });
    let properties = serde_json::to_value(properties)
        .map_err(Error::unexpected("serialise a recovery point"))?;
    Ok(Some(RecoveryPointRow {
        id: *recovery_point_id,
        instance_key: job.instance_key.clone(),
        vault_key: job.vault_key.clone(),
        job_id: job.id,
        created_at: created,
        expires_at: *expires_at,
        body: json!({
            "properties": properties, "repository": repository, "scheduledFor": scheduled_for,
            "servedTypes": served_types,
        }),
        expiring_since: None,
    }))
}

/// The tier that the blob container is.
fn committed(created: Timestamp, expires_at: Option<Timestamp>) -> RecoveryPointDataStoreDetails {
    RecoveryPointDataStoreDetails {
        creation_time: Some(created),
        expiry_time: expires_at,
        state: Some("COMMITTED".to_owned()),
        store_type: Some(OPERATIONAL_STORE.to_owned()),
        visible: Some(true),
        ..RecoveryPointDataStoreDetails::default()
    }
}
