//! `strongroom vault create`.

use std::collections::BTreeMap;

use strongroom_api::vault::{
    BackupVault, BackupVaultResource, DataStoreType, SecuritySettings, SoftDeleteSettings,
    StorageRedundancy, StorageSetting,
};

use super::{Immutability, SoftDelete};

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
    /// What may become of recovery points before their time
    #[arg(long, value_enum)]
    immutability: Option<Immutability>,
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

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let redundancy = match self.redundancy {
            Redundancy::Local => StorageRedundancy::LocallyRedundant,
            Redundancy::Zone => StorageRedundancy::ZoneRedundant,
            Redundancy::Geo => StorageRedundancy::GeoRedundant,
        };
        let security = SecuritySettings {
            soft_delete_settings: self.soft_delete.map(|choice| SoftDeleteSettings {
                state: Some(choice.into()),
                retention_duration_in_days: None,
            }),
            immutability_settings: self.immutability.map(Into::into),
            ..SecuritySettings::default()
        };
        let properties = BackupVault {
            storage_settings: Some(vec![StorageSetting {
                datastore_type: Some(DataStoreType::VaultStore),
                redundancy: Some(redundancy),
            }]),
            security_settings: (security != SecuritySettings::default()).then_some(security),
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
