//! `strongroom cluster grant`.

use strongroom_api::client::id;
use strongroom_api::trusted_access::{BACKUP_OPERATOR, TrustedAccessRoleBinding, TrustedAccessRoleBindingResource};

use crate::error::CliError;
use crate::output::{self, Columns};
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Cluster: name or id
    name: String,
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
    /// Name of the binding [default: the vault's name]
    #[arg(long, value_name = "NAME")]
    binding: Option<String>,
}

const COLUMNS: Columns<TrustedAccessRoleBindingResource> = &[
    ("NAME", |binding| output::or_nothing(binding.name.as_deref())),
    ("VAULT", |binding| id::name(&binding.properties.source_resource_id).to_owned()),
    ("ROLES", |binding| binding.properties.roles.join(",")),
    ("STATE", |binding| output::or_nothing(binding.properties.provisioning_state.as_deref())),
];

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let vault_id = session.vault_id(&self.vault)?;
        let cluster_id = session.cluster_id(&self.name).await?;
        let name = self.binding.as_deref().unwrap_or_else(|| id::name(&vault_id));
        let body = TrustedAccessRoleBindingResource::of(TrustedAccessRoleBinding {
            provisioning_state: None,
            source_resource_id: vault_id.clone(),
            roles: vec![BACKUP_OPERATOR.to_owned()],
        });
        let running = session.client()?.trusted_access(&cluster_id).put(name, &body).await?;
        let binding = session.finish(&format!("access of {}", id::name(&vault_id)), running).await?;
        session.show(COLUMNS, &binding)
    }
}
