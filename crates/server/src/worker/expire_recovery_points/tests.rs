//! Retention: what is over goes, in steps that may be cut off anywhere; the latest, what is needed, and
//! what only a wrong clock ends, stays.

use std::time::Duration;

use serde_json::json;
use strongroom_api::instance::CurrentProtectionState;
use strongroom_kubernetes::crd::{BackupMode, JobState};
use strongroom_repository::Repository;
use uuid::Uuid;

use super::*;
use crate::cluster_link::JobSpec;
use crate::testing::protection::{Protected, adhoc, restore_of};
use crate::worker::limits::UNAVAILABLE_LIMIT;

mod immutable;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Two recovery points, the older one first; both are kept for a week.
async fn two_points() -> (Protected, Uuid, Uuid) {
    let (it, _, old, new) = two_points_of().await;
    (it, old, new)
}

/// The same with their repository.
async fn two_points_of() -> (Protected, Repository, Uuid, Uuid) {
    let it = Protected::new().await;
    it.post("backup", adhoc()).await;
    it.look_until_created().await;
    let repository = it.repository().await;
    it.extension_backs_up().await;
    let old = listed(&it).await[0];
    it.harness.clock.advance(Duration::from_secs(3600));
    let new = it.recovery_point().await.parse().unwrap();
    (it, repository, old, new)
}

/// A look of a server that ran as long as the clock says.
async fn look(it: &Protected) -> Looked {
    // The first one learns what the clock shows, the second believes it.
    expire(&it.harness.app, SignedDuration::ZERO).await.unwrap();
    expire(&it.harness.app, SignedDuration::from_hours(100_000))
        .await
        .unwrap()
}

/// One look of a server that saw the time pass.
async fn look_after(it: &Protected, time: Duration) -> Looked {
    it.harness.clock.advance(time);
    let ran = SignedDuration::try_from(time).unwrap();
    expire(&it.harness.app, ran).await.unwrap()
}

async fn listed(it: &Protected) -> Vec<Uuid> {
    let list = format!("{}/recoveryPoints", it.instance);
    let listed = it.harness.get(&list).await.json();
    let points = listed["value"].as_array().unwrap().iter();
    points
        .map(|point| point["name"].as_str().unwrap().parse().unwrap())
        .collect()
}

async fn set_state(it: &Protected, state: CurrentProtectionState) {
    let mut session = it.harness.app.store.begin().await.unwrap();
    let key = it.instance.to_lowercase();
    let mut row = session.resource(&key).await.unwrap().unwrap();
    row.body["properties"]["currentProtectionState"] = serde_json::to_value(state).unwrap();
    row.etag = it.harness.app.new_etag();
    session.put_resource(&row).await.unwrap();
    session.commit().await.unwrap();
}

#[tokio::test]
async fn what_is_over_goes_from_list_and_store_and_the_latest_stays_for_ever() {
    let (it, repository, old, new) = two_points_of().await;
    assert_eq!(look_after(&it, DAY * 6).await, Looked::default());
    assert_eq!(listed(&it).await, [new, old]);
    let gone = look_after(&it, DAY + DAY / 2).await;
    assert_eq!(
        gone,
        Looked {
            removed: 1,
            kept: 1,
            ..Looked::default()
        }
    );
    assert_eq!(
        (listed(&it).await, repository.points().await.unwrap()),
        (vec![new], vec![new])
    );
    let path = format!("{}/recoveryPoints/{old}", it.instance);
    assert_eq!(it.harness.get(&path).await.status, 404);
    let checked = repository.verify(new).await.unwrap();
    assert!(checked.is_whole(), "{checked:?}");

    // It was looked at, and nothing has changed since.
    assert_eq!(look_after(&it, DAY * 365).await, Looked::default());
    assert_eq!(
        (listed(&it).await, repository.points().await.unwrap()),
        (vec![new], vec![new])
    );
    let counted = it.harness.app.metrics.encode();
    assert!(
        counted.contains("strongroom_expired_recovery_points_total 1"),
        "{counted}"
    );
}

#[tokio::test]
async fn whoever_comes_after_a_death_at_any_step_goes_on() {
    let (it, repository, old, new) = two_points_of().await;
    it.harness.clock.advance(DAY * 8);
    let app = &it.harness.app;
    // Died after the mark.
    let verdict = retention::decide(app, old, None).await.unwrap();
    assert!(
        matches!(verdict, Some(Verdict::Expire { .. })),
        "{verdict:?}"
    );
    assert_eq!(retention::decide(app, old, None).await.unwrap(), None);
    let path = format!("{}/recoveryPoints/{old}", it.instance);
    let told = it.harness.get(&path).await.json();
    let store = &told["properties"]["recoveryPointDataStoresDetails"][0];
    assert_eq!(
        (&store["state"], &store["visible"]),
        (&json!("DELETING"), &json!(false))
    );
    // It is no restore's any more, whatever the clock shows.
    let restore = restore_of(&old.to_string(), &it.cluster);
    let refused = it
        .post("validateRestore", json!({"restoreRequestObject": restore}))
        .await;
    assert_eq!(refused.refusal().1, "UserErrorRecoveryPointNotFound");
    // Died after the manifest.
    repository.delete_point(old).await.unwrap();
    assert_eq!(
        look(&it).await.removed + look(&it).await.removed,
        0,
        "the first look did it"
    );
    assert_eq!(listed(&it).await, [new]);
    // Died after the row: nothing is left to do.
    assert_eq!(look(&it).await, Looked::default());
}

#[tokio::test]
async fn a_point_that_a_restore_reads_stays_until_the_restore_has_ended() {
    let (it, repository, old, new) = two_points_of().await;
    let restore = restore_of(&old.to_string(), &it.cluster);
    let accepted = it.post("restore", restore).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    it.look_until_created().await;
    let looked = look_after(&it, DAY * 8).await;
    assert_eq!(
        looked,
        Looked {
            kept: 2,
            ..Looked::default()
        }
    );
    assert_eq!(listed(&it).await, [new, old]);
    it.claim(JobState::Completed, None);
    it.look_until_idle().await;
    look(&it).await;
    assert_eq!(
        (listed(&it).await, repository.points().await.unwrap()),
        (vec![new], vec![new])
    );
}

#[tokio::test]
async fn a_restore_whose_cluster_is_lost_keeps_its_point_until_it_must_have_given_up() {
    let (it, old, new) = two_points().await;
    it.harness.clock.advance(DAY * 7 + DAY / 2);
    let restore = restore_of(&old.to_string(), &it.cluster);
    assert_eq!(it.post("restore", restore).await.status, 202);
    it.look_until_created().await;
    it.harness.clusters.set_unreachable(true);
    it.look().await;
    it.harness.clock.advance(UNAVAILABLE_LIMIT);
    it.look().await;
    assert_eq!(
        look(&it).await,
        Looked {
            kept: 2,
            ..Looked::default()
        }
    );
    it.harness.clock.advance(it.harness.app.job_limits.deadline);
    assert_eq!(look(&it).await.kept, 1);
    assert_eq!(listed(&it).await, [new]);
}

#[tokio::test]
async fn a_point_on_which_a_running_backup_rests_stays() {
    let (it, old, new) = two_points().await;
    it.post("backup", adhoc()).await;
    let mut job = it.open_job().await;
    // As if it had been the newest when the backup began.
    job.request["parent_recovery_point_id"] = json!(old);
    job.request["parentRecoveryPointId"] = json!(old);
    let mut session = it.harness.app.store.begin().await.unwrap();
    assert!(session.update_job(&job).await.unwrap());
    session.commit().await.unwrap();
    it.harness.clock.advance(DAY * 8);
    assert_eq!(
        look(&it).await,
        Looked {
            kept: 2,
            ..Looked::default()
        }
    );
    assert_eq!(listed(&it).await, [new, old]);
}

#[tokio::test]
async fn a_clock_that_leaps_takes_nothing_while_it_can_still_be_put_right() {
    let (it, old, new) = two_points().await;
    let minute = Duration::from_secs(60);
    assert_eq!(look_after(&it, minute).await, Looked::default());
    it.harness.clock.advance(DAY * 3650);
    for _ in 0..5 {
        assert_eq!(
            look_after(&it, minute).await,
            Looked {
                kept: 2,
                ..Looked::default()
            }
        );
    }
    assert_eq!(listed(&it).await, [new, old]);
    // Nobody puts it right: then it is the time.
    let looked = look_after(&it, DAY / 4).await;
    assert_eq!(
        looked,
        Looked {
            removed: 1,
            kept: 1,
            ..Looked::default()
        }
    );
}

#[tokio::test]
async fn a_clock_that_was_wrong_between_backups_takes_nothing_early_nor_what_was_made_last() {
    let (it, old, new) = two_points().await;
    let minute = Duration::from_secs(60);
    let (nothing, leap) = (Looked::default(), DAY * 3650);
    assert_eq!(look_after(&it, minute).await, nothing);
    // Ahead: a backup is made there, and both points look as if they were over.
    it.harness.clock.advance(leap);
    let ahead: Uuid = it.recovery_point().await.parse().unwrap();
    let two_kept = Looked {
        kept: 2,
        ..Looked::default()
    };
    assert_eq!(look_after(&it, minute).await, two_kept);
    // Put right, then a day behind: the point that is made now is older than others by its own time.
    it.harness.clock.turn_back(leap);
    assert_eq!(look_after(&it, minute).await, nothing);
    it.harness.clock.turn_back(DAY);
    it.recovery_point().await;
    assert_eq!(look_after(&it, minute).await, nothing);
    let all = listed(&it).await;
    let behind = *all.last().unwrap();
    assert_eq!(all, [ahead, new, old, behind]);
    // Put right once more: nothing is over before its own time.
    it.harness.clock.advance(DAY);
    assert_eq!(look_after(&it, minute).await, nothing);
    // A week on all of them are over but the one of the future. The one that was made last stays, and is
    // restored from.
    look_after(&it, DAY * 8).await;
    assert_eq!(listed(&it).await, [ahead, behind]);
    let restore = restore_of(&behind.to_string(), &it.cluster);
    let answer = it.post("restore", restore).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
}

#[tokio::test]
async fn a_look_by_a_clock_that_is_ahead_delays_nothing_when_it_is_put_right() {
    let (it, old, new) = two_points().await;
    let leap = DAY * 3650;
    look_after(&it, Duration::from_secs(60)).await;
    it.harness.clock.advance(leap);
    let looked = look_after(&it, Duration::from_secs(60)).await;
    assert_eq!((looked.kept, looked.removed), (2, 0));
    it.harness.clock.turn_back(leap);
    look_after(&it, DAY).await;
    assert_eq!(listed(&it).await, [new, old]);
    look_after(&it, DAY * 7).await;
    assert_eq!(listed(&it).await, [new]);
}

#[tokio::test]
async fn a_stopped_protection_keeps_what_it_has() {
    let (it, old, new) = two_points().await;
    for state in [
        CurrentProtectionState::ProtectionStopped,
        CurrentProtectionState::RetentionSchedulesSuspended,
        CurrentProtectionState::SoftDeleted,
    ] {
        set_state(&it, state).await;
        it.harness.clock.advance(DAY * 10);
        assert_eq!(look(&it).await.removed, 0, "{state:?}");
        assert_eq!(listed(&it).await, [new, old], "{state:?}");
    }
    set_state(&it, CurrentProtectionState::BackupSchedulesSuspended).await;
    look(&it).await;
    assert_eq!(listed(&it).await, [new]);
}

#[tokio::test]
async fn a_policy_that_keeps_longer_now_keeps_what_there_is_and_one_that_keeps_shorter_takes_nothing()
 {
    let (it, old, new) = two_points().await;
    let edit = async |duration: &str| {
        let mut policy = it.harness.get(&it.policy).await.json();
        let rule = &mut policy["properties"]["policyRules"][1];
        rule["lifecycles"][0]["deleteAfter"]["duration"] = duration.into();
        let body = json!({"properties": policy["properties"]});
        assert_eq!(it.harness.put(&it.policy, body).await.status, 200);
    };
    edit("P1D").await;
    it.harness.clock.advance(DAY * 2);
    look(&it).await;
    assert_eq!(listed(&it).await, [new, old]);
    edit("P30D").await;
    it.harness.clock.advance(DAY * 8);
    look(&it).await;
    assert_eq!(listed(&it).await, [new, old]);
    let path = format!("{}/recoveryPoints/{old}", it.instance);
    let told = it.harness.get(&path).await.json();
    let expiry = told["properties"]["expiryTime"].as_str().unwrap();
    assert!(expiry.starts_with("2026-02-01T"), "{expiry}");
    it.harness.clock.advance(DAY * 21);
    look(&it).await;
    assert_eq!(listed(&it).await, [new]);
}

#[tokio::test]
async fn a_store_that_is_away_keeps_the_point_marked_until_it_is_back() {
    let (it, repository, old, new) = two_points_of().await;
    let folder = it.harness.app.blobs.path().join("acct01/backups/instances");
    let away = folder.with_extension("away");
    std::fs::rename(&folder, &away).unwrap();
    std::fs::write(&folder, b"no folder").unwrap();
    it.harness.clock.advance(DAY * 8);
    look(&it).await;
    assert_eq!(
        look(&it).await,
        Looked {
            pending: 1,
            ..Looked::default()
        }
    );
    assert_eq!(listed(&it).await, [new, old]);
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    look(&it).await;
    assert_eq!(
        (listed(&it).await, repository.points().await.unwrap()),
        (vec![new], vec![new])
    );
}

#[tokio::test]
async fn the_newest_point_that_is_not_damaged_stays_behind_a_damaged_one() {
    let (it, old, new) = two_points().await;
    let mut session = it.harness.app.store.begin().await.unwrap();
    let mut row = session.recovery_point(new).await.unwrap().unwrap();
    row.body["properties"]["verification"] = json!({
        "recoveryPointId": new, "state": "Damaged", "verifiedTime": it.harness.app.now(),
    });
    session
        .put_recovery_point_body(new, &row.body)
        .await
        .unwrap();
    session.commit().await.unwrap();
    let looked = look_after(&it, DAY * 8).await;
    assert_eq!((looked.kept, looked.removed), (2, 0));
    assert_eq!(listed(&it).await, [new, old]);
}

#[tokio::test]
async fn a_deleted_container_takes_nothing_else_with_it() {
    let (it, old, _) = two_points().await;
    let mut session = it.harness.app.store.begin().await.unwrap();
    let mut row = session.recovery_point(old).await.unwrap().unwrap();
    row.body["repository"]["containerId"] = format!("{}-gone", it.container).into();
    session
        .put_recovery_point_body(old, &row.body)
        .await
        .unwrap();
    session.commit().await.unwrap();
    it.harness.clock.advance(DAY * 8);
    look(&it).await;
    assert_eq!(listed(&it).await.len(), 1);
}

#[tokio::test]
async fn the_volume_snapshots_of_a_point_go_before_its_manifest() {
    let (it, repository, old, new) = two_points_of().await;
    let mut session = it.harness.app.store.begin().await.unwrap();
    let mut row = session.recovery_point(old).await.unwrap().unwrap();
    row.body["properties"]["volumes"] = json!(2);
    session
        .put_recovery_point_body(old, &row.body)
        .await
        .unwrap();
    session.commit().await.unwrap();
    it.harness.clock.advance(DAY * 8);
    let clusters = &it.harness.clusters;

    // The cluster is away: the point stays, and is tried again.
    clusters.set_unreachable(true);
    look(&it).await;
    assert_eq!(
        look(&it).await,
        Looked {
            pending: 1,
            ..Looked::default()
        }
    );
    clusters.set_unreachable(false);
    for _ in 0..2 {
        look(&it).await;
        let asked = clusters.resources();
        let JobSpec::Backup(spec) = &asked[0].spec else {
            panic!("{asked:?}")
        };
        assert_eq!(
            (spec.mode, spec.recovery_point_id),
            (BackupMode::Forget, old)
        );
        assert!(spec.sealed.is_empty(), "no secret is needed");
        assert_eq!(asked.len(), 1);
        // The extension fails the first time, and is asked anew.
        clusters.update_status(|status| status.state = JobState::Failed);
        expire(&it.harness.app, SignedDuration::ZERO).await.unwrap();
        assert!(clusters.resources().is_empty());
        assert_eq!(repository.points().await.unwrap().len(), 2);
    }
    look(&it).await;
    clusters.begin_work();
    assert_eq!(look(&it).await.pending, 1);
    clusters.update_status(|status| status.state = JobState::Completed);
    look(&it).await;
    assert!(clusters.resources().is_empty());
    assert_eq!(
        (listed(&it).await, repository.points().await.unwrap()),
        (vec![new], vec![new])
    );
}
