//! `strongroom policy create`.

use std::path::PathBuf;

use strongroom_api::policy::{BackupPolicyResource, PolicyProperties};
use strongroom_api::policy_template;

use crate::error::CliError;
use crate::local_file;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the policy
    name: String,
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
    /// How often, as an ISO 8601 duration of at least PT5M
    #[arg(long, default_value = policy_template::INTERVAL, value_name = "DURATION")]
    interval: String,
    /// How long recovery points are kept, as an ISO 8601 duration
    #[arg(long, default_value = policy_template::RETENTION, value_name = "DURATION")]
    retention: String,
    /// From when on the interval counts (RFC 3339)
    #[arg(long, default_value = policy_template::START, value_name = "TIME")]
    start: String,
    /// The whole policy as YAML or JSON instead: a resource, or its properties (`-`: standard input)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["interval", "retention", "start"])]
    file: Option<PathBuf>,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let properties = match &self.file {
            Some(path) => from_text(&local_file::read(path)?)?,
            None => PolicyProperties::BackupPolicy(policy_template::kubernetes(
                &self.start,
                &self.interval,
                &self.retention,
            )),
        };
        let policies = session.client()?.policies(&session.vault_id(&self.vault)?);
        let running = policies.put(&self.name, &BackupPolicyResource::of(properties)).await?;
        let policy = session.finish(&format!("policy {}", self.name), running).await?;
        session.show(super::COLUMNS, &policy)
    }
}

pub(super) fn from_text(text: &str) -> Result<PolicyProperties, CliError> {
    let refused = |message: String| {
        CliError::invalid(
            format!("the file is not a policy: {message}"),
            "Start from the default: strongroom policy create …, then strongroom policy show NAME -o yaml.",
        )
    };
    let value: serde_json::Value = serde_norway::from_str(text).map_err(|error| refused(error.to_string()))?;
    let properties = value.get("properties").cloned().unwrap_or(value);
    strongroom_api::decode::decode_value(properties).map_err(|error| refused(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_a_resource_or_its_properties() {
        let template = policy_template::kubernetes(policy_template::START, "PT5M", "P1D");
        let properties = PolicyProperties::BackupPolicy(template);
        let resource = BackupPolicyResource::of(properties.clone());
        let alone = serde_norway::to_string(&properties).unwrap();
        let whole = serde_json::to_string(&resource).unwrap();
        assert_eq!(from_text(&alone).unwrap(), properties);
        assert_eq!(from_text(&whole).unwrap(), properties);
    }

    #[test]
    fn a_file_that_is_none_is_told() {
        for (text, expected) in [("[", "not a policy"), ("{}", "objectType is missing"), ("objectType: X", "accepted: 'BackupPolicy'")] {
            let error = from_text(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
