//! `strongroom instance`.

use strongroom_api::client::id;
use strongroom_api::error::UserFacingError;
use strongroom_api::instance::BackupInstanceResource;

use crate::error::CliError;
use crate::output::{self, Columns};
use crate::session::Session;

mod configuration;

pub(super) use configuration::{datasource, namespaced};

super::verbs! {
    /// Protect a cluster by a policy
    Create(create),
    /// Check whether a cluster could be protected so; changes nothing
    Validate(validate),
    /// Give the rights that validation finds missing
    AssignMissingRoles(assign_missing_roles),
    /// Count what a backup would take; changes nothing
    Preview(preview),
    /// Show an instance
    Show(show),
    /// List the instances of a vault
    List(list),
    /// Rest the schedule; recovery points go on to expire
    Suspend(suspend),
    /// Stop the protection and keep every recovery point
    Stop(stop),
    /// Protect again what was suspended or stopped
    Resume(resume),
    /// Try again what failed when the protection was configured
    Sync(sync),
    /// Delete an instance and its recovery points
    Delete(delete),
    /// Bring a deleted instance back
    Undelete(undelete),
}

/// Does something to the protection of an instance, and shows what became of it.
async fn change(
    session: &Session<'_>,
    vault: &str,
    name: &str,
    action: &str,
) -> Result<(), CliError> {
    let instance_id = session.vault_child(vault, "backupInstances", name)?;
    let client = session.client()?;
    let running = client.change_protection(&instance_id, action).await?;
    session.finish(&format!("instance {name}"), running).await?;
    let instances = client.instances(&session.vault_id(vault)?);
    let found = instances.get(id::name(&instance_id)).await?;
    session.show(COLUMNS, &found)
}

/// Says what is worth a look.
fn tell(session: &Session<'_>, warnings: &[UserFacingError]) {
    for warning in warnings {
        let code = warning.code.as_deref().unwrap_or("Warning");
        let message = warning.message.as_deref().unwrap_or_default();
        session.say(&format!("warning[{code}]: {message}"));
        for action in warning.recommended_action.iter().flatten() {
            let action = action.lines().collect::<Vec<_>>().join(" ");
            session.say(&format!("  what to do: {action}"));
        }
    }
}

/// Columns of an instance that is deleted and can be brought back.
const DELETED_COLUMNS: Columns<BackupInstanceResource> = &[
    ("NAME", |instance| {
        output::or_nothing(instance.name.as_deref())
    }),
    ("CLUSTER", |instance| {
        id::name(&instance.properties.data_source_info.resource_id).to_owned()
    }),
    ("DELETED", |instance| {
        let info = instance.properties.deletion_info.as_ref();
        output::instant(info.and_then(|info| info.deletion_time))
    }),
    ("GONE FOR GOOD", |instance| {
        let info = instance.properties.deletion_info.as_ref();
        output::instant(info.and_then(|info| info.scheduled_purge_time))
    }),
];

const COLUMNS: Columns<BackupInstanceResource> = &[
    ("NAME", |instance| {
        output::or_nothing(instance.name.as_deref())
    }),
    ("CLUSTER", |instance| {
        id::name(&instance.properties.data_source_info.resource_id).to_owned()
    }),
    ("POLICY", |instance| {
        id::name(&instance.properties.policy_info.policy_id).to_owned()
    }),
    ("PROTECTION", |instance| {
        let state = instance.properties.current_protection_state;
        state.map_or_else(|| output::NOTHING.to_owned(), |state| format!("{state:?}"))
    }),
    ("STATE", |instance| {
        output::or_nothing(instance.properties.provisioning_state.as_deref())
    }),
    ("NEXT BACKUP", |instance| {
        let schedule = instance.properties.schedule_status.as_ref();
        let Some(schedule) = schedule else {
            return output::NOTHING.to_owned();
        };
        match schedule.next_backup_time {
            Some(time) => output::instant(Some(time)),
            None => format!("{:?}", schedule.state),
        }
    }),
];
