//! What soft delete asks of a store.

use jiff::ToSpan as _;
use uuid::Uuid;

use super::{point, resource, start, with};
use crate::store::{Actor, ActorKind, ResourceRow, Store, UseRow};

pub(super) async fn what_is_put_aside_is_not_there_and_comes_back_whole(store: Store) {
    let actor = |name: &str| Actor {
        object_id: Uuid::from_u128(1),
        tenant_id: Uuid::from_u128(2),
        kind: ActorKind::User,
        name: name.to_owned(),
    };
    let row = ResourceRow {
        created_by: Some(actor("ann")),
        updated_by: Some(actor("ann")),
        ..resource("/v/i", "i")
    };
    with(&store, &[row.clone(), resource("/v/j", "i")]).await;
    let mut session = store.begin().await.unwrap();
    session.insert_recovery_point(&point(1, 0)).await.unwrap();
    let since = start() + 1.hour();
    assert!(
        session
            .set_resource_deleted("/v/i", Some(since))
            .await
            .unwrap()
    );
    assert!(
        !session
            .set_resource_deleted("/v/x", Some(since))
            .await
            .unwrap()
    );
    assert_eq!(session.resource("/v/i").await.unwrap(), None);
    let live = session.resources("i", "/v/", None, 10).await.unwrap().rows;
    assert_eq!(live, [resource("/v/j", "i")]);
    let aside = ResourceRow {
        deleted_at: Some(since),
        ..row.clone()
    };
    let found = session
        .deleted_resources("i", "/v/", None, 10)
        .await
        .unwrap();
    assert_eq!(found.rows, std::slice::from_ref(&aside));
    assert_eq!(session.deleted_resource("/v/j").await.unwrap(), None);
    assert_eq!(session.descendants("/v/", 10).await.unwrap().len(), 2);
    // What belongs to it stays, and it can be written meanwhile.
    assert!(
        session
            .recovery_point(Uuid::from_u128(1))
            .await
            .unwrap()
            .is_some()
    );
    let written = ResourceRow {
        updated_by: Some(actor("ben")),
        ..aside
    };
    session.put_resource(&written).await.unwrap();
    assert_eq!(
        session.deleted_resource("/v/i").await.unwrap(),
        Some(written)
    );
    assert!(session.set_resource_deleted("/v/i", None).await.unwrap());
    let back = session.resource("/v/i").await.unwrap().unwrap();
    assert_eq!(
        (back.created_by, back.deleted_at),
        (Some(actor("ann")), None)
    );
}

pub(super) async fn an_edge_is_taken_back_and_leaves_the_others(store: Store) {
    with(&store, &[resource("/a", "t"), resource("/b", "t")]).await;
    let mut session = store.begin().await.unwrap();
    for role in ["one", "other"] {
        let edge = UseRow {
            user_key: "/a".to_owned(),
            role: role.to_owned(),
            target_key: "/b".to_owned(),
        };
        session.put_use(&edge).await.unwrap();
    }
    session.delete_use("/a", "one").await.unwrap();
    let left = session.used_by("/a").await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].role, "other");
}
