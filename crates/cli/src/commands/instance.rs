//! `strongroom instance`.

use strongroom_api::client::id;
use strongroom_api::instance::BackupInstanceResource;

use crate::output::{self, Columns};

mod configuration;

pub(super) use configuration::namespaced;

super::verbs! {
    /// Protect a cluster by a policy
    Create(create),
    /// Check whether a cluster could be protected so; changes nothing
    Validate(validate),
    /// Show an instance
    Show(show),
    /// List the instances of a vault
    List(list),
    /// Delete an instance and its recovery points
    Delete(delete),
}

const COLUMNS: Columns<BackupInstanceResource> = &[
    ("NAME", |instance| {
        output::or_nothing(instance.name.as_deref())
    }),
    ("CLUSTER", |instance| {
        id::name(&instance.properties.data_source_info.resource_id).to_owned()
    }),
    ("POLICY", |instance| {
        id::name(&instance.properties.policy_info.policy_id).to_owned()
    }),
    ("PROTECTION", |instance| {
        let state = instance.properties.current_protection_state;
        state.map_or_else(|| output::NOTHING.to_owned(), |state| format!("{state:?}"))
    }),
    ("STATE", |instance| {
        output::or_nothing(instance.properties.provisioning_state.as_deref())
    }),
];
