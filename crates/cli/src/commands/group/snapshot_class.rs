//! `strongroom group snapshot-class`.

use strongroom_api::resource_group::{ResourceGroup, ResourceGroupProperties, SnapshotClass};

use crate::commands::verbs;
use crate::error::CliError;
use crate::output::{self, Columns};
use crate::session::Session;

verbs! {
    /// Say with which parameters a driver's snapshots are taken
    Set(set),
    /// List what is said, by driver
    List(list),
    /// Leave a driver's snapshots to the cluster's own class again
    Remove(remove),
}

const COLUMNS: Columns<SnapshotClass> = &[
    ("DRIVER", |class| class.driver.clone()),
    ("PARAMETERS", |class| {
        let parameters = class.parameters.iter();
        let words: Vec<String> = parameters
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        words.join(" ")
    }),
    ("GROUP CLASS", |class| {
        output::or_nothing(class.group_class.as_deref())
    }),
];

/// The snapshot classes of a group.
fn classes_of(group: &ResourceGroup) -> Vec<SnapshotClass> {
    let own = group.properties.as_ref();
    own.and_then(|own| own.snapshot_classes.clone())
        .unwrap_or_default()
}

/// Changes the snapshot classes of a group and shows what they are then.
async fn change(
    session: &Session<'_>,
    name: &str,
    change: impl FnOnce(&mut Vec<SnapshotClass>),
) -> Result<(), CliError> {
    let groups = session
        .client()?
        .resource_groups(session.settings.subscription()?);
    let found = groups.get(name).await?;
    let mut classes = classes_of(&found);
    change(&mut classes);
    let body = ResourceGroup {
        location: found.location,
        tags: found.tags,
        properties: Some(ResourceGroupProperties {
            snapshot_classes: Some(classes),
            ..ResourceGroupProperties::default()
        }),
        ..ResourceGroup::default()
    };
    let running = groups.put(name, &body).await?;
    let group = session
        .finish(&format!("resource group {name}"), running)
        .await?;
    session.show_all(COLUMNS, &classes_of(&group))?;
    session.say("counts from the next backup on");
    Ok(())
}
