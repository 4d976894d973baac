//! Volumes that share one instant, by the test cluster's driver: what is kept, what is given up for single
//! snapshots, and that nothing stays behind wherever a backup dies.

use std::time::Duration;

use serde_json::{Value, json};
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_extension::crash::CrashPoints;
use strongroom_extension::volumes::Reconciled;
use strongroom_kubernetes::apply::{self as objects, Propagation};
use strongroom_kubernetes::crd::{BackupSpec, JobState, JobStatus};
use strongroom_kubernetes::snapshots::group::{self, GroupApi};
use strongroom_kubernetes::snapshots::{ContentState, GroupContentState, GroupState};
use strongroom_kubernetes::{Cluster, FIELD_MANAGER, jobs};

use super::super::killed_at;
use super::super::stage::{PATIENCE, Stage};
use super::shop::{Shop, claims, driver_file, is_on_disk};

const LOOK: Duration = Duration::from_millis(50);
/// The test cluster's driver.
const DRIVER: &str = "loop.csi.local";

/// The driver's one VolumeGroupSnapshotClass, for as long as this lives.
struct Groups {
    cluster: Cluster,
    api: GroupApi,
}

impl Groups {
    /// With these faults (`tests/cluster/csi-loop/faults.go`). None where the cluster has no group snapshots.
    async fn of_driver(cluster: &Cluster, parameters: &Value) -> Option<Self> {
        let Some(api) = GroupApi::of(cluster).await.unwrap() else {
            println!("left out: the cluster serves no group snapshots");
            return None;
        };
        let this = Self {
            cluster: cluster.clone(),
            api,
        };
        this.end().await;
        let kind = this.api.classes();
        let class = json!({"apiVersion": kind.api_version(), "kind": kind.kind,
            "metadata": {"name": "strongroom-groups"}, "driver": DRIVER,
            "deletionPolicy": "Delete", "parameters": parameters});
        objects::patch_apply(cluster, &kind, &class, FIELD_MANAGER, true)
            .await
            .unwrap();
        Some(this)
    }

    async fn end(&self) {
        let (kind, how) = (self.api.classes(), Propagation::Background);
        let name = "strongroom-groups";
        let _gone = objects::delete(&self.cluster, &kind, None, name, None, how).await;
    }

    /// The groups of a shop and their contents.
    async fn all(&self, shop: &Shop<'_>) -> (Vec<GroupState>, Vec<GroupContentState>) {
        let extension = &shop.stage.namespace;
        let groups = group::list_groups(&self.cluster, &self.api, extension, None);
        let ours = |one: &GroupContentState| one.made_for.0 == shop.namespace;
        let contents = group::list_group_contents(&self.cluster, &self.api, ours);
        (groups.await.unwrap(), contents.await.unwrap())
    }

    /// That neither groups nor snapshots of a shop are left, once the reconciler has looked after what took
    /// its time.
    async fn are_swept(&self, shop: &Shop<'_>, what: &str) {
        let swept = async {
            while shop.reconcile().await.left > 0
                || shop.all().await != (vec![], vec![])
                || self.all(shop).await != (vec![], vec![])
                || !shop.members().await.is_empty()
            {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(PATIENCE, swept).await.is_err() {
            panic!(
                "{what}: left: {:#?} {:#?}",
                shop.all().await,
                self.all(shop).await
            );
        }
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(self.end());
        });
    }
}

impl Shop<'_> {
    async fn label(&self, claim: &str, labels: Value) {
        let (cluster, namespace) = (&self.stage.cluster, Some(self.namespace.as_str()));
        let changes = json!({"metadata": {"labels": labels}});
        objects::patch_merge(cluster, &claims(), namespace, claim, &changes)
            .await
            .unwrap();
    }

    /// The lines on groups.
    async fn group_lines(&self, backup: &BackupSpec, status: &JobStatus) -> Vec<ObjectOutcome> {
        let mut lines = self.stage.report(backup.job_id, status).await;
        lines.retain(|line| line.object.kind == "VolumeGroupSnapshot");
        lines
    }

    /// The VolumeSnapshots in the namespace.
    async fn members(&self) -> Vec<String> {
        let namespace = Some(self.namespace.as_str());
        let all = group::list_members(&self.stage.cluster, namespace, |_| true).await;
        all.unwrap().into_iter().map(|one| one.name).collect()
    }

    /// That a recovery point has these contents, all of which stand by themselves as members of one group.
    async fn are_members(&self, backup: &BackupSpec, count: usize, what: &str) -> Vec<String> {
        let contents = self.contents(backup.recovery_point_id).await;
        assert_eq!(contents.len(), count, "{what}: {contents:#?}");
        let standing = |one: &ContentState| one.retained && one.ready;
        assert!(contents.iter().all(standing), "{what}: {contents:#?}");
        let group = contents[0].group.clone();
        assert!(group.is_some(), "{what}: {contents:#?}");
        let cut = contents[0].cut;
        for one in &contents {
            assert_eq!((&one.group, one.cut), (&group, cut), "{what}");
        }
        contents.into_iter().filter_map(|one| one.handle).collect()
    }
}

/// How often the driver was asked for a group of this handle, and of how many volumes it was; none where its
/// files are not on this machine.
fn groups_cut(handle: &str) -> Option<usize> {
    let calls = driver_file("calls.jsonl")?;
    let calls = calls
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut of_group = calls
        .filter(|call| call["call"] == "CreateVolumeGroupSnapshot" && call["snapshot"] == handle);
    let volumes = of_group.next()?["volume"].as_str()?.split(',').count();
    Some(volumes)
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_of_one_driver_share_an_instant_outlive_their_namespace_and_go_together() {
    let Some(stage) = Stage::new("groups").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "grouped", 3).await else {
        return;
    };
    let Some(groups) = Groups::of_driver(&stage.cluster, &json!({})).await else {
        return;
    };
    let backup = shop.backup();
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    let told = shop.group_lines(&backup, &status).await;
    let lines = shop.claim_lines(&backup, &status).await;
    assert_eq!(status.state, JobState::Completed, "{told:#?} {lines:#?}");
    assert_eq!(status.volumes, 3);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0].outcome, Outcome::BackedUp);
    for words in [
        "3 volumes of driver loop.csi.local were snapshotted at one instant",
        "by class strongroom-groups (it is the driver's only one): data-0, data-1, data-2",
    ] {
        assert!(told[0].reason.contains(words), "{told:#?}");
    }
    let words = format!(
        "at one instant with the others of group {}",
        told[0].object.name
    );
    assert!(
        lines.iter().all(|line| line.reason.contains(&words)),
        "{lines:#?}"
    );
    let handles = shop.are_members(&backup, 3, "taken").await;
    shop.reconcile().await;
    assert_eq!(
        shop.members().await,
        [""; 0],
        "nothing stays in the namespace"
    );
    let (asked, contents) = groups.all(&shop).await;
    assert_eq!(asked, []);
    assert_eq!(contents.len(), 1);
    assert!(contents[0].retained);
    let group = contents[0].handle.clone().unwrap();
    assert!(groups_cut(&group).is_none_or(|volumes| volumes == 3));
    let ledger = shop.ledger(backup.recovery_point_id).await.unwrap();
    assert_eq!(ledger["state"], "Kept");
    assert_eq!(ledger["entries"].as_array().unwrap().len(), 3);
    assert_eq!(ledger["groups"][0]["vgsc"], contents[0].name.as_str());

    shop.close().await;
    assert_eq!(shop.reconcile().await, Reconciled::default());
    shop.are_members(&backup, 3, "without its namespace").await;
    let restore = stage.restore_of(&backup);
    let restored = stage.run_restore(&restore, CrashPoints::none()).await;
    assert_eq!(restored.state, JobState::Completed, "{restored:#?}");
    for n in 0..3 {
        shop.until_bound(&format!("data-{n}")).await;
    }
    shop.are_members(&backup, 3, "restored from").await;

    let forgotten = stage.forget(&backup).await;
    assert_eq!(forgotten.state, JobState::Completed, "{forgotten:#?}");
    assert_eq!(forgotten.volumes, 3);
    groups.are_swept(&shop, "forgotten").await;
    assert_eq!(shop.ledger(backup.recovery_point_id).await, None);
    for handle in &handles {
        assert_ne!(is_on_disk(handle), Some(true), "{handle}");
    }
    let again = stage.forget(&backup).await;
    assert_eq!((again.state, again.volumes), (JobState::Completed, 0));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_killed_anywhere_has_its_group_once() {
    let Some(stage) = Stage::new("groups-killed").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "groups-killed", 2).await else {
        return;
    };
    let Some(groups) = Groups::of_driver(&stage.cluster, &json!({})).await else {
        return;
    };
    for place in [
        "snapshot:before",
        "group:before",
        "group:during",
        "group:after",
        "snapshot:during",
        "snapshot:after",
        "seal:before",
        "seal:after",
    ] {
        let backup = shop.backup();
        let status = stage.run_backup(&backup, killed_at(place)).await;
        assert_eq!(status.state, JobState::Completed, "{place}: {status:#?}");
        assert_eq!((status.attempt, status.volumes), (2, 2), "{place}");
        shop.are_members(&backup, 2, place).await;
        shop.reconcile().await;
        assert_eq!(groups.all(&shop).await.1.len(), 1, "{place}");
        let ledger = shop.ledger(backup.recovery_point_id).await.unwrap();
        assert_eq!(ledger["state"], "Kept", "{place}");
        assert_eq!(
            ledger["entries"].as_array().unwrap().len(),
            2,
            "{place}: {ledger:#}"
        );
        let forgotten = stage.forget(&backup).await;
        assert_eq!(
            forgotten.state,
            JobState::Completed,
            "{place}: {forgotten:#?}"
        );
        groups.are_swept(&shop, place).await;
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_with_a_group_that_is_cancelled_with_its_extension_leaves_nothing() {
    let Some(stage) = Stage::new("groups-cancelled").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "groups-cancelled", 2).await else {
        return;
    };
    let Some(groups) = Groups::of_driver(&stage.cluster, &json!({})).await else {
        return;
    };
    for place in [
        "group:before",
        "group:during",
        "group:after",
        "snapshot:after",
    ] {
        let backup = shop.backup();
        stage.die_in_backup(&backup, killed_at(place)).await;
        jobs::delete_backup(&stage.cluster, &stage.namespace, backup.job_id)
            .await
            .unwrap();
        let ledger = shop.ledger(backup.recovery_point_id).await;
        assert!(ledger.is_some(), "{place}");
        groups.are_swept(&shop, place).await;
        assert_eq!(shop.ledger(backup.recovery_point_id).await, None, "{place}");
        let left =
            driver_file("state.json").map(|text| -> Value { serde_json::from_str(&text).unwrap() });
        assert!(
            left.is_none_or(|left| left["Groups"] == json!({})),
            "{place}"
        );
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_a_driver_does_not_take_costs_the_instant_and_not_the_data() {
    let Some(mut stage) = Stage::new("groups-refused").await else {
        return;
    };
    stage.waits.group = Duration::from_secs(3);
    stage.waits.group_trouble = Duration::from_secs(1);
    let Some(shop) = Shop::open(&stage, "groups-refused", 2).await else {
        return;
    };
    for (what, parameters, words) in [
        (
            "it has none",
            json!({"failWith": "Unimplemented"}),
            "the storage takes no more snapshots",
        ),
        (
            "it hangs",
            json!({"cutMillis": "6000"}),
            "had not cut it after",
        ),
    ] {
        let Some(groups) = Groups::of_driver(&stage.cluster, &parameters).await else {
            return;
        };
        let backup = shop.backup();
        let status = stage.run_backup(&backup, CrashPoints::none()).await;
        let told = shop.group_lines(&backup, &status).await;
        assert_eq!(
            (status.state, status.volumes),
            (JobState::CompletedWithWarnings, 2),
            "{what}: {told:#?}"
        );
        let code = told[0].code.as_deref();
        assert_eq!(code, Some("VolumeGroupSnapshotFailed"), "{what}: {told:#?}");
        assert!(told[0].reason.contains(words), "{what}: {told:#?}");
        let contents = shop.contents(backup.recovery_point_id).await;
        assert!(contents.iter().all(|one| one.group.is_none()), "{what}");
        assert_eq!(contents.len(), 2, "{what}");
        stage.forget(&backup).await;
        groups.are_swept(&shop, what).await;
        assert_eq!(shop.ledger(backup.recovery_point_id).await, None, "{what}");
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_that_no_labels_select_alone_are_snapshotted_one_by_one() {
    let Some(stage) = Stage::new("groups-labels").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "groups-labels", 3).await else {
        return;
    };
    let Some(groups) = Groups::of_driver(&stage.cluster, &json!({})).await else {
        return;
    };
    // It waits for a pod, which never comes, and would fail a group that it is in.
    shop.claim("waits", "csi-loop").await;
    let backup = shop.backup();
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    let told = shop.group_lines(&backup, &status).await;
    assert_eq!(status.volumes, 3, "{told:#?}");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!((told[0].outcome, &told[0].code), (Outcome::Skipped, &None));
    let words = "they have no label in common, and a group of all claims would take waits";
    assert!(told[0].reason.contains(words), "{told:#?}");
    stage.forget(&backup).await;
    groups.are_swept(&shop, "singles").await;

    for n in 0..3 {
        let labels = json!({"app": "db", "n": n.to_string()});
        shop.label(&format!("data-{n}"), labels).await;
    }
    let backup = shop.backup();
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    assert_eq!(status.volumes, 3, "{status:#?}");
    shop.are_members(&backup, 3, "by labels").await;
    stage.forget(&backup).await;
    groups.are_swept(&shop, "by labels").await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_ledger_was_lost_is_not_taken_for_nobodys_and_a_lost_one_is_told() {
    let Some(stage) = Stage::new("groups-lost").await else {
        return;
    };
    let Some(shop) = Shop::open(&stage, "groups-lost", 2).await else {
        return;
    };
    let Some(groups) = Groups::of_driver(&stage.cluster, &json!({})).await else {
        return;
    };
    let backup = shop.backup();
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    assert_eq!(status.state, JobState::Completed, "{status:#?}");
    shop.reconcile().await;
    shop.lose_ledger_of(&backup).await;
    assert_eq!(shop.reconcile().await, Reconciled::default());
    shop.are_members(&backup, 2, "without a ledger").await;
    shop.reconcile().await;
    let ledger = shop.ledger(backup.recovery_point_id).await.unwrap();
    assert_eq!(ledger["state"], "Kept");
    assert_eq!(ledger["groups"].as_array().unwrap().len(), 1, "{ledger:#}");

    for content in groups.all(&shop).await.1 {
        group::remove_group_content(&stage.cluster, &groups.api, &content)
            .await
            .unwrap();
        let kind = groups.api.contents();
        objects::wait_gone(&stage.cluster, &kind, None, &content.name, PATIENCE)
            .await
            .unwrap();
    }
    let missing = Reconciled {
        missing: 1,
        ..Reconciled::default()
    };
    assert_eq!(shop.reconcile().await, missing);
    assert_eq!(stage.forget(&backup).await.volumes, 2);
    groups.are_swept(&shop, "forgotten").await;
    shop.close().await;
}
