//! What is not a resource: POST actions, health, and a job's report.

use reqwest::Method;
use serde::Serialize;

use super::operation::{LongRunning, Outcome};
use super::{Client, ClientError, Download, Pages};
use crate::administration::{
    ME, Me, NamedObjectId, OBJECT_IDS, ROTATE_ADMIN_TOKEN, RotatedToken, WhoseObjectId,
};
use crate::audit::{AuditEntry, AuditLog, ENTRIES, LOG};
use crate::guard::{UnlockDeleteRequest, UnlockDeleteResponse};
use crate::instance::{TriggerBackupRequest, ValidateForBackupRequest, Validated};
use crate::job::ExportJobsResult;
use crate::missing_roles::{AssignMissingRolesOptions, AssignMissingRolesRequest, AssignedRoles};
use crate::operation::OperationExtendedInfo;
use crate::policy_preview::{
    PolicyEditPreview, PolicySimulation, PreviewPolicyEditRequest, SimulatePolicyRequest,
};
use crate::preview::{BackupPreview, PreviewBackupRequest};
use crate::recovery_point::Verification;
use crate::restore::{RestoreRequest, ValidateRestoreRequest};
use crate::service_principal::{COLLECTION, NewSecret, ResetSecretRequest};
use crate::vault::{BackupVaultPatch, BackupVaultResource};

/// Lines of a report asked for at a time: the most that a page has.
const REPORT_PAGE: &str = "1000";

impl Client {
    /// `GET …/me`; ours.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn me(&self) -> Result<Me, ClientError> {
        self.call(Method::GET, ME, &[], None::<&()>).await?.json()
    }

    /// `POST …/objectIds`; ours.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn object_id(&self, of: &WhoseObjectId) -> Result<NamedObjectId, ClientError> {
        self.call(Method::POST, OBJECT_IDS, &[], Some(of))
            .await?
            .json()
    }

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

    /// `POST {vault}/assignMissingRoles`; ours.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn assign_missing_roles(
        &self,
        vault_id: &str,
        request: &AssignMissingRolesRequest,
    ) -> Result<AssignedRoles, ClientError> {
        let path = format!("{vault_id}/assignMissingRoles");
        self.call(Method::POST, &path, &[], Some(request))
            .await?
            .json()
    }

    /// `POST {instance}/assignMissingRoles`; ours.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn assign_missing_roles_of(
        &self,
        instance_id: &str,
        options: &AssignMissingRolesOptions,
    ) -> Result<AssignedRoles, ClientError> {
        let path = format!("{instance_id}/assignMissingRoles");
        self.call(Method::POST, &path, &[], Some(options))
            .await?
            .json()
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

    /// `POST {policy}/simulate`; ours.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn simulate_policy(
        &self,
        policy_id: &str,
        request: &SimulatePolicyRequest,
    ) -> Result<PolicySimulation, ClientError> {
        let path = format!("{policy_id}/simulate");
        self.call(Method::POST, &path, &[], Some(request))
            .await?
            .json()
    }

    /// `POST {policy}/previewEdit`; ours.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn preview_policy_edit(
        &self,
        policy_id: &str,
        request: &PreviewPolicyEditRequest,
    ) -> Result<PolicyEditPreview, ClientError> {
        let path = format!("{policy_id}/previewEdit");
        self.call(Method::POST, &path, &[], Some(request))
            .await?
            .json()
    }

    /// `POST {instance}/{action}` without a body: `suspendBackups`, `resumeBackups`, `stopProtection`,
    /// `resumeProtection`, `sync`, `undelete`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn change_protection(
        &self,
        instance_id: &str,
        action: &str,
    ) -> Result<LongRunning<()>, ClientError> {
        let path = format!("{instance_id}/{action}");
        let answer = self.call(Method::POST, &path, &[], None::<&()>).await?;
        LongRunning::started(self, answer, Outcome::Nothing)
    }

    /// `PUT {vault}` that brings the deleted vault with the id `deleted` back.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn undelete_vault(
        &self,
        vault_id: &str,
        deleted: &str,
        vault: &BackupVaultResource,
    ) -> Result<BackupVaultResource, ClientError> {
        let headers = [("x-ms-deleted-vault-id", deleted)];
        self.call_with(Method::PUT, vault_id, &[], &headers, Some(vault))
            .await?
            .json()
    }

    /// Ours: entries of the audit log, from the one after this number, page by page.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn audit_entries(&self, after: u64) -> Result<Pages<AuditEntry>, ClientError> {
        let after = after.to_string();
        let query = [("after", after.as_str()), ("$top", "1000")];
        Ok(Pages::new(self.clone(), self.url(ENTRIES, &query)?))
    }

    /// Ours: where the audit log begins and ends.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn audit_log(&self) -> Result<AuditLog, ClientError> {
        self.get_json(self.url(LOG, &[])?).await
    }

    /// `PATCH {vault}`: what the patch names changes, and nothing else.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn update_vault(
        &self,
        vault_id: &str,
        patch: &BackupVaultPatch,
    ) -> Result<BackupVaultResource, ClientError> {
        self.call(Method::PATCH, vault_id, &[], Some(patch))
            .await?
            .json()
    }

    /// `POST {proxy}/unlockDelete`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn unlock_delete(
        &self,
        proxy_id: &str,
        request: &UnlockDeleteRequest,
    ) -> Result<UnlockDeleteResponse, ClientError> {
        let path = format!("{proxy_id}/unlockDelete");
        self.call(Method::POST, &path, &[], Some(request))
            .await?
            .json()
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

    /// Ours: `POST {job}/cancel`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn cancel_job(
        &self,
        job_id: &str,
    ) -> Result<LongRunning<Option<OperationExtendedInfo>>, ClientError> {
        let path = format!("{job_id}/cancel");
        let answer = self.call(Method::POST, &path, &[], None::<&()>).await?;
        LongRunning::started(self, answer, Outcome::Answer)
    }

    /// `POST {vault}/exportBackupJobs`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn export_jobs(
        &self,
        vault_id: &str,
    ) -> Result<LongRunning<ExportJobsResult>, ClientError> {
        let path = format!("{vault_id}/exportBackupJobs");
        let answer = self.call(Method::POST, &path, &[], None::<&()>).await?;
        LongRunning::started(self, answer, Outcome::Answer)
    }

    /// What a link of an export opens, as it comes.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn exported(&self, link: &str) -> Result<Download, ClientError> {
        let url = link.parse().map_err(|error| {
            ClientError::settings(format!("the link of the export is no address: {error}"))
        })?;
        self.download(url, "*/*").await
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

    /// Ours: gives a service principal a new secret, which is told this once.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn reset_client_secret(
        &self,
        client_id: &str,
        request: &ResetSecretRequest,
    ) -> Result<NewSecret, ClientError> {
        let path = format!("{COLLECTION}/{client_id}/resetSecret");
        self.call(Method::POST, &path, &[], Some(request))
            .await?
            .json()
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
