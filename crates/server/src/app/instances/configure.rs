//! Brings an instance to its protected state, or says why it cannot be.

use std::sync::Arc;

use serde_json::{Value, json};
use strongroom_api::error::UserFacingError;
use strongroom_api::instance::{BackupInstance, BackupInstanceResource, ValidationType};
use strongroom_core::error::{Code, Problem};

use super::{TYPE, set_state, state_of};
use crate::app::error::chain;
use crate::app::operations::{self, End, OperationKind};
use crate::app::resources::Written;
use crate::app::{App, Error, ResourceId, Result, resources, validation};
use crate::store::{OperationRow, Session};

/// Notes the operation that configures what was just written. Follow with [`configure`].
pub(super) async fn begin(
    app: &App,
    session: &mut dyn Session,
    id: &ResourceId,
    location: &str,
    written: &Written<BackupInstance>,
) -> Result<OperationRow> {
    let request = json!({ "etag": written.resource.e_tag });
    let kind = OperationKind::ConfigureBackup;
    operations::start_of_request(app, session, kind, id, location, request).await
}

/// Validates an instance and ends the operation with its new state.
pub async fn configure(app: Arc<App>, operation: OperationRow) {
    let id = ResourceId::published(operation.resource_id.clone());
    let found = match check(&app, &id).await {
        Ok(found) => found,
        Err(error) => {
            tracing::error!(
                error = chain(&error), instance.id = %id, "an instance could not be configured"
            );
            Some(Problem::new(
                Code::InternalServerError,
                "The server failed to configure the instance; its log says why.",
            ))
        }
    };
    operations::written("the outcome of a configuration", || {
        settle(&app, &id, operation.clone(), found.clone())
    })
    .await;
}

/// What keeps the instance from being protected, if anything.
async fn check(app: &App, id: &ResourceId) -> Result<Option<Problem>> {
    let instance = match super::get(app, id).await {
        Ok(instance) => instance.properties,
        Err(Error::Problem(problem)) => return Ok(Some(*problem)),
        Err(error) => return Err(error),
    };
    if instance.validation_type == Some(ValidationType::ShallowValidation) {
        return Ok(None);
    }
    Ok(validation::validate(app, &id.without(2), &instance)
        .await?
        .problem())
}

async fn settle(
    app: &App,
    id: &ResourceId,
    operation: OperationRow,
    problem: Option<Problem>,
) -> Result<()> {
    let mut session = app.store.begin().await?;
    let mine = etag_of(&operation);
    let row = session.resource(&id.key()).await?;
    // Deleted meanwhile, written anew, stopped: then a later request speaks for the instance, and this
    // operation tells only what it found.
    if let Some(row) = row.filter(|row| mine.is_none_or(|mine| mine == row.etag)) {
        let mut instance: BackupInstanceResource = resources::document(&row, TYPE)?;
        let properties = &mut instance.properties;
        let provisioning = if problem.is_none() {
            "Succeeded"
        } else {
            "Failed"
        };
        properties.provisioning_state = Some(provisioning.to_owned());
        let state = state_of(properties).configured(problem.is_none());
        set_state(properties, state, problem.as_ref());
        let by = resources::writer(app, &row);
        resources::write(app, &mut *session, id, TYPE, &instance, Some(&row), &by).await?;
    }
    let end = match problem {
        None => End::Succeeded {
            result: Value::Null,
        },
        Some(problem) => End::Failed(problem),
    };
    operations::finish(app, &mut *session, operation, end).await?;
    Ok(session.commit().await?)
}

/// The version that an operation configures; none when a server wrote it that did not note that.
fn etag_of(operation: &OperationRow) -> Option<&str> {
    operation.request["etag"].as_str()
}

/// A problem as an instance shows it.
pub fn told(problem: &Problem) -> UserFacingError {
    UserFacingError {
        code: Some(problem.code.as_str().to_owned()),
        message: Some(problem.message.clone()),
        recommended_action: Some(vec![problem.recommended_action().to_owned()]),
        target: problem.target.clone(),
        is_retryable: Some(problem.class().is_transient()),
        is_user_error: Some(problem.code != Code::InternalServerError),
        details: (!problem.details.is_empty()).then(|| problem.details.iter().map(told).collect()),
        ..UserFacingError::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Harness;
    use crate::testing::protection::{Protected, adhoc};

    #[tokio::test]
    async fn what_a_killed_server_left_open_is_taken_up_again() {
        let harness = Harness::new().await;
        let (path, mut body) = harness.instance_request().await;
        body["properties"]["validationType"] = json!("ShallowValidation");
        let id = ResourceId::published(path.clone());
        let instance = serde_json::from_value(body).unwrap();
        // Accepted, and then the process ended before `configure` began.
        let terms = resources::Terms::of_server(&harness.app);
        let accepted = super::super::put(&harness.app, &id, instance, &terms).await;
        let operation = accepted.unwrap().operation;
        crate::worker::take_up_for_test(&harness.app).await;
        loop {
            let row = harness
                .app
                .store
                .read()
                .await
                .unwrap()
                .operation(&operation.id)
                .await;
            if row.unwrap().unwrap().status.is_final() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let read = harness.get(&path).await.json();
        assert_eq!(read["properties"]["provisioningState"], "Succeeded");
    }

    #[tokio::test]
    async fn of_two_writes_the_later_one_speaks_for_the_instance() {
        let harness = Harness::new().await;
        let (path, mut body) = harness.instance_request().await;
        let id = ResourceId::published(path.clone());
        let mut put = async || {
            let terms = resources::Terms::of_server(&harness.app);
            let instance = serde_json::from_value(body.clone()).unwrap();
            let accepted = super::super::put(&harness.app, &id, instance, &terms).await;
            // The first is validated deeply, for which everything is missing; the second is not.
            body["properties"]["validationType"] = json!("ShallowValidation");
            accepted.unwrap().operation
        };
        let (first, second) = (put().await, put().await);
        configure(Arc::clone(&harness.app), first).await;
        let state = async || {
            let read = harness.get(&path).await.json();
            read["properties"]["currentProtectionState"].clone()
        };
        assert_eq!(state().await, "ConfiguringProtection");
        configure(Arc::clone(&harness.app), second).await;
        assert_eq!(state().await, "ProtectionConfigured");
    }

    #[tokio::test]
    async fn a_protected_instance_stays_so_while_its_cluster_is_away() {
        let it = Protected::new().await;
        it.harness.clusters.set_unreachable(true);
        let body = json!({"properties": it.instance_document()});
        let put = it.harness.put(&it.instance, body).await;
        let ended = it.ended(put.header("azure-asyncoperation")).await;
        assert_eq!(ended["status"], "Failed", "{ended}");
        let read = it.harness.get(&it.instance).await.json();
        let properties = &read["properties"];
        assert_eq!(properties["provisioningState"], "Failed");
        assert_eq!(properties["currentProtectionState"], "ProtectionConfigured");
        let code = &properties["protectionErrorDetails"]["code"];
        assert_eq!(code, &ended["error"]["code"]);
        assert_ne!(properties["scheduleStatus"]["state"], "Suspended");
        assert_eq!(it.post("backup", adhoc()).await.status, 202);
    }

    #[tokio::test]
    async fn an_instance_that_was_deleted_meanwhile_fails_its_operation_only() {
        let harness = Harness::new().await;
        let instance = harness.instance().await;
        let id = ResourceId::published(instance.clone());
        let mut session = harness.app.store.begin().await.unwrap();
        let kind = OperationKind::ConfigureBackup;
        let operation =
            operations::start(&harness.app, &mut *session, kind, &id, "westeurope", None);
        let operation = operation.await.unwrap();
        session.commit().await.unwrap();
        harness.delete(&instance).await;
        configure(Arc::clone(&harness.app), operation.clone()).await;
        let mut session = harness.app.store.read().await.unwrap();
        let row = session.operation(&operation.id).await.unwrap().unwrap();
        assert_eq!(row.error["code"], "ResourceNotFound");
        assert_eq!(harness.get(&instance).await.status, 404);
    }
}
