//! `strongroom recovery-point`.

use strongroom_api::recovery_point::{
    AzureBackupDiscreteRecoveryPoint, RecoveryPoint, RecoveryPointResource,
};

use crate::output::{self, Columns};

super::verbs! {
    /// List the recovery points of an instance
    List(list),
    /// Show a recovery point
    Show(show),
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
];

/// The part that is about the point itself.
pub(super) fn own(point: &RecoveryPointResource) -> &AzureBackupDiscreteRecoveryPoint {
    let RecoveryPoint::AzureBackupDiscreteRecoveryPoint(own) = &point.properties;
    own
}
