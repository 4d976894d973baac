//! Suspends, stops and resumes the protection of an instance.
//!
//! Contract: `core::protection` decides; each action is one transaction with its operation, which has
//! ended when the client is answered. What is at work goes on: a stop ends no backup.

use strongroom_api::instance::BackupInstanceResource;
use strongroom_core::guard::CriticalOperation;
use strongroom_core::protection::Action;

use super::{TYPE, cluster_of, policy_of, put_uses, refuse_same_policy, set_state, state_of};
use crate::app::operations::{self, End, OperationKind};
use crate::app::resources::{self, Terms};
use crate::app::{App, ResourceId, Result, guards, snapshot_groups, vaults};
use crate::store::{OperationRow, Session};

/// Does `action` to the protection of an instance.
pub async fn change(
    app: &App,
    id: &ResourceId,
    action: Action,
    terms: &Terms,
) -> Result<OperationRow> {
    let mut session = app.store.begin().await?;
    let row = resources::existing(&mut *session, id).await?;
    terms.check(Some(&row))?;
    let mut instance: BackupInstanceResource = resources::document(&row, TYPE)?;
    let before = state_of(&instance.properties);
    let after = before.after(action)?;
    let id = ResourceId::published(row.id.clone());
    if after != before {
        let critical = match action {
            Action::StopProtection => Some(CriticalOperation::StopProtection),
            Action::SuspendBackups => Some(CriticalOperation::SuspendBackups),
            _ => None,
        };
        if let Some(operation) = critical {
            let vault = id.without(2);
            guards::require(app, &mut *session, &vault, operation, &row.id, terms).await?;
        }
        if after.follows_schedule() {
            resume(&mut *session, &id, &instance).await?;
        }
        set_state(&mut instance.properties, after, None);
        // Whatever configured it is overtaken by this.
        instance.properties.provisioning_state = Some("Succeeded".to_owned());
        let by = &terms.by;
        resources::write(app, &mut *session, &id, TYPE, &instance, Some(&row), by).await?;
    }
    let operation = ended(app, &mut *session, &id).await?;
    session.commit().await?;
    if after != before {
        tracing::info!(
            instance.id = %id, before = ?before, after = ?after, by = terms.by.name,
            "the protection of an instance was changed"
        );
    }
    Ok(operation)
}

/// An operation that began and ended in this transaction.
pub(super) async fn ended(
    app: &App,
    session: &mut dyn Session,
    id: &ResourceId,
) -> Result<OperationRow> {
    let vault = vaults::require(session, &id.without(2)).await?;
    let location = vaults::document(&vault)?.location.unwrap_or_default();
    let kind = OperationKind::ChangeProtection;
    let operation = operations::start(app, session, kind, id, &location, None).await?;
    let end = End::Succeeded {
        result: serde_json::Value::Null,
    };
    operations::finish(app, session, operation, end).await
}

/// What was stopped may have lost what it needs meanwhile.
async fn resume(
    session: &mut dyn Session,
    id: &ResourceId,
    instance: &BackupInstanceResource,
) -> Result<()> {
    let vault = vaults::require(session, &id.without(2)).await?;
    let cluster = cluster_of(session, &instance.properties).await?;
    let policy = policy_of(session, &vault, &instance.properties).await?;
    refuse_same_policy(session, id, &vault, &cluster, &policy).await?;
    let group = snapshot_groups::find(session, &instance.properties).await?;
    put_uses(session, id, &cluster, &policy, group.as_ref()).await
}
