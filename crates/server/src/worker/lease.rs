//! Works as long as this server holds the work's lease, where several servers share the catalogue.
//!
//! Contract: at most one server works at a time, and what it writes commits only in its own term, see
//! [`strongroom_core::lease`] and [`crate::store::lease`]. A server that cannot renew the lease in time stops
//! all that is under way, as if it were killed; another one goes on from the store.

use std::sync::Arc;
use std::time::Duration;

use strongroom_core::lease::{RENEW_DEADLINE, RETRY_PERIOD};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::take_up_operations::take_up_operations;
use super::{Duties, work};
use crate::app::error::chain;
use crate::app::servers::{self, Seen, Sight};
use crate::app::{App, admin_token};
use crate::store::OperationRow;
use crate::store::lease::by_term;

/// The work of one term.
struct Turn {
    term: u64,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Turn {
    fn begin(app: &Arc<App>, duties: &Duties, term: u64) -> Self {
        let (stop, stopped) = watch::channel(false);
        let work = work(Arc::clone(app), duties.clone(), stopped);
        let task = tokio::spawn(by_term(term, work));
        Self { term, stop, task }
    }

    /// Ends at the next moment at which nothing is under way.
    async fn end(self) {
        // It may have ended by itself.
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }

    /// Ends now.
    async fn cut_off(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Works whenever it is this server's turn, until `stop` says so.
pub(super) async fn work_in_turn(app: Arc<App>, duties: Duties, mut stop: watch::Receiver<bool>) {
    let own = |operation: &OperationRow| operation.holder == Some(app.server_id);
    if let Err(error) = take_up_operations(&app, own).await {
        tracing::error!(error = %chain(&error), "operations that were left open could not be taken up");
    }
    let mut sight = Sight::default();
    let mut turn: Option<Turn> = None;
    let mut renewed = Instant::now();
    while !*stop.borrow() {
        let began = Instant::now();
        let left = match turn {
            Some(_) => RENEW_DEADLINE.saturating_sub(renewed.elapsed()),
            None => RENEW_DEADLINE,
        };
        match timeout(left, servers::look(&app, &mut sight, began)).await {
            Ok(Ok(seen)) => {
                renewed = began;
                turn = follow(&app, &duties, turn, &seen).await;
            }
            Ok(Err(error)) => {
                tracing::warn!(error = %chain(&error), "the leases could not be looked at");
            }
            Err(_) => tracing::warn!("the store does not answer in time for the leases"),
        }
        if renewed.elapsed() >= RENEW_DEADLINE
            && let Some(late) = turn.take()
        {
            tracing::warn!(
                term = late.term,
                "the lease of the work was not renewed in time: this server stops working"
            );
            late.cut_off().await;
            sight.let_go();
        }
        tokio::select! {
            _ = stop.changed() => {}
            () = sleep(pause(began)) => {}
        }
    }
    if let Some(turn) = turn {
        turn.end().await;
    }
    let leaving = timeout(RENEW_DEADLINE, servers::leave(&app, &sight)).await;
    if !matches!(leaving, Ok(Ok(()))) {
        tracing::warn!("the leases were not given back: another server waits until they are over");
    }
}

fn pause(began: Instant) -> Duration {
    RETRY_PERIOD.saturating_sub(began.elapsed())
}

/// Begins, goes on or ends as what was seen says, and does what comes with each look.
async fn follow(
    app: &Arc<App>,
    duties: &Duties,
    mut turn: Option<Turn>,
    seen: &Seen,
) -> Option<Turn> {
    if let Some(other) = turn.take_if(|turn| Some(turn.term) != seen.term) {
        tracing::warn!(term = other.term, "another server took the work over");
        other.cut_off().await;
    }
    // Whoever holds the lease and does nothing would keep all others from it.
    if let Some(broken) = turn.take_if(|turn| turn.task.is_finished()) {
        tracing::error!(
            term = broken.term,
            "the work ended by itself, see above; it begins again"
        );
        broken.cut_off().await;
    }
    if turn.is_none()
        && let Some(term) = seen.term
    {
        turn = Some(Turn::begin(app, duties, term));
    }
    if let Err(error) = admin_token::refresh(app).await {
        tracing::warn!(error = %chain(&error), "the administrator's token could not be read anew");
    }
    if seen.term.is_some() {
        let is_left = |operation: &OperationRow| seen.lacks(operation.holder);
        if let Err(error) = take_up_operations(app, is_left).await {
            tracing::warn!(error = %chain(&error), "operations of other servers could not be taken over");
        }
    }
    turn
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::testing::Harness;
    use crate::worker::tests::duties;

    #[tokio::test]
    async fn work_that_ended_by_itself_begins_again_and_work_that_goes_on_is_left() {
        const TERM: u64 = 7;
        let harness = Harness::new().await;
        let app = &harness.app;
        let duties = duties(app);
        let seen = Seen {
            term: Some(TERM),
            present: BTreeSet::new(),
        };
        let (stop, _stopped) = watch::channel(false);
        let task = tokio::spawn(async {});
        while !task.is_finished() {
            tokio::task::yield_now().await;
        }
        let term = TERM;
        let ended = Turn { term, stop, task };
        let begun = follow(app, &duties, Some(ended), &seen).await.unwrap();
        while app.metrics.working.get() == 0 {
            tokio::task::yield_now().await;
        }
        let id = begun.task.id();
        let same = follow(app, &duties, Some(begun), &seen).await.unwrap();
        assert_eq!((same.term, same.task.id()), (TERM, id));
        same.end().await;
        assert_eq!(app.metrics.working.get(), 0);
    }
}
