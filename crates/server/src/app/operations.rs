//! Long-running operations: started in the transaction that accepts the work, finished once in the
//! transaction that ends it.

use serde_json::Value;
use strongroom_core::error::{Code, Problem};

use super::error::chain;
use super::limits::{FIRST_WRITE_PAUSE, LONGEST_WRITE_PAUSE};
use super::{App, Error, ResourceId, Result};
use crate::store::{OperationRow, OperationStatus, Session, StoreError};

/// What an operation does; tells a restarted server how to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    /// Brings a backup instance to its protected state.
    ConfigureBackup,
    /// Suspends, stops, resumes or undeletes a protection.
    ChangeProtection,
    /// Starts a job: the operation ends as soon as the job exists.
    StartJob,
    /// Runs to the end of a validation job.
    Validate,
    /// Counts what a backup would take.
    Preview,
    /// Brings an extension to the wanted state or removes it.
    Extension,
    /// Writes or removes a trusted access binding.
    TrustedAccess,
    /// Verifies a recovery point.
    Verify,
    /// Lets the jobs of a vault be read as a file.
    ExportJobs,
}

impl OperationKind {
    /// Reads what [`Self::as_str`] wrote.
    #[must_use]
    pub fn parse(stored: &str) -> Option<Self> {
        [
            Self::ConfigureBackup,
            Self::ChangeProtection,
            Self::StartJob,
            Self::Validate,
            Self::Preview,
            Self::Extension,
            Self::TrustedAccess,
            Self::Verify,
            Self::ExportJobs,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == stored)
    }

    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConfigureBackup => "ConfigureBackup",
            Self::ChangeProtection => "ChangeProtection",
            Self::StartJob => "StartJob",
            Self::Validate => "Validate",
            Self::Preview => "Preview",
            Self::Extension => "Extension",
            Self::TrustedAccess => "TrustedAccess",
            Self::Verify => "VerifyRecoveryPoint",
            Self::ExportJobs => "ExportJobs",
        }
    }
}

/// How an operation ended.
#[derive(Debug, Clone)]
pub enum End {
    /// Well, with the answer of the final GET (`null` = none).
    Succeeded {
        /// Body of the final answer.
        result: Value,
    },
    /// Not well.
    Failed(Problem),
    /// Stopped on request.
    Canceled,
}

/// Notes a new operation on `resource` in a session that also accepts its work.
pub async fn start(
    app: &App,
    session: &mut dyn Session,
    kind: OperationKind,
    resource: &ResourceId,
    location: &str,
    job_id: Option<String>,
) -> Result<OperationRow> {
    let row = OperationRow {
        job_id,
        ..new(app, kind, resource, location)
    };
    session.insert_operation(&row).await?;
    Ok(row)
}

/// The same for work that nothing else in the store describes: `request` is what a restarted server
/// goes on from.
pub async fn start_of_request(
    app: &App,
    session: &mut dyn Session,
    kind: OperationKind,
    resource: &ResourceId,
    location: &str,
    request: Value,
) -> Result<OperationRow> {
    let row = OperationRow {
        request,
        ..new(app, kind, resource, location)
    };
    session.insert_operation(&row).await?;
    Ok(row)
}

fn new(app: &App, kind: OperationKind, resource: &ResourceId, location: &str) -> OperationRow {
    OperationRow {
        id: app.new_id().to_string(),
        kind: kind.as_str().to_owned(),
        scope_key: resource.subscription().key(),
        resource_id: resource.as_str().to_owned(),
        location: location.to_owned(),
        status: OperationStatus::InProgress,
        request: Value::Null,
        holder: Some(app.server_id),
        job_id: None,
        result: Value::Null,
        error: Value::Null,
        created_at: app.now(),
        ended_at: None,
    }
}

/// Ends an operation; one that has ended stays as it is. Returns it as it is now.
pub async fn finish(
    app: &App,
    session: &mut dyn Session,
    mut row: OperationRow,
    end: End,
) -> Result<OperationRow> {
    (row.status, row.result, row.error) = match end {
        End::Succeeded { result } => (OperationStatus::Succeeded, result, Value::Null),
        End::Failed(problem) => (
            OperationStatus::Failed,
            Value::Null,
            serde_json::to_value(problem)
                .map_err(super::Error::unexpected("serialise an operation's error"))?,
        ),
        End::Canceled => (OperationStatus::Canceled, Value::Null, Value::Null),
    };
    row.ended_at = Some(app.now());
    row.request = Value::Null;
    session.finish_operation(&row).await?;
    Ok(row)
}

/// Writes the end of an operation, again and again while the database does not take it (its disk is full,
/// say): a client polls the operation for as long. A process that ends before takes it up at its next
/// start. Anything but the database's trouble is logged, and the operation stays open until then.
pub async fn written<F>(what: &'static str, mut write: impl FnMut() -> F)
where
    F: Future<Output = Result<()>>,
{
    let mut pause = FIRST_WRITE_PAUSE;
    loop {
        match write().await {
            Ok(()) => return,
            Err(Error::Store(error @ StoreError::Database { .. })) => {
                tracing::warn!(error = %chain(&error), what, "not written, trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_WRITE_PAUSE);
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), what, "not written");
                return;
            }
        }
    }
}

/// The operation that a polling address names: its last segment, within the scope of the address.
pub async fn get(app: &App, address: &ResourceId) -> Result<OperationRow> {
    let scope = match address.key().split_once("/providers/") {
        // …/backupVaults/{vault}[/backupInstances/{instance}]/operationStatus/{id}
        Some(_) if address.after("backupVaults").is_some() => address.without(2).key(),
        Some((head, _)) => head.to_owned(),
        None => address.subscription().key(),
    };
    let row = app
        .store
        .read()
        .await?
        .operation(&address.name().to_lowercase())
        .await?;
    let within = |resource: &str| {
        let resource = resource.to_lowercase();
        resource
            .strip_prefix(&scope)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match row {
        Some(row) if within(&row.resource_id) => Ok(row),
        _ => Err(Problem::new(
            Code::OperationNotFound,
            format!("The operation '{}' is not known here.", address.name()),
        )
        .into()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::testing::SUBSCRIPTION;

    /// An operation in the test subscription.
    pub(crate) async fn started(app: &App) -> String {
        let resource = ResourceId::published(format!("{SUBSCRIPTION}/resourceGroups/rg"));
        let mut session = app.store.begin().await.unwrap();
        let job = Some("job-1".to_owned());
        let row = start(
            app,
            &mut *session,
            OperationKind::StartJob,
            &resource,
            "westeurope",
            job,
        )
        .await
        .unwrap();
        session.commit().await.unwrap();
        row.id
    }

    /// Ends it, with a failure when a message is given.
    pub(crate) async fn finished(app: &App, id: &str, failure: Option<&str>) {
        let end = match failure {
            Some(message) => End::Failed(Problem::new(Code::UserErrorClusterUnreachable, message)),
            None => End::Succeeded {
                result: Value::Null,
            },
        };
        let mut session = app.store.begin().await.unwrap();
        let row = session.operation(id).await.unwrap().unwrap();
        finish(app, &mut *session, row, end).await.unwrap();
        session.commit().await.unwrap();
    }

    #[tokio::test]
    async fn an_end_is_written_again_until_the_database_takes_it() {
        let mut tries = 0;
        written("a test", || {
            tries += 1;
            let taken = tries > 1;
            async move {
                let source = sqlx::Error::PoolTimedOut;
                let doing = "commit";
                match taken {
                    true => Ok(()),
                    false => Err(StoreError::Database { doing, source }.into()),
                }
            }
        })
        .await;
        assert_eq!(tries, 2);
    }

    #[tokio::test]
    async fn the_first_end_of_an_operation_counts() {
        let harness = crate::testing::Harness::new().await;
        let id = started(&harness.app).await;
        finished(&harness.app, &id, Some("first")).await;
        finished(&harness.app, &id, None).await;
        let row = harness
            .app
            .store
            .read()
            .await
            .unwrap()
            .operation(&id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(row.status, OperationStatus::Failed);
    }
}
