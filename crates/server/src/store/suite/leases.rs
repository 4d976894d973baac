//! Leases, and that whoever works by one writes in its term only.

use strongroom_core::lease::Lease;
use uuid::Uuid;

use crate::store::lease::{WORK, by_term, inherited};
use crate::store::{LeaseRow, Store, StoreError};

fn work(term: u64) -> LeaseRow {
    LeaseRow {
        name: WORK.to_owned(),
        lease: Lease {
            holder: Some(Uuid::from_u128(1)),
            term,
            renewals: 3,
        },
    }
}

async fn put(store: &Store, row: &LeaseRow) {
    let mut session = store.begin().await.unwrap();
    session.put_lease(row).await.unwrap();
    session.commit().await.unwrap();
}

async fn write(store: &Store) -> Result<(), StoreError> {
    let mut session = store.begin().await?;
    session.put_setting("a", "1").await?;
    session.commit().await
}

pub(super) async fn a_lease_reads_back_as_written_and_is_forgotten(store: Store) {
    let back = LeaseRow {
        lease: work(7).lease.given_back(),
        ..work(7)
    };
    let server = LeaseRow {
        name: "a server".to_owned(),
        ..work(0)
    };
    for row in [&work(6), &back, &server] {
        put(&store, row).await;
    }
    let mut session = store.begin().await.unwrap();
    let both = [server.clone(), back.clone()];
    assert_eq!(session.leases(10).await.unwrap(), both);
    assert_eq!(session.leases(1).await.unwrap(), both[..1]);
    session.delete_lease(&server.name).await.unwrap();
    session.delete_lease("nobody").await.unwrap();
    assert_eq!(session.leases(10).await.unwrap(), [back]);
}

pub(super) async fn who_works_by_a_lease_commits_in_its_term_only(store: Store) {
    let never_held = by_term(1, write(&store)).await;
    assert!(matches!(never_held, Err(StoreError::LeaseLost)));
    put(&store, &work(1)).await;
    by_term(1, write(&store)).await.unwrap();
    put(&store, &work(2)).await;
    let late = by_term(1, async { inherited(write(&store)).await }).await;
    let late = late.unwrap_err();
    assert!(matches!(late, StoreError::LeaseLost), "{late:?}");
    assert!(late.is_unavailable(), "whoever has the lease does it");
    // Who works by none is asked for none.
    inherited(write(&store)).await.unwrap();
}
