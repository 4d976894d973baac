//! The journal of a freeze: a ConfigMap in the extension's namespace that says what is to be thawed.
//!
//! Contract: it is durable before the first command of a pre-hook runs, and each stage of the freeze is
//! written into it before that stage begins. It goes once the thaw was carried out. Every write names the
//! version before it, so that of two processes that think a freeze theirs one hears of the other. A
//! persisted format: fields are only ever added.

use std::pin::pin;
use std::time::Duration;

use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strongroom_core::hooks::{BackupHook, Plan, Target, is_due};
use strongroom_core::{Code, ResourceType};
use strongroom_kubernetes::apply::{self, Created, Propagation};
use strongroom_kubernetes::collect::Collector;
use strongroom_kubernetes::{ClusterError, Failure, MANAGED_BY, MANAGED_BY_LABEL};
use uuid::Uuid;

use crate::environment::Environment;
use crate::job::{JobFailure, Lost};

/// The label of journals; its value is the job.
const LABEL: &str = "clusterbackup.dataprotection.microsoft.com/frozen-by";
/// The key of what is to be thawed.
const KEY: &str = "thaw.json";
/// The key of the number of stages of the freeze that were begun.
const BEGUN: &str = "begun";
/// The key of who wrote last.
const BY: &str = "by";
/// The key of the version before the last write.
const AFTER: &str = "after";

/// One command of the thaw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Thaw {
    /// The hook, for reports.
    pub(super) hook: String,
    /// The first stage of the freeze that belongs to the hook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first: Option<usize>,
    /// The command.
    pub(super) command: Vec<String>,
    /// How long it may take.
    pub(super) timeout_millis: u64,
    /// Where it runs.
    pub(super) targets: Vec<Target>,
}

impl Thaw {
    /// How long the command may take.
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_millis)
    }
}

/// What is to be thawed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Journal {
    /// The job that freezes.
    pub(super) job: Uuid,
    /// The commands, in their order.
    pub(super) thaw: Vec<Thaw>,
}

impl Journal {
    /// The journal of a plan.
    pub(super) fn of(job: Uuid, hooks: &[BackupHook], plan: &Plan) -> Self {
        let thaw = plan.thaw.iter().map(|stage| Thaw {
            hook: hooks
                .get(stage.hook)
                .map_or_else(String::new, |hook| hook.name.clone()),
            first: plan.first_of(stage.hook),
            command: stage.action.command.clone(),
            timeout_millis: u64::try_from(stage.action.timeout.as_millis()).unwrap_or(u64::MAX),
            targets: stage.targets.clone(),
        });
        Self {
            job,
            thaw: thaw.collect(),
        }
    }
}

/// A journal as it stands in the cluster.
#[derive(Debug, Clone)]
pub(super) struct Entered {
    /// What is to be thawed.
    pub(super) journal: Journal,
    /// How many stages of the freeze were begun.
    pub(super) begun: usize,
    name: String,
    version: String,
}

impl Entered {
    /// Makes a journal durable. One that is there already was left by an attempt before this one.
    pub(super) async fn enter(
        environment: &Environment,
        journal: Journal,
    ) -> Result<Self, JobFailure> {
        let name = name_of(journal.job);
        let text = serde_json::to_string(&journal).map_err(not_understood)?;
        let object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": name,
                "namespace": environment.namespace,
                "labels": { MANAGED_BY_LABEL: MANAGED_BY, LABEL: journal.job },
            },
            "data": { KEY: text, BEGUN: "0" },
        });
        match apply::create(&environment.cluster, &kind(), &object).await? {
            Created::New(written) => Ok(Self {
                journal,
                begun: 0,
                version: version_of(&written.object),
                name,
            }),
            // The answer to the first sending was lost, or another process was quicker.
            Created::AlreadyExists => match of_job(environment, journal.job).await? {
                Some(live) if live.journal == journal && live.begun == 0 => Ok(live),
                _ => Err(Lost::TakenOver.into()),
            },
        }
    }

    /// Writes down that the next stage of the freeze is about to begin. `by` names who writes.
    pub(super) async fn begin(
        &mut self,
        environment: &Environment,
        by: &str,
    ) -> Result<(), JobFailure> {
        self.write(environment, self.begun.saturating_add(1), by)
            .await
    }

    /// Writes that this process is about to thaw: whoever freezes by this journal learns of it.
    pub(super) async fn claim(
        &mut self,
        environment: &Environment,
        by: &str,
    ) -> Result<(), JobFailure> {
        self.write(environment, self.begun, by).await
    }

    async fn write(
        &mut self,
        environment: &Environment,
        begun: usize,
        by: &str,
    ) -> Result<(), JobFailure> {
        let place = Some(environment.namespace.as_str());
        // The version before makes each write another one, also when the number does not change.
        let (number, after) = (begun.to_string(), self.version.clone());
        let change = json!({
            "metadata": { "resourceVersion": after },
            "data": { BEGUN: number, BY: by, AFTER: after },
        });
        let (cluster, kind) = (&environment.cluster, kind());
        let written = apply::patch_merge(cluster, &kind, place, &self.name, &change).await;
        let written = match written {
            Ok(written) => written.object,
            Err(error) if is_taken(&error) => {
                let live = apply::get(cluster, &kind, place, &self.name).await?;
                // A write whose answer was lost is sent again, and meets itself.
                let is_ours = |live: &Value| {
                    let data = &live["data"];
                    data[BEGUN] == *number && data[BY] == by && data[AFTER] == *after
                };
                live.filter(is_ours).ok_or(Lost::TakenOver)?
            }
            Err(error) => return Err(error.into()),
        };
        self.version = version_of(&written);
        self.begun = begun;
        Ok(())
    }

    /// The part of the thaw that is due, in its order.
    pub(super) fn due(&self) -> impl Iterator<Item = &Thaw> {
        let thaw = self.journal.thaw.iter();
        thaw.filter(|thaw| is_due(thaw.first, self.begun))
    }

    /// Removes it: the thaw was carried out.
    pub(super) async fn remove(&self, environment: &Environment) -> Result<(), ClusterError> {
        let place = Some(environment.namespace.as_str());
        let (kind, how) = (kind(), Propagation::Background);
        apply::delete(&environment.cluster, &kind, place, &self.name, None, how).await?;
        Ok(())
    }
}

/// The journal of a job, when it was left.
pub(super) async fn of_job(
    environment: &Environment,
    job: Uuid,
) -> Result<Option<Entered>, JobFailure> {
    let place = Some(environment.namespace.as_str());
    let found = apply::get(&environment.cluster, &kind(), place, &name_of(job)).await?;
    found.map(|object| parse(&object)).transpose()
}

/// All journals of this extension. One that is not understood is passed over with a word in the log: the
/// others must not wait for it.
pub(super) async fn all(environment: &Environment) -> Result<Vec<Entered>, JobFailure> {
    let collector = Collector::with_defaults(environment.cluster.clone());
    let (kind, place) = (kind(), Some(environment.namespace.as_str()));
    let mut pages = pin!(collector.pages(&kind, place, None, Some(LABEL)));
    let mut all = Vec::new();
    while let Some(page) = pages.try_next().await? {
        for item in page.items {
            let read: Result<Value, _> = item.raw.json().map_err(not_understood);
            match read.and_then(|object| parse(&object)) {
                Ok(entered) => all.push(entered),
                Err(error) => tracing::error!(%error, "a journal of a freeze was passed over"),
            }
        }
    }
    Ok(all)
}

fn parse(object: &Value) -> Result<Entered, JobFailure> {
    let data = &object["data"];
    let text = data[KEY].as_str().unwrap_or_default();
    let begun = data[BEGUN].as_str().and_then(|text| text.parse().ok());
    Ok(Entered {
        journal: serde_json::from_str(text).map_err(not_understood)?,
        // What cannot be read may have been begun.
        begun: begun.unwrap_or(usize::MAX),
        name: object["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        version: version_of(object),
    })
}

fn is_taken(error: &ClusterError) -> bool {
    matches!(
        error.failure,
        Failure::Conflict { .. } | Failure::NotFound { .. }
    )
}

fn name_of(job: Uuid) -> String {
    format!("frozen-by-{job}")
}

fn kind() -> ResourceType {
    ResourceType::new("", "v1", "ConfigMap", "configmaps", true)
}

fn version_of(object: &Value) -> String {
    object["metadata"]["resourceVersion"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn not_understood(error: serde_json::Error) -> JobFailure {
    let message = format!("the journal of a freeze is not understood: {error}");
    JobFailure::new(Code::InternalServerError, message)
}

#[cfg(test)]
mod tests {
    use strongroom_core::limits::{HOOK_COMMAND_BYTES, HOOK_RUNS_MAX};

    use super::*;

    #[test]
    fn a_journal_is_a_persisted_format() {
        let journal = Journal {
            job: Uuid::nil(),
            thaw: vec![Thaw {
                hook: "shop/freeze: db".into(),
                first: Some(0),
                command: vec!["unlock".into()],
                timeout_millis: 10_000,
                targets: vec![Target {
                    namespace: "shop".into(),
                    pod: "db-0".into(),
                    uid: "u".into(),
                    container: "db".into(),
                }],
            }],
        };
        let text = serde_json::to_string(&journal).unwrap();
        assert_eq!(
            text,
            r#"{"job":"00000000-0000-0000-0000-000000000000","thaw":[{"hook":"shop/freeze: db","first":0,"command":["unlock"],"timeoutMillis":10000,"targets":[{"namespace":"shop","pod":"db-0","uid":"u","container":"db"}]}]}"#
        );
        let object = json!({"metadata": {"name": "n"}, "data": {KEY: text, BEGUN: "0"}});
        let read = parse(&object).unwrap();
        assert_eq!(read.journal, journal);
        assert_eq!(read.due().count(), 0, "nothing was begun");
        let object = json!({"data": {KEY: text, BEGUN: "odd"}});
        assert_eq!(
            parse(&object).unwrap().due().count(),
            1,
            "what is in doubt is thawed"
        );
        assert!(parse(&json!({})).is_err());
    }

    #[test]
    fn the_largest_journal_fits_into_a_config_map() {
        let target = Target {
            namespace: "n".repeat(63),
            pod: "p".repeat(253),
            uid: "u".repeat(36),
            container: "c".repeat(63),
        };
        let each = serde_json::to_string(&target).unwrap().len() + 1;
        // A command is escaped to at most six times its bytes, when it is of control characters; of what
        // people write hardly a byte is.
        assert!(
            each * HOOK_RUNS_MAX + 2 * HOOK_COMMAND_BYTES < 1024 * 1024,
            "{each} bytes each"
        );
    }
}
