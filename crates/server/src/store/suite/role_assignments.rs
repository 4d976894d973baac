//! What rights ask of a store.

use uuid::Uuid;

use super::{resource, start, with};
use crate::store::{Actor, ActorKind, RoleAssignmentRow, Store};

fn row(scope: &str, name: &str, principal: u128) -> RoleAssignmentRow {
    RoleAssignmentRow {
        key: format!("{}/ra/{name}", scope.to_lowercase()),
        id: format!("{scope}/ra/{name}"),
        scope: scope.to_owned(),
        role: Uuid::from_u128(1),
        principal: Uuid::from_u128(principal),
        principal_type: "User".to_owned(),
        description: Some("ä".to_owned()),
        created_at: start(),
        created_by: Actor {
            object_id: Uuid::from_u128(1),
            tenant_id: Uuid::from_u128(2),
            kind: ActorKind::Key,
            name: "admin".to_owned(),
        },
    }
}

pub(super) async fn a_role_is_had_once_at_a_scope(store: Store) {
    let (one, other) = (row("/V", "a", 1), row("/V", "b", 2));
    let mut session = store.begin().await.unwrap();
    for row in [&one, &other] {
        session.insert_role_assignment(row).await.unwrap();
    }
    session.commit().await.unwrap();
    let mut session = store.begin().await.unwrap();
    assert!(
        session
            .insert_role_assignment(&row("/v", "c", 1))
            .await
            .is_err()
    );
    drop(session);
    let mut session = store.begin().await.unwrap();
    assert_eq!(
        session.role_assignment(&one.key).await.unwrap(),
        Some(one.clone())
    );
    assert_eq!(
        session.role_assignments().await.unwrap(),
        [one.clone(), other.clone()]
    );
    let of_one = session.role_assignments_of(one.principal).await.unwrap();
    assert_eq!(of_one, std::slice::from_ref(&one));
    session
        .describe_role_assignment(&one.key, Some("new"))
        .await
        .unwrap();
    let described = session.role_assignment(&one.key).await.unwrap().unwrap();
    assert_eq!(described.description.as_deref(), Some("new"));
    assert!(session.delete_role_assignment(&one.key).await.unwrap());
    assert!(!session.delete_role_assignment(&one.key).await.unwrap());
    session
        .delete_role_assignments_of(other.principal)
        .await
        .unwrap();
    assert_eq!(session.role_assignments().await.unwrap(), []);
}

pub(super) async fn roles_go_with_the_resource_that_they_are_assigned_at(store: Store) {
    with(&store, &[resource("/v", "t"), resource("/v-2", "t")]).await;
    let mut session = store.begin().await.unwrap();
    for (n, scope) in ["", "/V", "/v/i", "/v-2", "/v0"].into_iter().enumerate() {
        let row = row(scope, "a", n as u128);
        session.insert_role_assignment(&row).await.unwrap();
    }
    assert!(session.delete_resource("/v").await.unwrap());
    let left = session.role_assignments().await.unwrap();
    let left: Vec<&str> = left.iter().map(|row| row.scope.as_str()).collect();
    assert_eq!(left, ["", "/v-2", "/v0"]);
}
