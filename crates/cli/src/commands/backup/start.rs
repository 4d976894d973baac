//! `strongroom backup start`.

use strongroom_api::client::{Client, id};
use strongroom_api::instance::{AdHocBackupRuleOptions, AdhocBackupTriggerOption, TriggerBackupRequest};
use strongroom_api::policy::{PolicyProperties, PolicyRule};

use crate::error::CliError;
use crate::session::Session;
use crate::wait::{self, WaitArgs};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Instance: name or id
    instance: String,
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
    /// Retention tag of the recovery point [default: Default]
    #[arg(long, value_name = "TAG")]
    retention_tag: Option<String>,
    /// Backup rule of the policy [default: its first]
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    #[command(flatten)]
    wait: WaitArgs,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let client = session.client()?;
        let vault_id = session.vault_id(&self.vault)?;
        let instance_id = session.vault_child(&self.vault, "backupInstances", &self.instance)?;
        let rule_name = match self.rule {
            Some(rule) => rule,
            None => first_rule(&client, &vault_id, &instance_id).await?,
        };
        let request = TriggerBackupRequest {
            backup_rule_options: AdHocBackupRuleOptions {
                rule_name,
                trigger_option: AdhocBackupTriggerOption { retention_tag_override: self.retention_tag },
            },
        };
        let running = client.start_backup(&instance_id, &request).await?;
        let title = format!("backup of {}", id::name(&instance_id));
        wait::started(session, &vault_id, running, self.wait, &title).await
    }
}

/// The name of the first backup rule of the instance's policy.
async fn first_rule(client: &Client, vault_id: &str, instance_id: &str) -> Result<String, CliError> {
    let instance = client.instances(vault_id).get(id::name(instance_id)).await?;
    let policy_id = instance.properties.policy_info.policy_id;
    let policy = client.policies(vault_id).get(id::name(&policy_id)).await?;
    let PolicyProperties::BackupPolicy(policy) = policy.properties;
    let rule = policy.policy_rules.iter().find_map(|rule| match rule {
        PolicyRule::AzureBackupRule(rule) => Some(rule.name.clone()),
        PolicyRule::AzureRetentionRule(_) => None,
    });
    rule.ok_or_else(|| {
        CliError::invalid(
            format!("policy '{}' has no backup rule", id::name(&policy_id)),
            "Give the policy a backup rule, then try again.",
        )
    })
}
