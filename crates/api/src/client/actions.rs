//! What is not a resource: POST actions, health, and a job's report.

use reqwest::Method;
use serde::Serialize;

use super::operation::{LongRunning, Outcome};
use super::{Client, ClientError, Pages};
use crate::administration::{ROTATE_ADMIN_TOKEN, RotatedToken};
use crate::instance::{TriggerBackupRequest, ValidateForBackupRequest};
use crate::operation::OperationExtendedInfo;
use crate::restore::{RestoreRequest, ValidateRestoreRequest};

impl Client {
    /// `POST {vault}/validateForBackup`.
    ///
    /// # Errors
    /// [`ClientError`]; what the validation finds comes as the operation's error.
    pub async fn validate_for_backup(
        &self,
        vault_id: &str,
        request: &ValidateForBackupRequest,
    ) -> Result<LongRunning<Option<OperationExtendedInfo>>, ClientError> {
        self.post(&format!("{vault_id}/validateForBackup"), request)
            .await
    }

    /// `POST {instance}/backup`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn start_backup(
        &self,
        instance_id: &str,
        request: &TriggerBackupRequest,
    ) -> Result<LongRunning<Option<OperationExtendedInfo>>, ClientError> {
        self.post(&format!("{instance_id}/backup"), request).await
    }

    /// `POST {instance}/validateRestore`.
    ///
    /// # Errors
    /// [`ClientError`]; what the validation finds comes as the operation's error.
    pub async fn validate_restore(
        &self,
        instance_id: &str,
        request: &ValidateRestoreRequest,
    ) -> Result<LongRunning<Option<OperationExtendedInfo>>, ClientError> {
        self.post(&format!("{instance_id}/validateRestore"), request)
            .await
    }

    /// `POST {instance}/restore`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn start_restore(
        &self,
        instance_id: &str,
        request: &RestoreRequest,
    ) -> Result<LongRunning<Option<OperationExtendedInfo>>, ClientError> {
        self.post(&format!("{instance_id}/restore"), request).await
    }

    /// Ours: `GET {job}/report`, one line per object.
    ///
    /// # Errors
    /// [`ClientError::Settings`] when the id is none.
    pub fn job_report(&self, job_id: &str) -> Result<Pages<serde_json::Value>, ClientError> {
        Ok(Pages::new(
            self.clone(),
            self.url(&format!("{job_id}/report"), &[])?,
        ))
    }

    /// Ours: replaces the administrator's token. This client holds the old one, and is of no use
    /// afterwards.
    ///
    /// # Errors
    /// [`ClientError`]. When the answer was lost, the token may be replaced all the same: the
    /// server's `admin.token` has the one that counts.
    pub async fn rotate_admin_token(&self) -> Result<RotatedToken, ClientError> {
        self.call(Method::POST, ROTATE_ADMIN_TOKEN, &[], None::<&()>)
            .await?
            .json()
    }

    /// `GET /healthz` and `GET /readyz`: is the server there, and can it work?
    ///
    /// # Errors
    /// [`ClientError`]; a server that is not ready answers 503.
    pub async fn check_ready(&self) -> Result<(), ClientError> {
        self.call(Method::GET, "/healthz", &[], None::<&()>).await?;
        self.call(Method::GET, "/readyz", &[], None::<&()>).await?;
        Ok(())
    }

    async fn post(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<LongRunning<Option<OperationExtendedInfo>>, ClientError> {
        let answer = self.call(Method::POST, path, &[], Some(body)).await?;
        LongRunning::started(self, answer, Outcome::Answer)
    }
}
