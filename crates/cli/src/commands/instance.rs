//! `strongroom instance`.

use strongroom_api::client::id;
use strongroom_api::error::UserFacingError;
use strongroom_api::instance::BackupInstanceResource;

use crate::output::{self, Columns};
use crate::session::Session;

mod configuration;

pub(super) use configuration::{datasource, namespaced};

super::verbs! {
    /// Protect a cluster by a policy
    Create(create),
    /// Check whether a cluster could be protected so; changes nothing
    Validate(validate),
    /// Count what a backup would take; changes nothing
    Preview(preview),
    /// Show an instance
    Show(show),
    /// List the instances of a vault
    List(list),
    /// Delete an instance and its recovery points
    Delete(delete),
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
