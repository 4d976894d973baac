//! `strongroom recovery-point`.

use strongroom_api::client::id;
use strongroom_api::recovery_point::{
    AzureBackupDiscreteRecoveryPoint, RecoveryPoint, RecoveryPointResource,
};

use crate::error::CliError;
use crate::output::{self, Columns};
use crate::session::Session;

super::verbs! {
    /// List the recovery points of an instance
    List(list),
    /// Show a recovery point
    Show(show),
    /// Read all of a recovery point and say what is not as it was written
    Verify(verify),
}

const COLUMNS: Columns<RecoveryPointResource> = &[
    ("ID", |point| output::or_nothing(point.name.as_deref())),
    ("TIME", |point| {
        output::instant(Some(own(point).recovery_point_time))
    }),
    ("TAG", |point| {
        output::or_nothing(own(point).retention_tag_name.as_deref())
    }),
    ("EXPIRES", |point| output::instant(own(point).expiry_time)),
    ("TIERS", |point| {
        let stores = own(point)
            .recovery_point_data_stores_details
            .as_deref()
            .unwrap_or_default();
        let names: Vec<&str> = stores
            .iter()
            .filter_map(|store| store.store_type.as_deref())
            .collect();
        output::or_nothing(Some(&names.join(",")))
    }),
    ("OBJECTS", |point| {
        own(point)
            .object_count
            .map_or_else(|| output::NOTHING.to_owned(), |count| count.to_string())
    }),
    ("SIZE", |point| output::bytes(own(point).size_in_bytes)),
    ("NEW", |point| output::bytes(own(point).new_bytes)),
    ("STATE", |point| {
        own(point)
            .recovery_point_state
            .map_or_else(|| output::NOTHING.to_owned(), |state| format!("{state:?}"))
    }),
    ("VERIFIED", |point| {
        own(point).verification.as_ref().map_or_else(
            || output::NOTHING.to_owned(),
            |found| format!("{:?}", found.state),
        )
    }),
];

/// Stands for the newest recovery point.
const LATEST: &str = "latest";

/// The name of a recovery point, from an id, a name or [`LATEST`].
pub(super) async fn named(
    session: &Session<'_>,
    instance_id: &str,
    point: &str,
) -> Result<String, CliError> {
    if point != LATEST {
        return Ok(id::name(point).to_owned());
    }
    // The newest one, whatever the order of the list.
    let mut pages = session.client()?.recovery_points(instance_id).list()?;
    let mut newest = None;
    while let Some(points) = pages.next().await? {
        newest = points
            .into_iter()
            .chain(newest)
            .max_by_key(|point| own(point).recovery_point_time);
    }
    newest.and_then(|point| point.name).ok_or_else(|| {
        CliError::not_found(
            format!("'{}' has no recovery point", id::name(instance_id)),
            "Make one: strongroom backup start INSTANCE --vault VAULT.",
        )
    })
}

/// The part that is about the point itself.
pub(super) fn own(point: &RecoveryPointResource) -> &AzureBackupDiscreteRecoveryPoint {
    let RecoveryPoint::AzureBackupDiscreteRecoveryPoint(own) = &point.properties;
    own
}
