//! What is not a resource: POST actions, health, and a job's report.

use reqwest::Method;
use serde::Serialize;

use super::operation::{LongRunning, Outcome};
use super::{Client, ClientError, Download, Pages};
use crate::administration::{ROTATE_ADMIN_TOKEN, RotatedToken};
use crate::instance::{TriggerBackupRequest, ValidateForBackupRequest, Validated};
use crate::operation::OperationExtendedInfo;
use crate::preview::{BackupPreview, PreviewBackupRequest};
use crate::recovery_point::Verification;
use crate::restore::{RestoreRequest, ValidateRestoreRequest};

/// Lines of a report asked for at a time: the most that a page has.
const REPORT_PAGE: &str = "1000";

impl Client {
    /// `POST {vault}/validateForBackup`.
    ///
    /// # Errors
    /// [`ClientError`]; what the validation finds comes as the operation's error.
    pub async fn validate_for_backup(
        &self,
        vault_id: &str,
        request: &ValidateForBackupRequest,
    ) -> Result<LongRunning<Option<Validated>>, ClientError> {
        let path = format!("{vault_id}/validateForBackup");
        let answer = self.call(Method::POST, &path, &[], Some(request)).await?;
        LongRunning::started(self, answer, Outcome::Answer)
    }

    /// `POST {vault}/previewBackup`; ours.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn preview_backup(
        &self,
        vault_id: &str,
        request: &PreviewBackupRequest,
    ) -> Result<LongRunning<BackupPreview>, ClientError> {
        let path = format!("{vault_id}/previewBackup");
        let answer = self.call(Method::POST, &path, &[], Some(request)).await?;
        LongRunning::started(self, answer, Outcome::Answer)
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

    /// Ours: `GET {job}/report`, one line per object, page by page; `filter` as in
    /// `outcome eq 'Failed' and kind eq 'Pod'`.
    ///
    /// # Errors
    /// [`ClientError::Settings`] when the id is none.
    pub fn job_report(
        &self,
        job_id: &str,
        filter: Option<&str>,
    ) -> Result<Pages<serde_json::Value>, ClientError> {
        let mut query = vec![("$top", REPORT_PAGE)];
        query.extend(filter.map(|filter| ("$filter", filter)));
        Ok(Pages::new(
            self.clone(),
            self.url(&format!("{job_id}/report"), &query)?,
        ))
    }

    /// Ours: the whole report (what fits of it) as JSON lines, as it comes.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn job_report_lines(
        &self,
        job_id: &str,
        filter: Option<&str>,
    ) -> Result<Download, ClientError> {
        let query: Vec<_> = filter
            .map(|filter| ("$filter", filter))
            .into_iter()
            .collect();
        let url = self.url(&format!("{job_id}/report"), &query)?;
        self.download(url, "application/x-ndjson").await
    }

    /// Ours: `POST {recovery point}/verify`.
    ///
    /// # Errors
    /// [`ClientError`]; damage is no error but the operation's result.
    pub async fn verify_recovery_point(
        &self,
        point_id: &str,
    ) -> Result<LongRunning<Verification>, ClientError> {
        let path = format!("{point_id}/verify");
        let answer = self.call(Method::POST, &path, &[], None::<&()>).await?;
        LongRunning::started(self, answer, Outcome::Answer)
    }

    /// Ours: takes a vault's access to a cluster back although its instances protect the cluster.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn force_revoke(&self, binding_id: &str) -> Result<LongRunning<()>, ClientError> {
        let query = [("forceDelete", "true")];
        let answer = self
            .call(Method::DELETE, binding_id, &query, None::<&()>)
            .await?;
        LongRunning::started(self, answer, Outcome::Nothing)
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
