//! Two servers on one catalogue.

use std::time::Duration;

use strongroom_core::lease::{DURATION, RETRY_PERIOD};
use tokio::time::Instant;

use super::*;
use crate::store::StoreError;
use crate::store::lease::{by_term, inherited};
use crate::testing::Harness;

/// One of them, and what it sees.
struct Server<'a> {
    app: &'a App,
    sight: Sight,
}

impl<'a> Server<'a> {
    fn new(app: &'a App) -> Self {
        Self {
            app,
            sight: Sight::default(),
        }
    }

    async fn looks(&mut self, now: Instant) -> Seen {
        look(self.app, &mut self.sight, now).await.unwrap()
    }
}

async fn write(app: &App) -> std::result::Result<(), StoreError> {
    let mut session = app.store.begin().await?;
    session.put_setting("written-by", "a worker").await?;
    session.commit().await
}

#[tokio::test]
async fn one_server_works_and_another_takes_over_when_it_was_silent_for_long_enough() {
    let harness = Harness::new().await;
    let peer = harness.peer(2).await;
    let (mut one, mut other) = (Server::new(&harness.app), Server::new(&peer));
    let mut now = Instant::now();
    assert_eq!(one.looks(now).await.term, Some(1));
    let seen = other.looks(now).await;
    assert_eq!(seen.term, None);
    assert_eq!(seen.present.len(), 2);

    // As long as it renews it, time alone changes nothing.
    for _ in 0..10 {
        now += RETRY_PERIOD;
        assert_eq!(one.looks(now).await.term, Some(1));
        assert_eq!(other.looks(now).await.term, None);
    }
    let silent_since = now;
    while now + RETRY_PERIOD < silent_since + DURATION {
        now += RETRY_PERIOD;
        assert_eq!(other.looks(now).await.term, None, "too early");
    }
    let seen = other.looks(silent_since + DURATION).await;
    assert_eq!(seen.term, Some(2));
    assert_eq!(seen.present, BTreeSet::from([peer.server_id]));
    assert_eq!(one.looks(silent_since + DURATION).await.term, None);
}

#[tokio::test]
async fn a_server_that_lost_the_work_without_knowing_it_writes_nothing() {
    let harness = Harness::new().await;
    let peer = harness.peer(2).await;
    let (mut one, mut other) = (Server::new(&harness.app), Server::new(&peer));
    let now = Instant::now();
    let term = one.looks(now).await.term.unwrap();
    by_term(term, write(&harness.app)).await.unwrap();
    other.looks(now).await;
    let taken = other.looks(now + DURATION).await.term.unwrap();

    let late = by_term(term, async {
        let task = inherited(async {
            let refused = write(&harness.app).await.unwrap_err();
            assert!(matches!(refused, StoreError::LeaseLost), "{refused:?}");
        });
        task.await;
        write(&harness.app).await
    });
    assert!(matches!(late.await, Err(StoreError::LeaseLost)));
    // What clients ask it for is no work of the lease.
    write(&harness.app).await.unwrap();
    by_term(taken, write(&peer)).await.unwrap();
}

#[tokio::test]
async fn a_server_that_leaves_is_followed_at_once_and_one_that_starts_again_goes_on() {
    let harness = Harness::new().await;
    let peer = harness.peer(2).await;
    let (mut one, mut other) = (Server::new(&harness.app), Server::new(&peer));
    let now = Instant::now();
    one.looks(now).await;
    other.looks(now).await;
    let mut again = Server::new(&harness.app);
    let seen = again.looks(now).await;
    assert_eq!(seen.term, Some(2), "its former process is gone");

    let store = &harness.app.store;
    assert!(has_another(store, peer.server_id).await.unwrap());
    leave(&harness.app, &again.sight).await.unwrap();
    assert!(!has_another(store, peer.server_id).await.unwrap());
    let seen = other.looks(now + Duration::from_secs(1)).await;
    assert_eq!(seen.term, Some(3));
    // Whoever does not hold it gives nothing back.
    leave(&harness.app, &one.sight).await.unwrap();
    let seen = other.looks(now + RETRY_PERIOD).await;
    assert_eq!(seen.term, Some(3));
}

#[tokio::test]
async fn a_token_that_one_server_replaced_is_no_other_servers_token() {
    use crate::app::admin_token::record::TokenDigest;
    use crate::app::admin_token::{refresh, refusal, rotate};
    let harness = Harness::new().await;
    if !harness.app.store.is_shared() {
        println!("left out: the catalogue has one server");
        return;
    }
    let peer = harness.peer(2).await;
    let old = TokenDigest::of(crate::testing::TOKEN);
    assert_eq!(refusal(&peer, old).await.unwrap(), None);
    harness.clock.advance(Duration::from_secs(1));
    let new = rotate(&harness.app, old).await.unwrap();
    let new = TokenDigest::of(&new.token);
    // Known to it as soon as it is presented, and the old one is refused from then on.
    assert_eq!(refusal(&peer, new).await.unwrap(), None);
    assert!(refusal(&peer, old).await.unwrap().is_some());

    harness.clock.advance(Duration::from_secs(1));
    let newer = rotate(&peer, new).await.unwrap();
    assert_eq!(refusal(&harness.app, new).await.unwrap(), None, "for now");
    refresh(&harness.app).await.unwrap();
    assert!(refusal(&harness.app, new).await.unwrap().is_some());
    let newer = TokenDigest::of(&newer.token);
    assert_eq!(refusal(&harness.app, newer).await.unwrap(), None);
}
