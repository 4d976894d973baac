//! `strongroom vault create`.

use std::collections::BTreeMap;

use strongroom_api::vault::{
    BackupVault, BackupVaultResource, DataStoreType, SecuritySettings, SoftDeleteSettings,
    SoftDeleteState, StorageRedundancy, StorageSetting,
};

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the vault
    name: String,
    /// How redundantly recovery points are kept; fixed once set
    #[arg(long, value_enum, default_value_t)]
    redundancy: Redundancy,
    /// What a delete does
    #[arg(long, value_enum)]
    soft_delete: Option<SoftDelete>,
    /// A label of your own; may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = super::super::key_value)]
    tags: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Redundancy {
    /// One place
    #[default]
    Local,
    /// Several zones of the location
    Zone,
    /// Two locations
    Geo,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum SoftDelete {
    /// Final
    Off,
    /// Can be undone for a while
    On,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let redundancy = match self.redundancy {
            Redundancy::Local => StorageRedundancy::LocallyRedundant,
            Redundancy::Zone => StorageRedundancy::ZoneRedundant,
            Redundancy::Geo => StorageRedundancy::GeoRedundant,
        };
        let soft_delete = self.soft_delete.map(|choice| match choice {
            SoftDelete::Off => SoftDeleteState::Off,
            SoftDelete::On => SoftDeleteState::On,
        });
        let properties = BackupVault {
            storage_settings: Some(vec![StorageSetting {
                datastore_type: Some(DataStoreType::VaultStore),
                redundancy: Some(redundancy),
            }]),
            security_settings: soft_delete.map(|state| SecuritySettings {
                soft_delete_settings: Some(SoftDeleteSettings {
                    state: Some(state),
                    retention_duration_in_days: None,
                }),
                ..SecuritySettings::default()
            }),
            ..BackupVault::default()
        };
        let tags: BTreeMap<String, String> = self.tags.into_iter().collect();
        let body = BackupVaultResource {
            location: Some(session.location().await?),
            tags: (!tags.is_empty()).then_some(tags),
            ..BackupVaultResource::of(properties)
        };
        let running = session.client()?.vaults(&session.group()?).put(&self.name, &body).await?;
        let vault = session.finish(&format!("vault {}", self.name), running).await?;
        session.show(super::COLUMNS, &vault)
    }
}
