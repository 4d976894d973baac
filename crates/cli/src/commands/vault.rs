//! `strongroom vault`.

use strongroom_api::vault::{
    BackupVaultResource, DeletedBackupVaultResource, ImmutabilitySettings, ImmutabilityState,
    SoftDeleteState,
};

use crate::output::{self, Columns};

/// What may become of recovery points before their time.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Immutability {
    /// They may be deleted, and their retention shortened
    Disabled,
    /// They may not; this setting can be taken back
    Unlocked,
    /// They may not, and nobody can take that back
    Locked,
}

impl From<Immutability> for ImmutabilitySettings {
    fn from(choice: Immutability) -> Self {
        let state = match choice {
            Immutability::Disabled => ImmutabilityState::Disabled,
            Immutability::Unlocked => ImmutabilityState::Unlocked,
            Immutability::Locked => ImmutabilityState::Locked,
        };
        Self { state: Some(state) }
    }
}

super::verbs! {
    /// Create a vault, or change one
    Create(create),
    /// Change settings of a vault and leave the others
    Update(update),
    /// Show a vault
    Show(show),
    /// List the vaults of the resource group
    List(list),
    /// Delete an empty vault
    Delete(delete),
    /// Bring a deleted vault back
    Undelete(undelete),
}

/// What a delete does.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum SoftDelete {
    /// It is final
    Off,
    /// It can be undone for a while
    On,
    /// As on, and nobody can take that back
    AlwaysOn,
}

impl From<SoftDelete> for SoftDeleteState {
    fn from(choice: SoftDelete) -> Self {
        match choice {
            SoftDelete::Off => Self::Off,
            SoftDelete::On => Self::On,
            SoftDelete::AlwaysOn => Self::AlwaysOn,
        }
    }
}

/// Columns of a vault that is deleted and can be brought back.
const DELETED_COLUMNS: Columns<DeletedBackupVaultResource> = &[
    ("NAME", |vault| {
        vault.properties.original_backup_vault_name.clone()
    }),
    ("DELETED", |vault| {
        output::instant(vault.properties.resource_deletion_info.deletion_time)
    }),
    ("GONE FOR GOOD", |vault| {
        output::instant(vault.properties.resource_deletion_info.scheduled_purge_time)
    }),
    ("ID", |vault| output::or_nothing(vault.id.as_deref())),
];

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
    ("IMMUTABILITY", |vault| {
        let security = vault.properties.security_settings.as_ref();
        let settings = security.and_then(|security| security.immutability_settings.as_ref());
        let state = settings.and_then(|settings| settings.state);
        output::or_nothing(state.map(|state| format!("{state:?}")).as_deref())
    }),
    ("STATE", |vault| {
        output::or_nothing(vault.properties.provisioning_state.as_deref())
    }),
];
