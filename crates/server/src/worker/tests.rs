//! The workers as a server runs them.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use strongroom_api::instance::BackupInstance;
use tokio::sync::watch;

use super::{Duties, InHand, run, take_up_for_test, until};
use crate::app::jobs::Step;
use crate::app::operations::{self, OperationKind};
use crate::app::repositories::{self, StoredScopes};
use crate::app::servers::Seen;
use crate::app::{App, ResourceId, validation};
use crate::data_plane::{DataPlane, DataPlaneMetrics};
use crate::store::OperationStatus;
use crate::testing::protection::{Protected, adhoc};
use crate::worker::limits::{LONGEST_SLEEP, PLACES_PER_CLUSTER};

#[test]
fn the_worker_sleeps_until_the_next_job_is_due_but_never_for_long() {
    let now = Timestamp::UNIX_EPOCH;
    let due = |seconds| Some(now + SignedDuration::from_secs(seconds));
    assert_eq!(until(None, now, false), LONGEST_SLEEP);
    assert_eq!(until(due(1), now, false), Duration::from_secs(1));
    assert_eq!(until(due(3600), now, false), LONGEST_SLEEP);
    assert_eq!(until(due(-1), now, false), Duration::ZERO);
    assert_eq!(until(due(-1), now, true), LONGEST_SLEEP);
}

/// What a server works with that hands no audit log on.
pub(super) fn duties(app: &Arc<App>) -> Duties {
    let data_plane = DataPlane::open(
        app.blobs.path().to_owned(),
        repositories::issuer(app),
        Arc::new(StoredScopes(Arc::clone(app))),
        DataPlaneMetrics::default(),
    );
    Duties {
        data_plane: data_plane.unwrap(),
        audit_receiver: None,
    }
}

#[tokio::test]
async fn a_running_worker_takes_up_a_job_by_itself_and_stops_when_told() {
    let it = Protected::new().await;
    let app = Arc::clone(&it.harness.app);
    let duties = duties(&app);
    let (stop, stopped) = watch::channel(false);
    let worker = tokio::spawn(run(app, duties, stopped));
    it.post("backup", adhoc()).await;
    while it.harness.clusters.resources().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(it.harness.app.metrics.working.get(), 1);
    stop.send(true).unwrap();
    worker.await.unwrap();
    assert_eq!(it.harness.app.metrics.working.get(), 0);
}

#[tokio::test]
async fn a_store_that_takes_no_writes_does_not_make_the_worker_spin() {
    let it = Protected::new().await;
    it.post("backup", adhoc()).await;
    let job = it.only_job().await;
    it.harness.app.store.close().await;
    // It would return at once, be taken up again at once, and so on.
    let acting = super::act(&it.harness.app, job);
    let returned = tokio::time::timeout(Duration::from_millis(200), acting).await;
    assert!(returned.is_err());
}

#[tokio::test]
async fn what_a_killed_server_left_open_is_gone_on_with() {
    let it = Protected::new().await;
    let app = &it.harness.app;
    let vault = ResourceId::published(it.vault.clone());
    let instance = |cluster: &str| {
        let mut document = it.instance_document();
        document["dataSourceInfo"]["resourceID"] = cluster.into();
        serde_json::from_value::<BackupInstance>(document).unwrap()
    };
    let validating = async |cluster: &str| {
        validation::start(app, &vault, &vault, instance(cluster))
            .await
            .unwrap()
    };
    let valid = validating(&it.cluster).await;
    let invalid = validating(&format!("{}-other", it.cluster)).await;
    let mut session = app.store.begin().await.unwrap();
    let extension = ResourceId::published(it.extension.clone());
    let kind = OperationKind::Extension;
    let installing = operations::start(app, &mut *session, kind, &extension, "westeurope", None)
        .await
        .unwrap();
    // As a server wrote it that did not note what was asked for.
    let kind = OperationKind::Validate;
    let unknown = operations::start(app, &mut *session, kind, &vault, "westeurope", None)
        .await
        .unwrap();
    session.commit().await.unwrap();

    take_up_for_test(app).await;

    let ended = async |id: &str| loop {
        let row = app
            .store
            .read()
            .await
            .unwrap()
            .operation(id)
            .await
            .unwrap()
            .unwrap();
        if row.status.is_final() {
            return row;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(
        ended(&installing.id).await.status,
        OperationStatus::Succeeded
    );
    assert_eq!(ended(&valid.id).await.status, OperationStatus::Succeeded);
    let found = ended(&invalid.id).await;
    assert_eq!(found.status, OperationStatus::Failed);
    assert_eq!(found.error["code"], "ResourceNotFound");
    assert_eq!(ended(&unknown.id).await.error["code"], "ServiceUnavailable");
    assert!(found.request.is_null());
}

#[tokio::test]
async fn a_crowded_cluster_leaves_places_for_others() {
    let it = Protected::new().await;
    it.post("backup", adhoc()).await;
    let row = it.only_job().await;
    let mut in_hand = InHand::default();
    let of = |cluster: &str, number: u128| crate::store::JobRow {
        id: uuid::Uuid::from_u128(number),
        cluster_key: cluster.to_owned(),
        ..row.clone()
    };
    let taken = (1..=10).filter(|number| in_hand.take(&of("/slow", *number)));
    assert_eq!(taken.count(), PLACES_PER_CLUSTER);
    assert_eq!(in_hand.crowded(), ["/slow"]);
    assert!(in_hand.take(&of("/quick", 20)));
    // A purge asks no cluster.
    let purge = crate::store::JobRow {
        step: Step::Purge.as_str().to_owned(),
        ..of("/slow", 30)
    };
    assert!(in_hand.take(&purge));
    assert!(!in_hand.is_full());
}

#[tokio::test]
async fn operations_of_a_server_that_is_gone_are_taken_over_and_those_of_others_are_left() {
    let it = Protected::new().await;
    let app = &it.harness.app;
    let peer = it.harness.peer(2).await;
    let vault = ResourceId::published(it.vault.clone());
    let instance = serde_json::from_value::<BackupInstance>(it.instance_document()).unwrap();
    let accepted = validation::start(&peer, &vault, &vault, instance).await;
    let id = accepted.unwrap().id;
    let as_stored = async || {
        let mut session = app.store.read().await.unwrap();
        session.operation(&id).await.unwrap().unwrap()
    };
    assert_eq!(as_stored().await.holder, Some(peer.server_id));

    let mut seen = Seen {
        term: Some(1),
        present: [app.server_id, peer.server_id].into(),
    };
    super::take_up_operations(app, |row| seen.lacks(row.holder))
        .await
        .unwrap();
    assert_eq!(as_stored().await.holder, Some(peer.server_id));
    seen.present.remove(&peer.server_id);
    super::take_up_operations(app, |row| seen.lacks(row.holder))
        .await
        .unwrap();
    while !as_stored().await.status.is_final() {
        tokio::task::yield_now().await;
    }
    assert_eq!(as_stored().await.holder, Some(app.server_id));
    assert_eq!(as_stored().await.status, OperationStatus::Succeeded);
}
