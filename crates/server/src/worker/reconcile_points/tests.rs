//! After a restore of an older copy the catalogue comes to what the stores hold.

use std::io::BufReader;
use std::time::Duration;

use strongroom_kubernetes::crd::JobState;
use uuid::Uuid;

use super::*;
use crate::catalogue_copy::{self, Restored};
use crate::store::{RecoveryPointRow, Store};
use crate::testing::Harness;
use crate::testing::protection::{Protected, adhoc, restore_of};
use crate::worker::prune_repositories;

async fn copy_of(app: &App) -> Vec<u8> {
    let mut session = app.store.read().await.unwrap();
    let about = (app.now(), app.tenant_id.to_string());
    let copy = catalogue_copy::write(&mut *session, &app.keys, about, Vec::new()).await;
    copy.unwrap().0
}

/// The same server after its catalogue was lost and this copy was restored, with the same stores and clusters.
async fn restored(it: Protected, copy: &[u8]) -> (Protected, Harness, Restored) {
    let keys = crate::secrets::MasterKey::from_bytes(&[1; 32]).unwrap();
    let mut told = None;
    let now = it.harness.app.now();
    let later = it
        .harness
        .with_another_catalogue(async |store: &Store| {
            let mut session = store.begin().await.unwrap();
            let from = BufReader::new(copy);
            let read = catalogue_copy::read(&mut *session, &keys, from, Some(now)).await;
            told = Some(read.unwrap());
            session.commit().await.unwrap();
        })
        .await;
    let (it, earlier) = it.after(later);
    (it, earlier, told.unwrap())
}

async fn points(it: &Protected) -> Vec<RecoveryPointRow> {
    let mut session = it.harness.app.store.read().await.unwrap();
    let key = it.instance.to_lowercase();
    let page = session.recovery_points(&key, (None, None), None, 100).await;
    page.unwrap().rows
}

async fn ids(it: &Protected) -> Vec<Uuid> {
    points(it).await.iter().map(|row| row.id).collect()
}

async fn look_once(it: &Protected) -> bool {
    look(&it.harness.app, &mut BTreeSet::new()).await.unwrap()
}

#[tokio::test]
async fn points_that_were_made_since_are_taken_over_and_those_that_went_are_forgotten() {
    let it = Protected::new().await;
    let gone = it.recovery_point().await;
    let stays = it.recovery_point().await;
    let copy = copy_of(&it.harness.app).await;
    let made = it.recovery_point().await;
    let truth: Vec<RecoveryPointRow> = points(&it).await;
    it.own_repository()
        .await
        .delete_point(gone.parse().unwrap())
        .await
        .unwrap();
    let (it, _earlier, _) = restored(it, &copy).await;
    assert_eq!(ids(&it).await.len(), 2);
    assert!(look_once(&it).await);
    let found = points(&it).await;
    let expected: Vec<Uuid> = [&made, &stays].map(|id| id.parse().unwrap()).to_vec();
    assert_eq!(ids(&it).await, expected);
    // As the server would know it, but for what no manifest tells.
    let (adopted, known) = (&found[0], &truth[0]);
    assert_eq!(adopted.created_at, known.created_at);
    assert_eq!(adopted.tag(), "Default");
    assert!(adopted.expires_at.is_some());
    let told = |row: &RecoveryPointRow, name: &str| row.body["properties"][name].clone();
    for name in [
        "manifestDigest",
        "objectCount",
        "recoveryPointTime",
        "policyName",
    ] {
        assert_eq!(told(adopted, name), told(known, name), "{name}");
    }
    assert!(look_once(&it).await, "it is done");
    assert_eq!(ids(&it).await, expected);
    // It can be restored from.
    let answer = it.post("restore", restore_of(&made, &it.cluster)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
}

#[tokio::test]
async fn a_backup_that_was_at_work_in_the_copy_and_was_sealed_since_is_kept() {
    let it = Protected::new().await;
    it.post("backup", adhoc()).await;
    it.look_until_created().await;
    let copy = copy_of(&it.harness.app).await;
    let job = it.open_job().await;
    it.extension_backs_up().await;
    let made = ids(&it).await;
    assert_eq!(made.len(), 1);
    let (it, _earlier, told) = restored(it, &copy).await;
    assert_eq!(told.ended_jobs, 1);
    let ended = it.job(job.id).await;
    assert_eq!(ended.status, "Failed");
    assert_eq!(ended.error["code"], "CatalogueRestored");
    assert!(
        look_once(&it).await,
        "the job has a word to say of its point"
    );
    assert!(ids(&it).await.is_empty());
    prune_repositories::prune_for_test(&it.harness.app).await;
    assert_eq!(ids(&it).await, made, "a prune comes first");
    it.look_until_idle().await;
    assert_eq!(ids(&it).await, made);
    assert_eq!(it.own_repository().await.points().await.unwrap(), made);
}

#[tokio::test]
async fn a_restore_that_was_at_work_in_the_copy_is_not_done_again() {
    let it = Protected::new().await;
    let point = it.recovery_point().await;
    let answer = it.post("restore", restore_of(&point, &it.cluster)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let copy = copy_of(&it.harness.app).await;
    it.look_until_created().await;
    it.claim(JobState::Completed, None);
    it.look_until_idle().await;
    let (it, _earlier, told) = restored(it, &copy).await;
    assert_eq!(told.ended_jobs, 1);
    it.look_until_idle().await;
    assert!(it.harness.clusters.resources().is_empty());
    let mut session = it.harness.app.store.read().await.unwrap();
    assert!(session.open_operations(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_over_by_an_older_policy_stays_for_a_week_in_which_somebody_can_look() {
    let it = Protected::new().await;
    it.recovery_point().await;
    it.recovery_point().await;
    let copy = copy_of(&it.harness.app).await;
    let (it, _earlier, _) = restored(it, &copy).await;
    let made = ids(&it).await;
    let clock = &it.harness.clock;
    clock.advance(Duration::from_secs(400 * 24 * 3600));
    let day = Duration::from_secs(24 * 3600);
    for ran in [Duration::ZERO, day, 2 * day, 3 * day] {
        crate::worker::expire_for_test(&it.harness.app, ran).await;
        assert_eq!(ids(&it).await, made, "after {ran:?}");
    }
    crate::worker::expire_for_test(&it.harness.app, 2 * day).await;
    assert_eq!(ids(&it).await.len(), 1, "the week is over");
}

#[tokio::test]
async fn a_store_that_is_away_or_empty_takes_nothing_away_and_is_asked_again() {
    let it = Protected::new().await;
    let made = it.recovery_point().await;
    let copy = copy_of(&it.harness.app).await;
    let (it, _earlier, _) = restored(it, &copy).await;
    let blobs = it.harness.app.blobs.path().join("acct01/backups/instances");
    let away = blobs.with_extension("away");
    std::fs::rename(&blobs, &away).unwrap();
    let mut compared = BTreeSet::new();
    assert!(!look(&it.harness.app, &mut compared).await.unwrap());
    assert_eq!(ids(&it).await.len(), 1);
    std::fs::rename(&away, &blobs).unwrap();
    assert!(look(&it.harness.app, &mut compared).await.unwrap());
    assert_eq!(ids(&it).await, [made.parse::<Uuid>().unwrap()]);
}

#[tokio::test]
async fn packs_of_points_that_the_catalogue_does_not_know_are_not_pruned() {
    let it = Protected::new().await;
    it.recovery_point().await;
    let copy = copy_of(&it.harness.app).await;
    let made = it.recovery_point().await;
    let (it, _earlier, _) = restored(it, &copy).await;
    for _ in 0..3 {
        prune_repositories::prune_for_test(&it.harness.app).await;
    }
    let repository = it.own_repository().await;
    let whole = repository.verify(made.parse().unwrap()).await.unwrap();
    assert!(whole.is_whole());
}

#[tokio::test]
async fn the_audit_log_goes_on_in_one_chain_and_says_what_happened() {
    let it = Protected::new().await;
    let copy = copy_of(&it.harness.app).await;
    let (it, _earlier, _) = restored(it, &copy).await;
    it.immutability("Unlocked").await;
    let mut session = it.harness.app.store.read().await.unwrap();
    let base = session.audit_base().await.unwrap();
    let entries = session.audit_entries(0, 1000).await.unwrap().rows;
    let mut head = base;
    for entry in &entries {
        assert_eq!(entry.previous, head.hash, "entry {}", entry.sequence);
        head = entry.head();
    }
    assert!(
        entries
            .iter()
            .any(|entry| entry.event.action.ends_with("catalogue/restore/action"))
    );
    assert_eq!(head, session.audit_head().await.unwrap());
}

#[tokio::test]
async fn a_server_whose_catalogue_was_never_lost_has_nothing_to_compare() {
    let it = Protected::new().await;
    let point = it.recovery_point().await;
    it.own_repository()
        .await
        .delete_point(point.parse().unwrap())
        .await
        .unwrap();
    assert!(look_once(&it).await);
    assert_eq!(ids(&it).await.len(), 1);
}
