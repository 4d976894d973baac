//! `strongroom vault undelete`.

use strongroom_api::vault::BackupVaultResource;

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name that the vault had
    name: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let group = session.group()?;
        let location = session.location().await?;
        let client = session.client()?;
        let deleted = client.deleted_vaults(&group.subscription, &location).list()?.all().await?;
        let id = group.vault(&self.name);
        let found = deleted
            .into_iter()
            .find(|deleted| deleted.properties.original_backup_vault_id.eq_ignore_ascii_case(&id));
        let Some(found) = found else {
            let message = format!("no deleted vault '{}' can be brought back in '{location}'", self.name);
            return Err(CliError::invalid(message, "Look with: strongroom vault list --deleted"));
        };
        let named = found.id.clone().unwrap_or_default();
        let mut vault = BackupVaultResource::of(found.properties.vault);
        vault.location = Some(location);
        let vault = client.undelete_vault(&id, &named, &vault).await?;
        session.show(super::COLUMNS, &vault)?;
        session.say("it is back; its deleted instances stay so until 'strongroom instance undelete'");
        Ok(())
    }
}
