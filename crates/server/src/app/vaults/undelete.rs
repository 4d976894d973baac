//! Brings a deleted vault back, as part of the PUT that names it.

use strongroom_core::error::{Code, Problem};

use super::{MAX_DESCENDANTS, deleted};
use crate::app::{ResourceId, Result, instances, resources};
use crate::store::{ResourceRow, Session};

/// Brings back the deleted vault that `named` (the id of a deleted vault, or of the vault itself) says,
/// if it was `id`; its policies come with it. Deleted instances in it stay so until they are undeleted.
pub(super) async fn undelete(
    session: &mut dyn Session,
    id: &ResourceId,
    named: &str,
) -> Result<ResourceRow> {
    let found = if named.to_lowercase().contains("/deletedvaults/") {
        deleted::find(session, &ResourceId::published(named.to_owned())).await?
    } else {
        let key = named.to_lowercase();
        let found = session.deleted_resource(&key).await?;
        found.ok_or_else(|| resources::not_found(&ResourceId::published(named.to_owned())))?
    };
    if found.key != id.key() {
        return Err(Problem::new(
            Code::InvalidResourceId,
            format!(
                "The deleted vault was '{}'; it is brought back under that id.",
                found.id
            ),
        )
        .at("x-ms-deleted-vault-id")
        .into());
    }
    session.set_resource_deleted(&found.key, None).await?;
    let instance_kind = instances::TYPE.to_lowercase();
    let prefix = format!("{}/", found.key);
    for below in session.descendants(&prefix, MAX_DESCENDANTS).await? {
        if below.kind != instance_kind {
            session.set_resource_deleted(&below.key, None).await?;
        }
    }
    resources::existing(session, id).await
}
