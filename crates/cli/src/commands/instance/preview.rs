//! `strongroom instance preview`.

use strongroom_api::instance::{BackupInstance, PolicyInfo};
use strongroom_api::preview::{BackupPreview, PreviewBackupRequest, PreviewedType};

use super::configuration::{BackedUpArgs, datasource, parameters};
use crate::error::CliError;
use crate::output::{self, Columns, Format};
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
    /// Instance whose configuration to start from: name or id
    #[arg(long, value_name = "INSTANCE")]
    name: Option<String>,
    /// Cluster: name or id [default: the instance's]
    #[arg(long, required_unless_present = "name")]
    cluster: Option<String>,
    #[command(flatten)]
    backed_up: BackedUpArgs,
}

const COLUMNS: Columns<PreviewedType> = &[
    ("TYPE", type_name),
    ("TAKEN", |one| one.taken.to_string()),
    ("SIZE", |one| output::bytes(Some(one.bytes))),
    ("LEFT", |one| left_of(one).to_string()),
    ("WHY", why),
];

/// `deployment.apps`, or the kind alone in the core group.
fn type_name(one: &PreviewedType) -> String {
    match one.group.as_str() {
        "" => one.kind.clone(),
        group => format!("{}.{group}", one.kind),
    }
}

fn left_of(one: &PreviewedType) -> u64 {
    one.left.iter().map(|left| left.objects).sum::<u64>() + one.failed
}

fn why(one: &PreviewedType) -> String {
    let rules = one
        .left
        .iter()
        .map(|left| format!("{}: {}", left.objects, left.reason));
    let failed = (one.failed > 0).then(|| format!("{}: could not be read", one.failed));
    let all: Vec<String> = rules.chain(failed).collect();
    if all.is_empty() {
        output::NOTHING.to_owned()
    } else {
        all.join("; ")
    }
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let vault_id = session.vault_id(&self.vault)?;
        let backup_instance = self.instance(session, &vault_id).await?;
        let request = PreviewBackupRequest { backup_instance };
        let running = session
            .client()?
            .preview_backup(&vault_id, &request)
            .await?;
        let preview = session.finish("counting", running).await?;
        show(session, &preview)
    }

    /// The instance to preview: one that there is with what was given in its place, or a new one.
    async fn instance(
        self,
        session: &Session<'_>,
        vault_id: &str,
    ) -> Result<BackupInstance, CliError> {
        let mut instance = match &self.name {
            None => BackupInstance {
                object_type: "BackupInstance".to_owned(),
                ..BackupInstance::default()
            },
            Some(name) => {
                let id = session.vault_child(&self.vault, "backupInstances", name)?;
                let name = strongroom_api::client::id::name(&id);
                session
                    .client()?
                    .instances(vault_id)
                    .get(name)
                    .await?
                    .properties
            }
        };
        if let Some(cluster) = &self.cluster {
            instance.data_source_info = datasource(session, cluster).await?;
        }
        let PolicyInfo {
            policy_parameters, ..
        } = &mut instance.policy_info;
        let before = policy_parameters
            .as_ref()
            .and_then(|before| before.kubernetes())
            .cloned();
        *policy_parameters = Some(parameters(None, self.backed_up, before.unwrap_or_default()));
        Ok(instance)
    }
}

fn show(session: &Session<'_>, preview: &BackupPreview) -> Result<(), CliError> {
    let text = match session.args.output {
        Format::Table => {
            let counted = preview
                .types
                .iter()
                .filter(|one| one.taken > 0 || left_of(one) > 0);
            let counted: Vec<PreviewedType> = counted.cloned().collect();
            output::list(Format::Table, COLUMNS, &counted)?
        }
        format => output::item(format, &[], preview)?,
    };
    session.terminal.data(&text)?;
    let not_read: Vec<String> = preview
        .types
        .iter()
        .filter(|one| one.not_read.is_some())
        .map(type_name)
        .collect();
    if !not_read.is_empty() {
        session.say(&format!(
            "not read (-o json says why): {}",
            not_read.join(", ")
        ));
    }
    if let Some(more) = preview.left_off {
        session.say(&format!("{more} more types and warnings are not shown"));
    }
    super::tell(session, &preview.warnings);
    session.say(&format!(
        "a backup would take {} objects ({}) and leave {}; nothing was changed",
        preview.taken,
        output::bytes(Some(preview.bytes)),
        preview.left,
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use strongroom_api::preview::LeftByRule;

    use super::*;

    #[test]
    fn a_row_says_what_is_left_and_why() {
        let one = PreviewedType {
            group: "apps".to_owned(),
            kind: "Deployment".to_owned(),
            taken: 3,
            failed: 1,
            left: vec![LeftByRule {
                reason: "its labels do not match".to_owned(),
                objects: 2,
            }],
            ..PreviewedType::default()
        };
        assert_eq!(type_name(&one), "Deployment.apps");
        assert_eq!(left_of(&one), 3);
        assert_eq!(
            why(&one),
            "2: its labels do not match; 1: could not be read"
        );
        assert_eq!(why(&PreviewedType::default()), output::NOTHING);
    }
}
