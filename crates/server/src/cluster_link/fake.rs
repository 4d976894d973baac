//! A cluster in memory, with an extension in it that does what a test tells it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use strongroom_core::capability;
use strongroom_core::error::{Code, Problem};
use strongroom_core::hooks::HookKind;
use strongroom_core::selection::HookReference;
use strongroom_kubernetes::EXTENSION_NAMESPACE;
use strongroom_kubernetes::crd::{
    BackupExtensionStatus, BackupMode, BackupPreview, JobState, JobStatus, PreviewFinding,
};
use strongroom_kubernetes::jobs::{backup_name, restore_name};
use strongroom_kubernetes::sealed::{self, JobSecrets, KeyPair};
use uuid::Uuid;

use super::{
    ClusterAccess, ClusterLink, ExtensionHealth, Installation, JobKind, JobSpec, LinkError, Remedy,
    Result, VaultAccess,
};

/// A custom resource in the fake cluster.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    pub(crate) spec: JobSpec,
    pub(crate) status: JobStatus,
}

#[derive(Default)]
struct State {
    jobs: BTreeMap<Uuid, Resource>,
    granted: BTreeSet<String>,
    health: Option<ExtensionHealth>,
    unreachable: bool,
    missing_rights: Vec<String>,
    extension_lacks: Vec<String>,
    refuses_grants: bool,
    capabilities: Vec<String>,
    probe_findings: Vec<PreviewFinding>,
    identity: String,
    answers_lost: bool,
    creates: usize,
    namespaces: BTreeSet<String>,
    hooks: BTreeSet<String>,
}

/// The one cluster that every access leads to.
pub(crate) struct FakeClusters {
    key: KeyPair,
    state: Mutex<State>,
}

impl Default for FakeClusters {
    fn default() -> Self {
        let state = State {
            namespaces: ["shop".to_owned()].into(),
            hooks: ["shop/freeze".to_owned()].into(),
            identity: "uid-of-kube-system".to_owned(),
            capabilities: capability::ALL
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
            ..State::default()
        };
        Self {
            key: KeyPair::from_bytes(&[9; 32]).unwrap(),
            state: Mutex::new(state),
        }
    }
}

impl FakeClusters {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn answer(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.state();
        if state.unreachable {
            return Err(unreachable());
        }
        Ok(state)
    }

    fn answer_grant(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.answer()?;
        if state.refuses_grants {
            let code = Code::UserErrorClusterPermissionMissing;
            return Err(LinkError::lasting(code, "May not create roles."));
        }
        Ok(state)
    }

    fn answer_vault(&self, vault: &VaultAccess) -> Result<MutexGuard<'_, State>> {
        let state = self.answer()?;
        if !state.granted.contains(&vault.vault_id.to_lowercase()) {
            return Err(LinkError {
                problem: Problem::new(Code::UserErrorTrustedAccessMissing, "Not granted."),
                remedy: Remedy::Grant,
            });
        }
        Ok(state)
    }

    /// Cuts the cluster off, or connects it again.
    pub(crate) fn set_unreachable(&self, unreachable: bool) {
        self.state().unreachable = unreachable;
    }

    /// Makes it another cluster.
    pub(crate) fn set_identity(&self, uid: &str) {
        uid.clone_into(&mut self.state().identity);
    }

    /// Lets the answers to creates get lost, after they were carried out.
    pub(crate) fn lose_answers(&self, lost: bool) {
        self.state().answers_lost = lost;
    }

    /// Takes rights away from the credential.
    pub(crate) fn set_missing_rights(&self, rules: &[&str]) {
        self.state().missing_rights = rules.iter().map(|rule| (*rule).to_owned()).collect();
    }

    /// Takes rights away from the extension.
    pub(crate) fn set_extension_lacks(&self, lacking: &[&str]) {
        self.state().extension_lacks = lacking.iter().map(|one| (*one).to_owned()).collect();
    }

    /// Takes away what a vault was granted in the cluster, behind the server's back.
    pub(crate) fn forget_grants(&self) {
        self.state().granted.clear();
    }

    /// Refuses to grant anything to anybody.
    pub(crate) fn refuse_grants(&self, refuses: bool) {
        self.state().refuses_grants = refuses;
    }

    /// Makes the extension one of an older version.
    pub(crate) fn set_older_extension(&self) {
        self.state().capabilities.clear();
    }

    /// Says what probes find from inside the cluster.
    pub(crate) fn set_probe_findings(&self, findings: Vec<PreviewFinding>) {
        self.state().probe_findings = findings;
    }

    /// Makes the extension something else than ready.
    pub(crate) fn set_health(&self, health: ExtensionHealth) {
        self.state().health = Some(health);
    }

    /// The custom resources that are there.
    pub(crate) fn resources(&self) -> Vec<Resource> {
        self.state().jobs.values().cloned().collect()
    }

    /// How often one was made.
    pub(crate) fn creates(&self) -> usize {
        self.state().creates
    }

    /// Changes the status of the only custom resource.
    pub(crate) fn update_status(&self, change: impl FnOnce(&mut JobStatus)) {
        change(&mut self.state().jobs.values_mut().next().unwrap().status);
    }

    /// The extension removes what volume snapshots it is asked to.
    pub(crate) fn forget_all(&self) {
        for job in self.state().jobs.values_mut() {
            if let JobSpec::Backup(spec) = &job.spec
                && spec.mode == BackupMode::Forget
            {
                job.status.state = JobState::Completed;
            }
        }
    }

    /// Takes the only custom resource away, as a user might.
    pub(crate) fn drop_resources(&self) {
        self.state().jobs.clear();
    }

    /// Puts custom resources into the cluster, as a restore of its etcd might.
    pub(crate) fn bring_back(&self, resources: Vec<Resource>) {
        let mut state = self.state();
        for resource in resources {
            let id = match &resource.spec {
                JobSpec::Backup(spec) => spec.job_id,
                JobSpec::Restore(spec) => spec.job_id,
            };
            state.jobs.insert(id, resource);
        }
    }

    /// The secrets of the only custom resource, opened as the extension does.
    pub(crate) fn secrets(&self) -> JobSecrets {
        let state = self.state();
        let (id, resource) = state.jobs.iter().next().unwrap();
        let (name, sealed) = match &resource.spec {
            JobSpec::Backup(spec) => (backup_name(*id), &spec.sealed),
            JobSpec::Restore(spec) => (restore_name(*id), &spec.sealed),
        };
        self.key
            .open_secrets(&sealed::info(EXTENSION_NAMESPACE, &name), sealed)
            .unwrap()
    }

    /// Marks the only custom resource as taken and at work.
    pub(crate) fn begin_work(&self) {
        self.update_status(|status| {
            status.state = JobState::Running;
            status.attempt = 1;
            "collect".clone_into(&mut status.step);
        });
    }
}

/// Whether it only tries the store, which this extension does at once.
fn is_probe(spec: &JobSpec) -> bool {
    matches!(spec, JobSpec::Backup(spec) if spec.mode == BackupMode::Preview && !spec.sealed.is_empty())
}

fn unreachable() -> LinkError {
    LinkError {
        problem: Problem::new(Code::UserErrorClusterUnreachable, "Nobody answers."),
        remedy: Remedy::Wait,
    }
}

#[async_trait]
impl ClusterLink for FakeClusters {
    async fn version(&self, _: &ClusterAccess) -> Result<String> {
        self.answer().map(|_| "v1.36.0".to_owned())
    }

    async fn identity(&self, _: &ClusterAccess) -> Result<String> {
        self.answer().map(|state| state.identity.clone())
    }

    async fn missing_rights(&self, _: &ClusterAccess) -> Result<Vec<String>> {
        self.answer().map(|state| state.missing_rights.clone())
    }

    async fn install(&self, _: &ClusterAccess, _: &Installation) -> Result<()> {
        let mut state = self.answer()?;
        let ready = ExtensionHealth::Ready {
            version: "0.1.0".to_owned(),
            warning: None,
        };
        state.health.get_or_insert(ready);
        Ok(())
    }

    async fn health(&self, _: &ClusterAccess) -> Result<ExtensionHealth> {
        Ok(self
            .answer()?
            .health
            .clone()
            .unwrap_or(ExtensionHealth::Absent))
    }

    async fn missing_extension_rights(&self, _: &ClusterAccess) -> Result<Vec<String>> {
        self.answer().map(|state| state.extension_lacks.clone())
    }

    async fn grant_extension(&self, _: &ClusterAccess) -> Result<()> {
        self.answer_grant()?.extension_lacks.clear();
        Ok(())
    }

    async fn uninstall(&self, _: &ClusterAccess) -> Result<()> {
        self.answer()?.health = None;
        Ok(())
    }

    async fn grant(&self, vault: &VaultAccess) -> Result<bool> {
        let mut state = self.answer_grant()?;
        state.granted.insert(vault.vault_id.to_lowercase());
        Ok(true)
    }

    async fn revoke(&self, vault: &VaultAccess) -> Result<()> {
        self.answer()?
            .granted
            .remove(&vault.vault_id.to_lowercase());
        Ok(())
    }

    async fn is_granted(&self, vault: &VaultAccess) -> Result<bool> {
        Ok(self
            .answer()?
            .granted
            .contains(&vault.vault_id.to_lowercase()))
    }

    async fn missing_namespaces(&self, _: &ClusterAccess, names: &[String]) -> Result<Vec<String>> {
        let state = self.answer()?;
        Ok(names
            .iter()
            .filter(|name| !state.namespaces.contains(*name))
            .cloned()
            .collect())
    }

    async fn hook_problems(
        &self,
        _: &ClusterAccess,
        kind: HookKind,
        hooks: &[HookReference],
    ) -> Result<Vec<Problem>> {
        let state = self.answer()?;
        Ok(hooks
            .iter()
            .filter(|hook| !state.hooks.contains(&hook.to_string()))
            .map(|hook| {
                let message = format!("{} {hook} does not exist", kind.resource().0);
                Problem::new(kind.not_found(), message).at(kind.field())
            })
            .collect())
    }

    async fn extension(&self, vault: &VaultAccess) -> Result<Option<BackupExtensionStatus>> {
        let state = self.answer_vault(vault)?;
        Ok(Some(BackupExtensionStatus {
            version: "0.1.0".to_owned(),
            public_key: self.key.public_key_base64(),
            capabilities: state.capabilities.clone(),
            ready: matches!(state.health, Some(ExtensionHealth::Ready { .. })),
            ..BackupExtensionStatus::default()
        }))
    }

    async fn create(&self, vault: &VaultAccess, spec: &JobSpec) -> Result<()> {
        let mut state = self.answer_vault(vault)?;
        let id = match spec {
            JobSpec::Backup(spec) => spec.job_id,
            JobSpec::Restore(spec) => spec.job_id,
        };
        let mut status = JobStatus::default();
        if is_probe(spec) {
            status.state = JobState::Completed;
            status.preview = Some(BackupPreview {
                findings: state.probe_findings.clone(),
                ..BackupPreview::default()
            });
        } else {
            state.creates += 1;
        }
        let resource = Resource {
            spec: spec.clone(),
            status,
        };
        state.jobs.entry(id).or_insert(resource);
        if state.answers_lost {
            return Err(unreachable());
        }
        Ok(())
    }

    async fn observe(
        &self,
        vault: &VaultAccess,
        _: JobKind,
        job: Uuid,
    ) -> Result<Option<JobStatus>> {
        Ok(self
            .answer_vault(vault)?
            .jobs
            .get(&job)
            .map(|resource| resource.status.clone()))
    }

    async fn remove(&self, vault: &VaultAccess, _: JobKind, job: Uuid) -> Result<bool> {
        let removed = self.answer_vault(vault)?.jobs.remove(&job);
        // One that is done goes at once.
        Ok(removed.is_none_or(|resource| is_probe(&resource.spec)))
    }

    async fn jobs(&self, vault: &VaultAccess) -> Result<Vec<(JobKind, Uuid)>> {
        let state = self.answer_vault(vault)?;
        let kind = |resource: &Resource| match resource.spec {
            JobSpec::Backup(ref spec) if spec.mode == BackupMode::Preview => JobKind::Preview,
            JobSpec::Backup(ref spec) if spec.mode == BackupMode::Forget => JobKind::Forget,
            JobSpec::Backup(_) => JobKind::Backup,
            JobSpec::Restore(_) => JobKind::Restore,
        };
        Ok(state
            .jobs
            .iter()
            .map(|(id, resource)| (kind(resource), *id))
            .collect())
    }
}
