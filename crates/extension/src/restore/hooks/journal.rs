//! Which commands of a restore's hooks were begun and which have ended: a ConfigMap in the extension's
//! namespace.
//!
//! Contract: a command is written down before it begins and once it has ended, so that no later attempt runs
//! it again. The ConfigMap belongs to the job's custom resource and goes with it: an attempt that is killed
//! after its last command must find it. A persisted format: fields are only ever added.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use strongroom_core::hooks::{Stage, Target};
use strongroom_core::report::{ObjectOutcome, Outcome};

use crate::hooks::record::Record;
use crate::hooks::run::pod_named;
use crate::job::{Attempt, JobFailure, Lost};
use crate::limits::HOOK_END_BYTES;

/// The label of journals; its value is the job.
const LABEL: &str = "clusterbackup.dataprotection.microsoft.com/hooks-of";

/// One command in one container: the key of its entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key(String);

impl Key {
    /// Pods are told apart by their uids: a new one of the same name is another one.
    pub(super) fn of(stage: &Stage, target: &Target) -> Self {
        let Target { uid, container, .. } = target;
        Self(format!(
            "run.{}.{}.{uid}.{container}",
            stage.hook, stage.place
        ))
    }
}

/// How far a command has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    /// What came of it; none when it was begun and its end is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    /// The beginning of its line in the report.
    #[serde(skip_serializing_if = "String::is_empty")]
    told: String,
    /// The time that it took.
    millis: u64,
}

/// The journal of one restore.
#[derive(Debug)]
pub(super) struct Journal<'a> {
    attempt: &'a Attempt,
    /// What earlier attempts left.
    found: Map<String, Value>,
    /// None before the first command.
    record: Option<Record>,
}

impl<'a> Journal<'a> {
    /// Reads what earlier attempts left.
    pub(super) async fn open(attempt: &'a Attempt) -> Result<Self, JobFailure> {
        let live = Record::read(&attempt.environment, &name_of(attempt)).await?;
        Ok(Self {
            attempt,
            record: live.as_ref().map(Record::of),
            found: match live {
                Some(Value::Object(mut live)) => match live.remove("data") {
                    Some(Value::Object(data)) => data,
                    _ => Map::new(),
                },
                _ => Map::new(),
            },
        })
    }

    /// The line of a command that an earlier attempt began; `unheard` makes that of one whose end is not
    /// known.
    pub(super) fn told(
        &self,
        key: &Key,
        target: &Target,
        unheard: impl FnOnce() -> ObjectOutcome,
    ) -> Option<ObjectOutcome> {
        let found = self.found.get(&key.0)?.as_str().unwrap_or_default();
        // What cannot be read was begun.
        let entry: Entry = serde_json::from_str(found).unwrap_or_default();
        Some(match entry.outcome {
            None => unheard(),
            Some(outcome) => {
                let pod = pod_named(&target.namespace, &target.pod);
                ObjectOutcome::new(pod, outcome, entry.told).with_millis(entry.millis)
            }
        })
    }

    /// Writes down that commands are about to begin.
    pub(super) async fn begin(&mut self, keys: &[Key]) -> Result<(), JobFailure> {
        let begun = keys.iter().map(|key| (key, Entry::default()));
        self.write(begun).await
    }

    /// Writes down what came of them.
    pub(super) async fn end(
        &mut self,
        keys: &[Key],
        lines: &[ObjectOutcome],
    ) -> Result<(), JobFailure> {
        let ended = keys.iter().zip(lines).map(|(key, line)| {
            let entry = Entry {
                outcome: Some(line.outcome),
                told: beginning(&line.reason),
                millis: line.millis,
            };
            (key, entry)
        });
        self.write(ended).await
    }

    async fn write<'k>(
        &mut self,
        entries: impl Iterator<Item = (&'k Key, Entry)>,
    ) -> Result<(), JobFailure> {
        let entries: Map<String, Value> = entries
            .map(|(key, entry)| (key.0.clone(), json!(json!(entry).to_string())))
            .collect();
        let (environment, by) = (
            &self.attempt.environment,
            format!("attempt {}", self.attempt.number),
        );
        if let Some(record) = &mut self.record {
            return record.write(environment, &by, entries).await;
        }
        let labels = Map::from_iter([(LABEL.to_owned(), json!(self.attempt.job))]);
        let owners = json!([self.attempt.status.owner_reference()]);
        let name = name_of(self.attempt);
        let data = Value::Object(entries);
        let made = Record::create(environment, &name, (labels, owners), &data).await?;
        self.record = match made {
            Some(record) => Some(record),
            // The answer to the first sending was lost, or another process was quicker.
            None => match Record::read(environment, &name).await? {
                Some(live) if live["data"] == data => Some(Record::of(&live)),
                _ => return Err(Lost::TakenOver.into()),
            },
        };
        Ok(())
    }
}

/// The beginning of a text, in a bounded number of bytes however it is escaped.
fn beginning(text: &str) -> String {
    let mut kept = String::new();
    for one in text.chars() {
        let plain = !one.is_control() && !matches!(one, '"' | '\\');
        let one = if plain { one } else { ' ' };
        if kept.len() + one.len_utf8() > HOOK_END_BYTES {
            kept.push('…');
            break;
        }
        kept.push(one);
    }
    kept
}

fn name_of(attempt: &Attempt) -> String {
    format!("hooks-of-{}", attempt.job)
}

#[cfg(test)]
mod tests {
    use strongroom_core::limits::HOOK_RUNS_MAX;

    use super::*;

    #[test]
    fn an_entry_is_a_persisted_format() {
        let entry = Entry {
            outcome: Some(Outcome::Ran),
            told: "it ended well".to_owned(),
            millis: 7,
        };
        let text = r#"{"outcome":"Ran","told":"it ended well","millis":7}"#;
        assert_eq!(json!(entry).to_string(), {
            let value: Value = serde_json::from_str(text).unwrap();
            value.to_string()
        });
        assert_eq!(serde_json::from_str::<Entry>(text).unwrap(), entry);
        let begun: Entry = serde_json::from_str(r#"{"millis":0}"#).unwrap();
        assert_eq!(begun.outcome, None);
    }

    #[test]
    fn the_largest_journal_fits_into_a_config_map() {
        let entry = Entry {
            outcome: Some(Outcome::Failed),
            told: beginning(&"\"\u{1}ä".repeat(1_000)),
            millis: u64::MAX,
        };
        let key = format!("run.4096.64.{}.{}", "u".repeat(36), "c".repeat(63));
        let each = key.len() + json!(entry).to_string().len();
        assert!(each * HOOK_RUNS_MAX < 1024 * 1024, "{each} bytes each");
        assert!(entry.told.ends_with('…'));
        assert_eq!(beginning("it ended\nwell"), "it ended well");
    }
}
