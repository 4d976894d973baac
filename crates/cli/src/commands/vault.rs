//! `strongroom vault`.

use strongroom_api::vault::BackupVaultResource;

use crate::output::{self, Columns};

super::verbs! {
    /// Create a vault, or change one
    Create(create),
    /// Show a vault
    Show(show),
    /// List the vaults of the resource group
    List(list),
    /// Delete an empty vault
    Delete(delete),
}

const COLUMNS: Columns<BackupVaultResource> = &[
    ("NAME", |vault| output::or_nothing(vault.name.as_deref())),
    ("LOCATION", |vault| {
        output::or_nothing(vault.location.as_deref())
    }),
    ("STORAGE", |vault| {
        let settings = vault
            .properties
            .storage_settings
            .as_deref()
            .unwrap_or_default();
        let text: Vec<String> = settings
            .iter()
            .filter_map(|setting| {
                Some(format!(
                    "{:?}/{:?}",
                    setting.datastore_type?, setting.redundancy?
                ))
            })
            .collect();
        output::or_nothing(Some(&text.join(",")))
    }),
    ("STATE", |vault| {
        output::or_nothing(vault.properties.provisioning_state.as_deref())
    }),
];
