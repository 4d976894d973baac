//! `strongroom vault update`.

use strongroom_api::vault::{
    BackupVaultPatch, BackupVaultPatchProperties, SecuritySettings, SoftDeleteSettings,
};

use super::{Immutability, SoftDelete};
use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("change").required(true).multiple(true)))]
pub struct Args {
    /// Name of the vault
    name: String,
    /// What a delete does
    #[arg(long, value_enum, group = "change")]
    soft_delete: Option<SoftDelete>,
    /// For how many days a delete can be undone, 14 to 180
    #[arg(long, value_name = "DAYS", group = "change")]
    soft_delete_days: Option<u8>,
    /// What may become of recovery points before their time; locked is for good
    #[arg(long, value_enum, group = "change")]
    immutability: Option<Immutability>,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let soft_delete = SoftDeleteSettings {
            state: self.soft_delete.map(Into::into),
            retention_duration_in_days: self.soft_delete_days.map(f64::from),
        };
        let security = SecuritySettings {
            soft_delete_settings: (soft_delete != SoftDeleteSettings::default())
                .then_some(soft_delete),
            immutability_settings: self.immutability.map(Into::into),
            ..SecuritySettings::default()
        };
        let patch = BackupVaultPatch {
            properties: Some(BackupVaultPatchProperties {
                security_settings: Some(security),
                ..BackupVaultPatchProperties::default()
            }),
            ..BackupVaultPatch::default()
        };
        let vault = session.group()?.vault(&self.name);
        let vault = session.client()?.update_vault(&vault, &patch).await?;
        session.show(super::COLUMNS, &vault)
    }
}
