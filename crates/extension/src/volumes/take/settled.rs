//! What taking snapshots came to: the records for the recovery point, and the ledger brought to what is left.

use std::collections::BTreeMap;

use strongroom_core::Code;
use strongroom_core::volumes::{SnapshotClass, Verdict};
use strongroom_kubernetes::snapshots::{self, ContentState};

use super::{Taking, claim_of, refuse};
use crate::job::{JobFailure, is_unreachable};
use crate::point::volumes::{GroupRecord, SnapshotRecord, Without};
use crate::volumes::ledger::{self, Entry, Ledger};
use crate::volumes::remove;
use crate::volumes::wish::Wish;

/// The records of snapshots, by the names that their claims' wishes have.
type Records = BTreeMap<String, SnapshotRecord>;

impl Taking<'_> {
    /// The records of those that are ready.
    pub(super) async fn records(
        &mut self,
        classes: &[SnapshotClass],
    ) -> Result<Records, JobFailure> {
        let (cluster, owner) = (&self.attempt.environment.cluster, self.owner);
        let mut records = BTreeMap::new();
        if self.wishes.iter().all(|wish| wish.failed.is_some()) {
            return Ok(records);
        }
        let marked =
            snapshots::list_marked(cluster, &owner.extension, owner.recovery_point).await?;
        let mut contents: BTreeMap<String, ContentState> = marked
            .into_iter()
            .map(|content| (content.name.clone(), content))
            .collect();
        self.mark_again(&contents).await?;
        for wish in self.wishes.iter_mut().filter(|wish| wish.failed.is_none()) {
            let name = wish.content.clone().unwrap_or_default();
            let content = contents.remove(&name);
            let Some((content, handle)) = content.and_then(|one| Some((one.clone(), one.handle?)))
            else {
                let reason =
                    format!("the content {name} is gone or names no snapshot of the driver");
                wish.fail(Code::VolumeSnapshotFailed, reason);
                continue;
            };
            let class = classes.iter().find(|class| class.name == wish.class);
            let group = wish.group.and_then(|group| self.groups.get(group));
            let record = SnapshotRecord {
                handle,
                content: content.name,
                restore_size: content.restore_size,
                created: content.cut.or(wish.cut),
                class: wish.class.clone(),
                class_parameters: class
                    .map(|class| class.parameters.clone())
                    .unwrap_or_default(),
                secrets: content.secrets,
                group: group.map(|group| {
                    Box::new(GroupRecord {
                        name: group.name.clone(),
                        handle: group.handle.clone(),
                        content: group.content.clone().unwrap_or_default(),
                        class: group.class.clone(),
                    })
                }),
            };
            records.insert(wish.name.clone(), record);
        }
        Ok(records)
    }

    /// Marks contents again that have lost what says whose they are. When the sidecar begins it replaces all
    /// annotations by those that it knew a moment before.
    /// Source: `setAnnVolumeSnapshotBeingCreated`, external-snapshotter v8.6,
    /// `pkg/sidecar-controller/snapshot_controller.go`.
    async fn mark_again(
        &mut self,
        contents: &BTreeMap<String, ContentState>,
    ) -> Result<(), JobFailure> {
        let (cluster, owner) = (&self.attempt.environment.cluster, self.owner);
        for wish in self.wishes.iter_mut().filter(|wish| wish.failed.is_none()) {
            let content = wish.content.as_ref().and_then(|name| contents.get(name));
            let Some(content) = content.filter(|content| content.claim_uid != wish.uid) else {
                continue;
            };
            match snapshots::keep(cluster, owner, &claim_of(wish), &content.name).await {
                Ok(_marked) => {}
                Err(error) if is_unreachable(&error) => return Err(error.into()),
                Err(error) => refuse(wish, &error),
            }
        }
        Ok(())
    }

    /// Removes what is no part of the recovery point, and brings the ledger to what is left. None when nothing
    /// is. The VolumeSnapshots of what is kept go with the reconciliation after the job: nothing waits for it.
    pub(super) async fn settle(
        &self,
        mut ledger: Ledger,
        records: &Records,
    ) -> Result<Option<Ledger>, JobFailure> {
        let environment = &self.attempt.environment;
        self.judge_entries(&mut ledger, records);
        ledger.write(environment).await?;
        let point = ledger.recovery_point;
        let dropped = ledger.dropped();
        if !dropped.is_empty() {
            let left = remove::remove(environment, point, Some(&dropped))
                .await?
                .left;
            let is_left = |name: &str| left.iter().any(|one| one.snapshot == name);
            ledger.forget_dropped(is_left);
            ledger.write(environment).await?;
        }
        if ledger.is_empty() {
            ledger::delete(environment, point).await?;
            return Ok(None);
        }
        Ok(Some(ledger))
    }

    /// Says of each entry whether it is a part of the recovery point.
    fn judge_entries(&self, ledger: &mut Ledger, records: &Records) {
        for entry in &mut ledger.entries {
            entry.dropped = true;
        }
        for wish in &self.wishes {
            let Some(record) = records.get(&wish.name) else {
                continue;
            };
            // As a member of a group it has another name than it would have by itself, under which only an
            // earlier attempt may have asked for one.
            if wish.member.is_some() && self.attempt.number == 1 {
                ledger.entries.retain(|entry| entry.snapshot != wish.name);
            }
            ledger.name(Entry {
                namespace: wish.namespace.clone(),
                claim: wish.claim.clone(),
                uid: wish.uid.clone(),
                snapshot: wish.snapshot().to_owned(),
                content: record.content.clone(),
                dropped: false,
            });
        }
        for group in &mut ledger.groups {
            let of_group = |record: &&SnapshotRecord| {
                let of = record.group.as_ref();
                of.is_some_and(|of| of.name == group.name)
            };
            let kept = records.values().find(of_group);
            group.dropped = kept.is_none();
            if let Some(of) = kept.and_then(|record| record.group.as_ref()) {
                group.content.clone_from(&of.content);
            }
        }
    }

    /// What became of each claim.
    pub(super) fn outcomes(&self, records: &Records) -> Vec<Result<SnapshotRecord, Without>> {
        let wishes: BTreeMap<usize, &Wish> =
            self.wishes.iter().map(|wish| (wish.index, wish)).collect();
        let all = self.weighed.iter().enumerate();
        all.map(|(index, one)| match (&one.verdict, wishes.get(&index)) {
            (Verdict::Without { code, reason }, _) => Err(Without {
                code: code
                    .map(|code| code.as_str().to_owned())
                    .unwrap_or_default(),
                reason: reason.clone(),
            }),
            (Verdict::Snapshot { .. }, Some(wish)) => match records.get(&wish.name) {
                Some(record) => Ok(record.clone()),
                None => Err(wish.failed.clone().unwrap_or_default()),
            },
            (Verdict::Snapshot { .. }, None) => Err(Without::default()),
        })
        .collect()
    }
}
