//! The journal of a freeze: a ConfigMap in the extension's namespace that says what is to be thawed.
//!
//! Contract: it is durable before the first command of a pre-hook runs, and each stage of the freeze is
//! written into it before that stage begins. It goes once the thaw was carried out. A stage whose end was not
//! seen in all pods is in doubt: its command may take effect behind the thaw. A persisted format: fields are
//! only ever added.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use strongroom_core::Code;
use strongroom_core::hooks::{BackupHook, Plan, Target, is_due};
use strongroom_kubernetes::ClusterError;
use strongroom_kubernetes::collect::Collector;
use uuid::Uuid;

use super::record::{self, Record};
use crate::environment::Environment;
use crate::job::{JobFailure, Lost};

/// The label of journals; its value is the job.
const LABEL: &str = "clusterbackup.dataprotection.microsoft.com/frozen-by";
/// The key of what is to be thawed.
const KEY: &str = "thaw.json";
/// The key of the number of stages of the freeze that were begun.
const BEGUN: &str = "begun";
/// The key of the stages of the freeze that are in doubt, as in `0,2`.
const DOUBTS: &str = "doubts";

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

/// One stage of the freeze, as far as the thaw must know it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Froze {
    /// The first stage of the same hook.
    #[serde(rename = "f")]
    first: usize,
    /// How long its command may take, in milliseconds.
    #[serde(rename = "t")]
    timeout_millis: u64,
}

/// What is to be thawed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Journal {
    /// The job that freezes.
    pub(super) job: Uuid,
    /// The commands, in their order.
    pub(super) thaw: Vec<Thaw>,
    /// The stages of the freeze.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) froze: Vec<Froze>,
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
            timeout_millis: millis(stage.action.timeout),
            targets: stage.targets.clone(),
        });
        let froze = plan.freeze.iter().enumerate().map(|(at, stage)| Froze {
            first: plan.first_of(stage.hook).unwrap_or(at),
            timeout_millis: millis(stage.action.timeout),
        });
        Self {
            job,
            thaw: thaw.collect(),
            froze: froze.collect(),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A journal as it stands in the cluster.
#[derive(Debug, Clone)]
pub(super) struct Entered {
    /// What is to be thawed.
    pub(super) journal: Journal,
    /// How many stages of the freeze were begun.
    pub(super) begun: usize,
    /// Stages of the freeze whose end was not seen.
    doubts: BTreeSet<usize>,
    record: Record,
}

impl Entered {
    /// Makes a journal durable. One that is there already was left by an attempt before this one.
    pub(super) async fn enter(
        environment: &Environment,
        journal: Journal,
    ) -> Result<Self, JobFailure> {
        let name = name_of(journal.job);
        let text = serde_json::to_string(&journal).map_err(not_understood)?;
        let labels = Map::from_iter([(LABEL.to_owned(), json!(journal.job))]);
        let data = json!({ KEY: text, BEGUN: "0", DOUBTS: "" });
        let made = Record::create(environment, &name, (labels, Value::Null), &data).await?;
        match made {
            Some(record) => Ok(Self {
                journal,
                begun: 0,
                doubts: BTreeSet::new(),
                record,
            }),
            // The answer to the first sending was lost, or another process was quicker.
            None => match of_job(environment, journal.job).await? {
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
        self.doubts.insert(self.begun);
        self.write(environment, self.begun.saturating_add(1), by)
            .await
    }

    /// Takes in that the end of the stage that was begun last was seen in all pods.
    pub(super) fn end_seen(&mut self) {
        self.doubts.remove(&self.begun.saturating_sub(1));
    }

    /// Writes down which ends were seen, so that whoever takes over need not thaw twice.
    pub(super) async fn note(
        &mut self,
        environment: &Environment,
        by: &str,
    ) -> Result<(), JobFailure> {
        self.write(environment, self.begun, by).await
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
        let doubts: Vec<String> = self.doubts.iter().map(ToString::to_string).collect();
        let entries = Map::from_iter([
            (BEGUN.to_owned(), json!(begun.to_string())),
            (DOUBTS.to_owned(), json!(doubts.join(","))),
        ]);
        self.record.write(environment, by, entries).await?;
        self.begun = begun;
        Ok(())
    }

    /// The part of the thaw that is due, in its order.
    pub(super) fn due(&self) -> impl Iterator<Item = &Thaw> {
        let thaw = self.journal.thaw.iter();
        thaw.filter(|thaw| is_due(thaw.first, self.begun))
    }

    /// How long after the thaw what is in doubt may still take effect; none when nothing is. A command had
    /// this long to end, and nothing ends it in its container: it is given as long again.
    pub(super) fn doubtful_for(&self) -> Option<Duration> {
        let froze = self.doubts.iter().map(|at| self.journal.froze.get(*at));
        let longest = froze.map(|froze| froze.map_or(0, |froze| froze.timeout_millis));
        longest.max().map(Duration::from_millis)
    }

    /// The part of the thaw that is to run once more then.
    pub(super) fn due_again(&self) -> impl Iterator<Item = &Thaw> {
        let hooks = self.doubts.iter().filter_map(|at| {
            let froze = self.journal.froze.get(*at)?;
            Some(froze.first)
        });
        let hooks: BTreeSet<usize> = hooks.collect();
        let is_doubtful =
            move |thaw: &&Thaw| thaw.first.is_some_and(|first| hooks.contains(&first));
        self.due().filter(is_doubtful)
    }

    /// Removes it: the thaw was carried out.
    pub(super) async fn remove(&self, environment: &Environment) -> Result<(), ClusterError> {
        self.record.remove(environment).await
    }
}

/// The journal of a job, when it was left.
pub(super) async fn of_job(
    environment: &Environment,
    job: Uuid,
) -> Result<Option<Entered>, JobFailure> {
    let found = Record::read(environment, &name_of(job)).await?;
    found.map(|object| parse(&object)).transpose()
}

/// All journals of this extension. One that is not understood is passed over with a word in the log: the
/// others must not wait for it.
pub(super) async fn all(environment: &Environment) -> Result<Vec<Entered>, JobFailure> {
    let collector = Collector::with_defaults(environment.cluster.clone());
    let (kind, place) = (record::kind(), Some(environment.namespace.as_str()));
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
    let doubts = data[DOUBTS].as_str().unwrap_or_default().split(',');
    Ok(Entered {
        journal: serde_json::from_str(text).map_err(not_understood)?,
        // What cannot be read may have been begun.
        begun: begun.unwrap_or(usize::MAX),
        doubts: doubts.filter_map(|at| at.parse().ok()).collect(),
        record: Record::of(object),
    })
}

fn name_of(job: Uuid) -> String {
    format!("frozen-by-{job}")
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
            froze: vec![
                Froze {
                    first: 0,
                    timeout_millis: 30_000,
                };
                2
            ],
        };
        let text = serde_json::to_string(&journal).unwrap();
        assert_eq!(
            text,
            r#"{"job":"00000000-0000-0000-0000-000000000000","thaw":[{"hook":"shop/freeze: db","first":0,"command":["unlock"],"timeoutMillis":10000,"targets":[{"namespace":"shop","pod":"db-0","uid":"u","container":"db"}]}],"froze":[{"f":0,"t":30000},{"f":0,"t":30000}]}"#
        );
        let object = json!({"metadata": {"name": "n"}, "data": {KEY: text, BEGUN: "0"}});
        let read = parse(&object).unwrap();
        assert_eq!(read.journal, journal);
        assert_eq!(read.due().count(), 0, "nothing was begun");
        assert_eq!(read.doubtful_for(), None);
        let object = json!({"data": {KEY: text, BEGUN: "odd"}});
        assert_eq!(
            parse(&object).unwrap().due().count(),
            1,
            "what is in doubt is thawed"
        );
        assert!(parse(&json!({})).is_err());
    }

    #[test]
    fn what_is_in_doubt_is_thawed_again_once_its_command_has_had_its_time() {
        let thaw = |first| Thaw {
            first,
            ..Thaw::default()
        };
        let froze = |first, timeout_millis| Froze {
            first,
            timeout_millis,
        };
        let journal = Journal {
            job: Uuid::nil(),
            thaw: vec![thaw(Some(2)), thaw(Some(0)), thaw(None)],
            froze: vec![froze(0, 10), froze(0, 30), froze(2, 20)],
        };
        let text = serde_json::to_string(&journal).unwrap();
        let object = json!({"data": {KEY: text, BEGUN: "2", DOUBTS: "0,1"}});
        let mut read = parse(&object).unwrap();
        assert_eq!(read.due().count(), 2);
        assert_eq!(read.due_again().collect::<Vec<_>>(), [&thaw(Some(0))]);
        assert_eq!(read.doubtful_for(), Some(Duration::from_millis(30)));
        read.end_seen();
        assert_eq!(read.doubtful_for(), Some(Duration::from_millis(10)));
        read.doubts.clear();
        assert_eq!((read.doubtful_for(), read.due_again().count()), (None, 0));
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
        let froze = Froze {
            first: HOOK_RUNS_MAX,
            timeout_millis: 300_000,
        };
        let each = each + serde_json::to_string(&froze).unwrap().len() + 1;
        // A command is escaped to at most six times its bytes, when it is of control characters; of what
        // people write hardly a byte is.
        assert!(
            each * HOOK_RUNS_MAX + 2 * HOOK_COMMAND_BYTES < 1024 * 1024,
            "{each} bytes each"
        );
    }
}
