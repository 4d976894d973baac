//! `strongroom instance assign-missing-roles`: gives a vault and the extension the rights that backups of a
//! cluster need and that are missing, and says what it did. Asked for again, it changes nothing.

use strongroom_api::client::id;
use strongroom_api::instance::BackupInstance;
use strongroom_api::missing_roles::{
    AssignMissingRolesOptions, AssignMissingRolesRequest, AssignedRole, RoleState,
};

use crate::error::CliError;
use crate::output::{self, Columns};
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Instance; for one that does not exist yet, name its cluster instead
    #[arg(required_unless_present = "cluster")]
    name: Option<String>,
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
    /// Cluster that is to be protected: name or id
    #[arg(long, conflicts_with = "name")]
    cluster: Option<String>,
    /// Say what is missing and change nothing
    #[arg(long)]
    dry_run: bool,
}

const COLUMNS: Columns<AssignedRole> = &[
    ("ROLE", |role| role.role.clone()),
    ("OF", |role| id::name(&role.principal).to_owned()),
    ("ON", |role| id::name(&role.scope).to_owned()),
    ("STATE", |role| format!("{:?}", role.state)),
    ("DETAIL", |role| output::or_nothing(role.detail.as_deref())),
];

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let client = session.client()?;
        let dry_run = self.dry_run;
        let assigned = match (self.name, self.cluster) {
            (_, Some(cluster)) => {
                let backup_instance = BackupInstance {
                    data_source_info: super::datasource(session, &cluster).await?,
                    object_type: "BackupInstance".to_owned(),
                    ..BackupInstance::default()
                };
                let request = AssignMissingRolesRequest { backup_instance, dry_run };
                client.assign_missing_roles(&session.vault_id(&self.vault)?, &request).await?
            }
            (name, None) => {
                let name = name.unwrap_or_default();
                let instance = session.vault_child(&self.vault, "backupInstances", &name)?;
                let options = AssignMissingRolesOptions { dry_run };
                client.assign_missing_roles_of(&instance, &options).await?
            }
        };
        session.show_all(COLUMNS, &assigned.roles)?;
        super::tell(session, &assigned.not_assignable);
        let count = |state| assigned.roles.iter().filter(|role| role.state == state).count();
        let missing = count(RoleState::Missing);
        session.say(&if dry_run && missing > 0 {
            format!("{missing} missing; without --dry-run they are given")
        } else {
            match count(RoleState::Assigned) {
                0 if missing + count(RoleState::Failed) == 0 => "nothing is missing".to_owned(),
                given => format!("{given} given"),
            }
        });
        match count(RoleState::Failed) + assigned.not_assignable.len() {
            0 => Ok(()),
            problems => Err(CliError::Unhealthy(problems)),
        }
    }
}
