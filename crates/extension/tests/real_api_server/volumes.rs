//! Claims that come back with their data, on a real driver. Needs a cluster with a node and its CSI driver
//! (`cargo xtask cluster up`); without them these tests say that they are left out.

#[path = "volumes/database.rs"]
mod database;
#[path = "volumes/modes.rs"]
mod modes;

use serde_json::json;
use strongroom_core::report::Outcome;
use strongroom_core::restore::ConflictPolicy;
use strongroom_extension::crash::CrashPoints;
use strongroom_kubernetes::apply as objects;
use strongroom_kubernetes::crd::{JobState, RestoreMode};
use strongroom_kubernetes::jobs;
use strongroom_kubernetes::snapshots::provision;

use self::database::{CLAIM, Database, SPARE, claims, mapped, volumes};
use super::killed_at;
use super::stage::Stage;

/// A stage of its own; none when the cluster has no volumes.
async fn stage(name: &str) -> Option<Stage> {
    let mut stage = Stage::new(name).await?;
    stage.grace = std::time::Duration::from_secs(60);
    if database::has_driver(&stage).await {
        return Some(stage);
    }
    println!(
        "left out: the cluster has no CSI driver {}",
        database::DRIVER
    );
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_comes_back_with_its_data_also_twice_at_once_beside_itself() {
    let Some(stage) = stage("volumes").await else {
        return;
    };
    let database = Database::deploy(&stage, "strongroom-volumes").await;
    let kept = database.retain(&stage, SPARE).await;
    let written = database.sum(&stage).await;
    let backup = database.back_up(&stage).await;
    database.lose(&stage).await;

    let mut validate = database.restore(&stage, &backup);
    validate.mode = RestoreMode::Validate;
    let planned = stage.run_restore(&validate, CrashPoints::none()).await;
    assert_eq!(planned.state, JobState::Completed, "{planned:#?}");
    let line = database.line(&stage, &validate, &planned, CLAIM).await;
    assert!(
        line.reason.contains("its data come from the snapshot"),
        "{line:?}"
    );
    assert!(
        database::leftovers(&stage).await.is_empty(),
        "a validation changes nothing"
    );

    let restore = database.restore(&stage, &backup);
    let status = stage.run_restore(&restore, CrashPoints::none()).await;
    let lines = stage.report(restore.job_id, &status).await;
    let odd: Vec<_> = lines.iter().filter(|line| line.code.is_some()).collect();
    assert_eq!(status.state, JobState::Completed, "{odd:#?}");
    assert_eq!(database.sum(&stage).await, written);
    let spare = database.volume_of(&stage, SPARE).await;
    assert_ne!(
        spare["metadata"]["name"],
        kept.as_str(),
        "it is a volume of its own"
    );
    assert_eq!(spare["spec"]["persistentVolumeReclaimPolicy"], "Retain");
    let data = database.volume_of(&stage, CLAIM).await;
    assert_eq!(data["spec"]["persistentVolumeReclaimPolicy"], "Delete");
    let old = lines
        .iter()
        .find(|line| line.object.kind == "PersistentVolume" && line.object.name == kept);
    assert_eq!(
        old.map(|line| line.outcome),
        Some(Outcome::Skipped),
        "{old:?}"
    );

    let (a, b) = (database.copy("a"), database.copy("b"));
    let (to_a, to_b) = (
        mapped(database.restore(&stage, &backup), &a),
        mapped(database.restore(&stage, &backup), &b),
    );
    let statuses = stage.run_restores(&[&to_a, &to_b]).await;
    assert!(statuses.iter().all(|status| status.state.is_final()));
    for copy in [&a, &b] {
        assert_eq!(copy.sum(&stage).await, written, "{}", copy.namespace);
        copy.lose(&stage).await;
    }

    let mut again = database.restore(&stage, &backup);
    again.criteria.conflict_policy = ConflictPolicy::Patch;
    let status = stage.run_restore(&again, CrashPoints::none()).await;
    let line = database.line(&stage, &again, &status, CLAIM).await;
    assert!(line.reason.contains("left as they are"), "{line:?}");
    assert_eq!(database.sum(&stage).await, written);
    database::nothing_is_left(&stage).await;
    database.forget(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_without_the_data_of_volumes_gives_empty_ones_and_says_so() {
    let Some(stage) = stage("volumes-empty").await else {
        return;
    };
    let database = Database::deploy(&stage, "strongroom-empty").await;
    let written = database.sum(&stage).await;
    let backup = database.back_up(&stage).await;
    let copy = database.copy("copy");
    let mut restore = mapped(database.restore(&stage, &backup), &copy);
    restore.criteria.restore_volumes = false;
    let status = stage.run_restore(&restore, CrashPoints::none()).await;
    let line = copy.line(&stage, &restore, &status, CLAIM).await;
    assert!(line.reason.contains("without its data"), "{line:?}");
    assert_eq!(line.code, None);
    assert_ne!(copy.sum(&stage).await, written);
    copy.lose(&stage).await;

    let mut one = mapped(database.restore(&stage, &backup), &copy);
    one.criteria.volumes.claims = Some(vec![database::choice(SPARE)]);
    let status = stage.run_restore(&one, CrashPoints::none()).await;
    let line = copy.line(&stage, &one, &status, CLAIM).await;
    assert!(line.reason.contains("not among the claims"), "{line:?}");
    let line = copy.line(&stage, &one, &status, SPARE).await;
    assert!(
        line.reason.contains("its data come from the snapshot"),
        "{line:?}"
    );
    assert_ne!(copy.sum(&stage).await, written);
    copy.lose(&stage).await;
    database.lose(&stage).await;
    database.forget(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_killed_anywhere_brings_the_data_and_leaves_nothing() {
    let Some(stage) = stage("volumes-killed").await else {
        return;
    };
    let database = Database::deploy(&stage, "strongroom-killed").await;
    let written = database.sum(&stage).await;
    let backup = database.back_up(&stage).await;
    for place in [
        "apply:during",
        "apply:after",
        "relink:before",
        "relink:after",
        "report:before",
    ] {
        database.lose(&stage).await;
        let restore = database.restore(&stage, &backup);
        let status = stage.run_restore(&restore, killed_at(place)).await;
        assert_eq!(status.state, JobState::Completed, "{place}: {status:#?}");
        assert_eq!(database.sum(&stage).await, written, "{place}");
        let line = database.line(&stage, &restore, &status, CLAIM).await;
        assert_eq!(line.outcome, Outcome::Created, "{place}: {line:?}");
        database::nothing_is_left(&stage).await;
    }
    database.lose(&stage).await;
    database.forget(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_waits_for_its_pod_comes_after_the_job_and_nothing_stays_then() {
    let Some(stage) = stage("volumes-later").await else {
        return;
    };
    let database = Database::deploy(&stage, "strongroom-later").await;
    let written = database.sum(&stage).await;
    let backup = database.back_up(&stage).await;
    database.lose(&stage).await;
    let mut restore = database.restore(&stage, &backup);
    restore.criteria.selection.excluded_resource_types =
        ["statefulsets.apps", "pods"].map(str::to_owned).into();
    restore.criteria.volumes.sizes = [(database.key(CLAIM), "64Mi".to_owned())].into();
    let _process = stage.start(CrashPoints::none());
    let status = stage.restore_with(&restore).await;
    assert_eq!(status.state, JobState::Completed, "{status:#?}");
    let line = database.line(&stage, &restore, &status, CLAIM).await;
    assert!(line.reason.contains("made when a pod uses it"), "{line:?}");
    assert_eq!(database::leftovers(&stage).await.len(), 1);
    jobs::delete_restore(&stage.cluster, stage.namespace(), restore.job_id)
        .await
        .unwrap();

    let workloads = database.restore(&stage, &backup);
    stage.restore_with(&workloads).await;
    assert_eq!(database.sum(&stage).await, written);
    let volume = database.volume_of(&stage, CLAIM).await;
    assert_eq!(volume["spec"]["capacity"]["storage"], "64Mi");
    database::nothing_is_left(&stage).await;
    database.lose(&stage).await;
    database.forget(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_of_a_volume_is_told_beforehand_and_no_database_starts_empty() {
    let Some(stage) = stage("volumes-trouble").await else {
        return;
    };
    let database = Database::deploy(&stage, "strongroom-trouble").await;
    let backup = database.back_up(&stage).await;
    database.lose(&stage).await;
    let foreign = database::class_of_another_driver(&stage).await;
    for (class, code) in [
        ("no-such-class", "UserErrorStorageClassMissingForPVC"),
        (&foreign, "StorageClassOfAnotherDriver"),
    ] {
        let mut validate = database.restore(&stage, &backup);
        validate.mode = RestoreMode::Validate;
        validate.criteria.volumes.class_mappings =
            [("csi-loop".to_owned(), class.to_owned())].into();
        let status = stage.run_restore(&validate, CrashPoints::none()).await;
        let line = database.line(&stage, &validate, &status, CLAIM).await;
        assert_eq!(line.code.as_deref(), Some(code), "{line:?}");
    }
    let mut smaller = mapped(database.restore(&stage, &backup), &database.copy("small"));
    smaller.criteria.volumes.sizes = [(database.key(CLAIM), "1Mi".to_owned())].into();
    let status = stage.run_restore(&smaller, CrashPoints::none()).await;
    let line = database
        .copy("small")
        .line(&stage, &smaller, &status, CLAIM)
        .await;
    assert_eq!(line.code.as_deref(), Some("VolumeSizeRaised"), "{line:?}");
    database.copy("small").lose(&stage).await;

    database.remove_snapshots_behind_our_back(&stage).await;
    let restore = database.restore(&stage, &backup);
    let status = stage.run_restore(&restore, CrashPoints::none()).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    let line = database.line(&stage, &restore, &status, CLAIM).await;
    assert_eq!(
        line.code.as_deref(),
        Some("VolumeSnapshotNotUsable"),
        "{line:?}"
    );
    let namespace = Some(database.namespace.as_str());
    let claim = objects::get(&stage.cluster, &claims(), namespace, CLAIM)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        claim["status"]["phase"], "Pending",
        "it waits, so that nothing starts without data"
    );
    let source = json!(provision::name(restore.job_id, &database.namespace, CLAIM));
    assert_eq!(claim["spec"]["dataSource"]["name"], source);
    database.lose(&stage).await;
    database::nothing_is_left(&stage).await;

    // Nobody listens to the words of a validation: the job goes on, and the claim waits for the class.
    let copy = database.copy("classless");
    let mut classless = mapped(database.restore(&stage, &backup), &copy);
    classless.criteria.volumes.class_mappings =
        [("csi-loop".to_owned(), "no-such-class".to_owned())].into();
    let status = stage.run_restore(&classless, CrashPoints::none()).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    let line = copy.line(&stage, &classless, &status, CLAIM).await;
    assert_eq!(
        line.code.as_deref(),
        Some("UserErrorStorageClassMissingForPVC"),
        "{line:?}"
    );
    copy.lose(&stage).await;
    database::nothing_is_left(&stage).await;
    let how = objects::Propagation::Background;
    objects::delete(&stage.cluster, &volumes().1, None, &foreign, None, how)
        .await
        .unwrap();
}
