//! `strongroom recovery-point show`.

use strongroom_api::recovery_point::{
    AzureBackupDiscreteRecoveryPoint, ClusterAtBackup, ServedType,
};

use crate::error::CliError;
use crate::output::{self, Columns, Format};
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recovery point: id, or latest
    name: String,
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
    /// Instance: name or id
    #[arg(long)]
    instance: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let instance_id = session.vault_child(&self.vault, "backupInstances", &self.instance)?;
        let name = super::named(session, &instance_id, &self.name).await?;
        let found = session.client()?.recovery_points(&instance_id).get(&name).await?;
        session.show(super::COLUMNS, &found)?;
        let is_table = matches!(session.args.output, Format::Table);
        if let Some(told) = volumes(super::own(&found)).filter(|_| is_table) {
            session.say(&told);
        }
        match &super::own(&found).cluster {
            Some(cluster) if is_table => versions(session, cluster),
            _ => Ok(()),
        }
    }
}

/// What there is of volumes; none when there is nothing.
fn volumes(point: &AzureBackupDiscreteRecoveryPoint) -> Option<String> {
    let snapshots = point.volumes.filter(|count| *count > 0)?;
    let groups = match point.volume_groups.unwrap_or_default() {
        0 => String::new(),
        1 => "; those of 1 group hold one instant".to_owned(),
        several => format!("; those of each of {several} groups hold one instant"),
    };
    let plural = if snapshots == 1 { "" } else { "s" };
    Some(format!("{snapshots} volume snapshot{plural}{groups}"))
}

const TYPES: Columns<ServedType> = &[
    ("TYPE", |one| one.resource.clone()),
    ("PREFERRED", |one| one.preferred_version.clone()),
    ("SERVED", |one| one.served_versions.join(",")),
    ("HELD AS", |one| {
        output::or_nothing(one.held_version.as_deref())
    }),
];

/// The cluster, and the types of which it served more than one version: those that may have another
/// one elsewhere. All of them would be a page of `v1`.
fn versions(session: &Session<'_>, cluster: &ClusterAtBackup) -> Result<(), CliError> {
    let types = cluster.served_types.as_deref().unwrap_or_default();
    let several: Vec<ServedType> = types
        .iter()
        .filter(|one| one.served_versions.len() > 1)
        .cloned()
        .collect();
    if !several.is_empty() {
        let table = output::list(Format::Table, TYPES, &several)?;
        session.terminal.data(&format!("\n{table}"))?;
    }
    session.say(&format!(
        "made of Kubernetes {} ({}), which served {} types, {} of them in more than one version; \
         -o json has all",
        output::or_nothing(cluster.version.as_deref()),
        output::or_nothing(cluster.platform.as_deref()),
        types.len(),
        several.len(),
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_told_with_the_groups_that_hold_one_instant() {
        let told = |snapshots: u64, groups: Option<u64>| {
            volumes(&AzureBackupDiscreteRecoveryPoint {
                volumes: Some(snapshots),
                volume_groups: groups,
                ..AzureBackupDiscreteRecoveryPoint::default()
            })
        };
        assert_eq!(told(0, None), None);
        assert_eq!(told(1, None).as_deref(), Some("1 volume snapshot"));
        let one = "3 volume snapshots; those of 1 group hold one instant";
        assert_eq!(told(3, Some(1)).as_deref(), Some(one));
        let two = "5 volume snapshots; those of each of 2 groups hold one instant";
        assert_eq!(told(5, Some(2)).as_deref(), Some(two));
    }
}
