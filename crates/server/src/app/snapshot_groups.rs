//! The snapshot resource groups of backup instances: what the group that an instance names says of the
//! snapshots of its volumes.
//!
//! Contract: a group that is named must exist when the instance is written, and does not go while the instance
//! protects something. What it says is read when a backup starts, so a change counts from the next one on. An
//! instance from before that rule, whose group does not exist, is backed up as if it named none.

use strongroom_api::arm::Resource;
use strongroom_api::instance::BackupInstance;
use strongroom_api::resource_group::{ResourceGroupProperties, SnapshotClass};
use strongroom_core::error::{Code, Problem};
use strongroom_core::id::ArmId;
use strongroom_core::volumes::GivenClass;
use strongroom_core::volumes::given::{check, of_group};

use super::resource_groups::{self, DEFAULT_SUBSCRIPTION, TYPE};
use super::{Error, ResourceId, Result, resources};
use crate::store::{ResourceRow, Session};

/// The field of an instance that names its group.
const TARGET: &str =
    "properties.policyInfo.policyParameters.dataStoreParametersList[0].resourceGroupId";

/// The id of the group that an instance names; none when it names none.
pub fn id_of(instance: &BackupInstance) -> Result<Option<ResourceId>> {
    let parameters = instance.policy_info.policy_parameters.as_ref();
    let Some(text) = parameters.and_then(|parameters| parameters.snapshot_group()) else {
        return Ok(None);
    };
    let refuse = |code, message: String| Err(Problem::new(code, message).at(TARGET).into());
    match ArmId::parse(text) {
        Ok(id) if id.is_type(TYPE) => Ok(Some(ResourceId::published(id.to_string()))),
        Ok(id) => {
            let message = format!("'{id}' is not the id of a resource group.");
            refuse(Code::InvalidResourceType, message)
        }
        Err(invalid) => refuse(Code::InvalidResourceId, format!("{invalid}.")),
    }
}

/// The group that an instance names, which must exist.
pub async fn require(
    session: &mut dyn Session,
    instance: &BackupInstance,
) -> Result<Option<ResourceRow>> {
    let Some(id) = id_of(instance)? else {
        return Ok(None);
    };
    let found = resource_groups::require(session, &id).await;
    found.map(Some).map_err(|error| match error {
        Error::Problem(problem) => problem.at(TARGET).into(),
        other => other,
    })
}

/// The group that an instance names, if it exists.
pub async fn find(
    session: &mut dyn Session,
    instance: &BackupInstance,
) -> Result<Option<ResourceRow>> {
    let Ok(Some(id)) = id_of(instance) else {
        return Ok(None);
    };
    Ok(session.resource(&id.key()).await?)
}

/// What the group that an instance names says of drivers' snapshots.
pub async fn given(
    session: &mut dyn Session,
    instance: &BackupInstance,
) -> Result<Vec<GivenClass>> {
    let Some(row) = find(session, instance).await? else {
        return Ok(Vec::new());
    };
    let stored: Resource<Option<ResourceGroupProperties>> = resources::document(&row, TYPE)?;
    let said = stored.properties.and_then(|own| own.snapshot_classes);
    // The subscription that every server has is none of Azure, so no group of Azure is in it.
    let id = ResourceId::published(row.id.clone());
    let is_own = id.subscription().name() == DEFAULT_SUBSCRIPTION;
    let azure_group = (!is_own).then_some(row.name.as_str());
    Ok(of_group(azure_group, domain_of(said.unwrap_or_default())))
}

/// Refuses snapshot classes that no driver or cluster would take.
pub fn check_classes(classes: &[SnapshotClass]) -> Result<()> {
    let classes = domain_of(classes.to_vec());
    check(&classes, "properties.snapshotClasses").map_err(Error::from)
}

fn domain_of(classes: Vec<SnapshotClass>) -> Vec<GivenClass> {
    let one = |class: SnapshotClass| GivenClass {
        driver: class.driver,
        parameters: class.parameters,
        group_class: class.group_class,
        by_default: false,
    };
    classes.into_iter().map(one).collect()
}
