//! Operations: open until they end, once; by whom they are carried out.

use jiff::ToSpan as _;
use serde_json::json;
use uuid::Uuid;

use super::{operation, start};
use crate::store::{OperationRow, OperationStatus, Store};

pub(super) async fn an_operation_ends_once(store: Store) {
    let mut session = store.begin().await.unwrap();
    session.insert_operation(&operation("a", 1)).await.unwrap();
    session.insert_operation(&operation("b", 0)).await.unwrap();
    let open: Vec<_> = session
        .open_operations(10)
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.id)
        .collect();
    assert_eq!(open, ["b", "a"]);
    assert_eq!(session.operations_of_job("j").await.unwrap().len(), 2);
    let ended = OperationRow {
        status: OperationStatus::Succeeded,
        ended_at: Some(start() + 1.hour()),
        request: json!(null),
        ..operation("a", 1)
    };
    assert_eq!(
        session.operation("a").await.unwrap().unwrap(),
        operation("a", 1)
    );
    assert!(session.finish_operation(&ended).await.unwrap());
    let again = OperationRow {
        status: OperationStatus::Failed,
        ..ended.clone()
    };
    assert!(!session.finish_operation(&again).await.unwrap());
    assert_eq!(session.operation("a").await.unwrap().unwrap(), ended);
    assert_eq!(session.open_operations(10).await.unwrap().len(), 1);
}

pub(super) async fn an_operation_is_taken_over_until_it_ends(store: Store) {
    let other = Uuid::from_u128(6);
    let mut session = store.begin().await.unwrap();
    session.insert_operation(&operation("a", 1)).await.unwrap();
    assert!(session.adopt_operation("a", other).await.unwrap());
    let taken = OperationRow {
        holder: Some(other),
        ..operation("a", 1)
    };
    let read = session.operation("a").await.unwrap().unwrap();
    assert_eq!(read, taken);
    let ended = OperationRow {
        status: OperationStatus::Succeeded,
        ended_at: Some(start() + 1.hour()),
        request: json!(null),
        ..taken
    };
    assert!(session.finish_operation(&ended).await.unwrap());
    let late = session.adopt_operation("a", Uuid::from_u128(7)).await;
    assert!(!late.unwrap(), "it has ended");
    assert_eq!(session.operation("a").await.unwrap().unwrap(), ended);
}
