//! How a claim comes by its volume: from the snapshot that the recovery point names, or new and empty.
//!
//! The claim is created with a source of its own ([`provision`]), under a name that follows from job and
//! claim, so that another attempt finds what the one before it made. Whether the volume came is looked at
//! when all else is done ([`came`]); what was made for it is removed then, or later, when the job is long
//! over ([`leftovers`]). A claim that cannot get its data is created all the same, and waits: a StatefulSet
//! would make one that is missing by itself, empty, and the application would start without its data.
//!
//! Nothing is ever done to a claim that exists, or to its volume.

mod came;
pub(crate) mod leftovers;
mod offer;

use jiff::Timestamp;
use serde_json::Value;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::restore::volumes::{self, DataChoice};
use strongroom_core::{Code, ObjectRef, ResourceType};
use strongroom_kubernetes::snapshots::provision::{self, Readiness, Source};
use tokio::time::Instant;

use super::apply::Applier;
use super::item::Item;
use super::lines::{and, but};
use super::plan::Desired;
use crate::job::{JobFailure, object_code};
use crate::limits::{SOURCE_READY_WAIT, SOURCE_TROUBLE_WAIT, VOLUME_LOOK};
use crate::point::object_of;
use crate::point::volumes::{SnapshotRecord, VolumeRecord, find};

pub(super) use self::offer::Offer;

/// What stands in the way of a volume for as long as the restore runs: nothing is made for it.
const OBSTACLES: [Code; 3] = [
    Code::ResourceTypeNotServed,
    Code::VolumeDriverMissing,
    Code::StorageClassOfAnotherDriver,
];

/// What no volume comes of while the restore runs.
const IN_VAIN: [Code; 2] = [
    Code::UserErrorStorageClassMissingForPVC,
    Code::VolumeSnapshotNotUsable,
];

/// Where the data of a claim come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Data {
    /// It is no claim, has its own volume, or never had any data.
    Elsewhere,
    /// From a snapshot.
    Snapshot(Box<VolumeRecord>, SnapshotRecord),
    /// From nowhere, and that is meant.
    Empty(&'static str),
    /// From nowhere, although they are wanted.
    NotHeld(Code, String),
}

fn claims() -> ResourceType {
    let (kind, plural) = ("PersistentVolumeClaim", "persistentvolumeclaims");
    ResourceType::new("", "v1", kind, plural, true)
}

fn is_claim(resource: &ResourceType) -> bool {
    resource.is("", "PersistentVolumeClaim")
}

fn stands_for(line: &ObjectOutcome, codes: &[Code]) -> bool {
    let code = line.code.as_deref();
    codes.iter().any(|one| code == Some(one.as_str()))
}

impl Applier<'_> {
    /// Where the data of an entry come from.
    pub(super) async fn data_of(
        &self,
        item: &Item<'_>,
        desired: &Value,
    ) -> Result<Data, JobFailure> {
        if !is_claim(item.resource) {
            return Ok(Data::Elsewhere);
        }
        let object = object_of(item.resource, &item.entry.name);
        let namespace = object.namespace.unwrap_or_default();
        let criteria = &self.spec.criteria;
        let choice = criteria
            .volumes
            .of(criteria.restore_volumes, &namespace, &object.name);
        let record = match find(self.point, &namespace, &object.name).await {
            Ok(record) => record.unwrap_or_default(),
            Err(JobFailure::Final(problem)) if problem.code == Code::RecoveryPointCorrupt => {
                return Ok(match choice {
                    DataChoice::With => Data::NotHeld(problem.code, problem.message),
                    DataChoice::Without(why) => Data::Empty(why),
                });
            }
            Err(error) => return Err(error),
        };
        let names_a_volume = desired.pointer("/spec/volumeName").is_some();
        Ok(match (record.snapshot.clone(), choice) {
            (Some(snapshot), DataChoice::With) => Data::Snapshot(Box::new(record), snapshot),
            (None, _) if names_a_volume => Data::Elsewhere,
            (_, DataChoice::Without(why)) => Data::Empty(why),
            (None, DataChoice::With) => not_held(&record),
        })
    }

    /// The same line with what becomes of the data, and what stands in their way.
    pub(super) async fn with_data(
        &self,
        desired: &Desired,
        data: &Data,
        line: ObjectOutcome,
    ) -> Result<ObjectOutcome, JobFailure> {
        let (record, snapshot) = match data {
            Data::Elsewhere => return Ok(line),
            Data::Empty(why) => return Ok(and(line, &format!("without its data, as {why}"))),
            Data::NotHeld(code, why) => {
                let trouble = format!(
                    "the recovery point does not hold its data{why}: its volume is new and empty"
                );
                return Ok(but(line, *code, &trouble));
            }
            Data::Snapshot(record, snapshot) => (record, snapshot),
        };
        let line = and(line, &from_snapshot(snapshot));
        if let Some((code, trouble)) = self.obstacle(desired, record).await? {
            return Ok(but(
                line,
                code,
                &format!("{trouble}: it waits for its volume"),
            ));
        }
        let mut value = desired.value.clone();
        Ok(match volumes::raise(&mut value, snapshot.restore_size) {
            Some(raised) => but(line, Code::VolumeSizeRaised, &larger(&raised)),
            None => line,
        })
    }

    /// Why no volume can be made from a snapshot of this driver.
    async fn obstacle(
        &self,
        desired: &Desired,
        record: &VolumeRecord,
    ) -> Result<Option<(Code, String)>, JobFailure> {
        if self.target.check(&provision::snapshots()).is_err()
            || self.target.check(&provision::contents()).is_err()
        {
            let trouble = "the cluster does not serve volumesnapshots.snapshot.storage.k8s.io";
            return Ok(Some((Code::ResourceTypeNotServed, trouble.to_owned())));
        }
        let driver = &record.driver;
        if !self.offer.has_driver(self, driver).await? {
            let trouble = format!("no node has the CSI driver {driver}");
            return Ok(Some((Code::VolumeDriverMissing, trouble)));
        }
        let class = desired
            .value
            .pointer("/spec/storageClassName")
            .and_then(Value::as_str);
        let Some(class) = class.filter(|class| !class.is_empty()) else {
            return Ok(None);
        };
        let facts = self.offer.class(self, class).await?;
        Ok(facts
            .filter(|facts| facts.provisioner != *driver)
            .map(|facts| {
                let trouble = format!(
                    "the StorageClass {class} is of {}, the snapshot is of {driver}",
                    facts.provisioner
                );
                (Code::StorageClassOfAnotherDriver, trouble)
            }))
    }

    /// Makes what the claim takes its data from, and the claim take them from there.
    pub(super) async fn provide(
        &self,
        desired: &mut Desired,
        data: &Data,
        mut line: ObjectOutcome,
    ) -> Result<ObjectOutcome, JobFailure> {
        let Data::Snapshot(record, snapshot) = data else {
            return Ok(line);
        };
        let mut size = snapshot.restore_size;
        let source = self.source(&desired.object, record, snapshot).await?;
        if !stands_for(&line, &OBSTACLES) {
            match self.make(&source).await? {
                Ok(restore_size) => size = size.max(restore_size),
                Err((code, trouble)) => {
                    line = but(line, code, &format!("{trouble}: it waits for its volume"));
                }
            }
        }
        let raised = volumes::take_from_snapshot(&mut desired.value, &source.name, size);
        if let Some(raised) = raised.filter(|_| !stands_for(&line, &[Code::VolumeSizeRaised])) {
            line = but(line, Code::VolumeSizeRaised, &larger(&raised));
        }
        Ok(line)
    }

    async fn source(
        &self,
        object: &ObjectRef,
        record: &VolumeRecord,
        snapshot: &SnapshotRecord,
    ) -> Result<Source, JobFailure> {
        let namespace = object.namespace.clone().unwrap_or_default();
        let class = self
            .offer
            .snapshot_class(self, &snapshot.class, &record.driver);
        Ok(Source {
            name: provision::name(self.attempt.job, &namespace, &object.name),
            namespace,
            claim: object.name.clone(),
            restore: self.attempt.name.clone(),
            extension: self.attempt.environment.namespace.clone(),
            driver: record.driver.clone(),
            handle: snapshot.handle.clone(),
            volume_mode: record.volume_mode.clone(),
            class: class.await?,
            annotations: snapshot.secrets.clone(),
            reclaim_policy: self.reclaim_policy(&record.volume).await?,
        })
    }

    /// The reclaim policy of the volume that was backed up; empty when the recovery point does not hold it.
    async fn reclaim_policy(&self, volume: &str) -> Result<String, JobFailure> {
        let Some(run) = self.opened.sequence.run_of("", "PersistentVolume") else {
            return Ok(String::new());
        };
        let Some(entry) = self.point.find(&run.group, volume).await? else {
            return Ok(String::new());
        };
        let body = match self.point.read(&entry).await {
            Ok(body) => body,
            // It has its own line.
            Err(error) if error.is_corrupt() => return Ok(String::new()),
            Err(error) => return Err(error.into()),
        };
        let stored: Value = serde_json::from_slice(&body).unwrap_or_default();
        let policy = stored.pointer("/spec/persistentVolumeReclaimPolicy");
        let policy = policy.and_then(Value::as_str).unwrap_or_default();
        // The third one, Recycle, is of no CSI driver.
        let known = ["Retain", "Delete"].contains(&policy);
        Ok(if known {
            policy.to_owned()
        } else {
            String::new()
        })
    }

    /// Makes what a claim takes its data from, and waits until volumes can be made from it: asked sooner, a
    /// provisioner refuses and takes its time until it asks again. Returns the bytes that a volume needs.
    async fn make(&self, source: &Source) -> Result<Result<u64, (Code, String)>, JobFailure> {
        let cluster = &self.calls.cluster;
        let mut made = self
            .calls
            .send(|| provision::create_content(cluster, source))
            .await
            .outcome;
        if made.is_ok() {
            made = self
                .calls
                .send(|| provision::create_snapshot(cluster, source))
                .await
                .outcome;
        }
        if let Err(error) = made {
            if self.is_gone(&error).await {
                return Err(error.into());
            }
            let trouble = format!("what it takes its data from was refused: {error}");
            return Ok(Err((object_code(&error.failure), trouble)));
        }
        self.ready(source).await
    }

    async fn ready(&self, source: &Source) -> Result<Result<u64, (Code, String)>, JobFailure> {
        let environment = &self.attempt.environment;
        let limit = SOURCE_READY_WAIT.min(environment.unreachable_grace);
        let patience = SOURCE_TROUBLE_WAIT.min(environment.unreachable_grace);
        let pause = VOLUME_LOOK.min(environment.unreachable_pause);
        let began = Instant::now();
        let mut trouble: Option<Instant> = None;
        loop {
            let look = || provision::readiness(&self.calls.cluster, source);
            let why = match self.calls.send(look).await.outcome {
                Ok(Readiness::Ready { restore_size }) => return Ok(Ok(restore_size)),
                Ok(Readiness::Trouble(why)) => {
                    trouble.get_or_insert_with(Instant::now);
                    why
                }
                Ok(Readiness::Absent) => {
                    trouble.get_or_insert_with(Instant::now);
                    "somebody has removed what the claim takes its data from".to_owned()
                }
                Ok(Readiness::Waiting) => format!(
                    "nobody has looked for it within {} s; is the snapshot controller running?",
                    limit.as_secs()
                ),
                Err(error) if self.is_gone(&error).await => return Err(error.into()),
                Err(error) => error.to_string(),
            };
            let out_of_patience = trouble.is_some_and(|since| since.elapsed() >= patience);
            if out_of_patience || began.elapsed() >= limit {
                let trouble = format!("the snapshot {} cannot be used: {why}", source.handle);
                return Ok(Err((Code::VolumeSnapshotNotUsable, trouble)));
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Why a stored volume is left: its claim gets another one, or is not restored, and whatever claim of
    /// that name is made later would be bound to it instead of to one with its own data.
    pub(super) async fn volume_is_replaced(
        &self,
        item: &Item<'_>,
        stored: &Value,
    ) -> Result<Option<String>, JobFailure> {
        if !item.resource.is("", "PersistentVolume") {
            return Ok(None);
        }
        let text = |path: &str| stored.pointer(path).and_then(Value::as_str);
        let (Some(namespace), Some(name)) = (
            text("/spec/claimRef/namespace"),
            text("/spec/claimRef/name"),
        ) else {
            return Ok(None);
        };
        let selector = &self.opened.selector;
        if !selector.decide_type(&claims()).included {
            return Ok(None);
        }
        if !selector.decide_namespace(namespace).included {
            let provisioned = "/metadata/annotations/pv.kubernetes.io~1provisioned-by";
            let why =
                format!("it was made for the claim {namespace}/{name}, which is not restored");
            return Ok(text(provisioned).map(|_| why));
        }
        let record = match find(self.point, namespace, name).await {
            Ok(record) => record,
            // The claim's line says so.
            Err(JobFailure::Final(problem)) if problem.code == Code::RecoveryPointCorrupt => None,
            Err(error) => return Err(error),
        };
        let replaced = record
            .is_some_and(|record| record.snapshot.is_some() && record.volume == item.entry.name);
        Ok(replaced.then(|| format!("its claim {namespace}/{name} gets a volume of its own")))
    }

    /// The same line of a claim that exists, saying that nothing happens to its volume.
    pub(super) async fn with_data_left(
        &self,
        item: &Item<'_>,
        line: ObjectOutcome,
    ) -> Result<ObjectOutcome, JobFailure> {
        let stays = [Outcome::Unchanged, Outcome::Patched, Outcome::Skipped];
        if !is_claim(item.resource) || !stays.contains(&line.outcome) {
            return Ok(line);
        }
        Ok(match self.data_of(item, &Value::Null).await? {
            Data::Snapshot(..) => and(line, "its volume and the data on it are left as they are"),
            _ => line,
        })
    }
}

/// Why a record without a snapshot holds no data.
fn not_held(record: &VolumeRecord) -> Data {
    let Some(without) = &record.without else {
        return Data::NotHeld(Code::VolumeDataNotProtected, String::new());
    };
    match Code::parse(&without.code) {
        // There were none.
        Some(Code::UserErrorPVCNotBoundToVolume) => Data::Elsewhere,
        code => {
            let code = code.unwrap_or(Code::VolumeDataNotProtected);
            Data::NotHeld(code, format!(" ({})", without.reason))
        }
    }
}

fn from_snapshot(snapshot: &SnapshotRecord) -> String {
    let handle = &snapshot.handle;
    match snapshot.created {
        Some(created) => format!(
            "its data come from the snapshot {handle} of {}",
            seconds(created)
        ),
        None => format!("its data come from the snapshot {handle}"),
    }
}

/// A time without parts of seconds.
fn seconds(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second())
        .unwrap_or(time)
        .to_string()
}

fn larger(raised: &volumes::Raised) -> String {
    let from = if raised.from.is_empty() {
        "nothing"
    } else {
        &raised.from
    };
    format!(
        "it asks for {} instead of {from}, which its snapshot needs",
        raised.to
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::volumes::Without;

    fn record(without: Option<(&str, &str)>) -> VolumeRecord {
        VolumeRecord {
            without: without.map(|(code, reason)| Without {
                code: code.to_owned(),
                reason: reason.to_owned(),
            }),
            ..VolumeRecord::default()
        }
    }

    #[test]
    fn a_claim_without_a_snapshot_says_what_the_backup_said_of_it() {
        let code = Code::VolumeDataNotProtected;
        assert_eq!(not_held(&record(None)), Data::NotHeld(code, String::new()));
        let foreign = not_held(&record(Some(("FromTheFuture", "no driver"))));
        assert_eq!(foreign, Data::NotHeld(code, " (no driver)".to_owned()));
        let failed = not_held(&record(Some(("VolumeSnapshotFailed", "quota"))));
        let expected = Data::NotHeld(Code::VolumeSnapshotFailed, " (quota)".to_owned());
        assert_eq!(failed, expected);
    }

    #[test]
    fn a_claim_that_had_no_volume_is_without_data_as_it_was() {
        let unbound = record(Some(("UserErrorPVCNotBoundToVolume", "it is pending")));
        assert_eq!(not_held(&unbound), Data::Elsewhere);
    }

    #[test]
    fn the_source_of_data_is_named_with_its_moment() {
        let mut snapshot = SnapshotRecord {
            handle: "snap-7".to_owned(),
            ..SnapshotRecord::default()
        };
        assert_eq!(
            from_snapshot(&snapshot),
            "its data come from the snapshot snap-7"
        );
        snapshot.created = Some("2026-11-22T21:00:00.5Z".parse().unwrap());
        assert!(from_snapshot(&snapshot).ends_with("snap-7 of 2026-11-22T21:00:00Z"));
    }
}
