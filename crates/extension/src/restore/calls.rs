//! The requests of a restore: sent again when that helps, and remembered as sent again.
//!
//! Contract: every request about an object goes through [`Calls::send`], which keeps the
//! [`Pace`] and says whether an earlier sending may have been carried out unheard: an object that
//! "already exists" after such a one may be the one that we made. A request that the API server
//! refuses for want of a right is sent again for a short while, because one that has just started
//! refuses everybody until it has read its own rules.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use strongroom_kubernetes::{Cluster, ClusterError, Failure, Retries};
use tokio::time::Instant;

use super::pace::{Answer, Change, Pace};
use crate::environment::Environment;
use crate::limits::{AUTHORIZER_PAUSE, AUTHORIZER_WAIT};

/// What came of a request.
#[derive(Debug)]
pub(super) struct Sent<T> {
    /// The last answer.
    pub(super) outcome: Result<T, ClusterError>,
    /// Whether it was sent before and no answer came that says that it was not carried out.
    pub(super) unheard: bool,
}

/// Sends requests. Shared by all that are in flight.
#[derive(Debug)]
pub(super) struct Calls {
    /// Without retries of its own.
    pub(super) cluster: Cluster,
    retries: Retries,
    authorizer_wait: Duration,
    authorizer_pause: Duration,
    pace: Mutex<Pace>,
    refusals: Mutex<Refusals>,
}

impl Calls {
    pub(super) fn new(environment: &Environment) -> Self {
        let cluster = environment.cluster.clone();
        Self {
            retries: cluster.retries(),
            cluster: cluster.with_retries(Retries::NONE),
            authorizer_wait: AUTHORIZER_WAIT.min(environment.unreachable_grace),
            authorizer_pause: AUTHORIZER_PAUSE.min(environment.unreachable_pause),
            pace: Mutex::default(),
            refusals: Mutex::default(),
        }
    }

    /// How many objects may be in hand at once.
    pub(super) fn in_flight(&self) -> usize {
        locked(&self.pace).in_flight()
    }

    /// Sends a request, again as often as that may help.
    pub(super) async fn send<T, F>(&self, request: impl Fn() -> F) -> Sent<T>
    where
        F: Future<Output = Result<T, ClusterError>>,
    {
        let mut unheard = false;
        let mut attempt = 0;
        loop {
            self.hold_back().await;
            let began = Instant::now();
            let outcome = request().await;
            let now = Instant::now();
            let spent = now.saturating_duration_since(began);
            let error = match outcome {
                Ok(answer) => {
                    self.note(Answer::Given(spent), now);
                    let outcome = Ok(answer);
                    return Sent { outcome, unheard };
                }
                Err(error) => error,
            };
            unheard |= may_have_been_carried_out(&error.failure);
            let again = match what_next(&error.failure) {
                Next::Answered => {
                    self.note(Answer::Given(spent), now);
                    None
                }
                Next::Refused => {
                    self.note(Answer::Given(spent), now);
                    let retry = locked(&self.refusals).judge(now, self.authorizer_wait);
                    retry.then_some(self.authorizer_pause)
                }
                Next::Later(answer) => {
                    self.note(answer, now);
                    locked(&self.refusals).server_was_gone();
                    let asked = error.failure.retry_after();
                    (attempt < self.retries.times).then(|| self.retries.wait(attempt, asked))
                }
            };
            let Some(wait) = again else {
                let outcome = Err(error);
                return Sent { outcome, unheard };
            };
            attempt += 1;
            tokio::time::sleep(wait).await;
        }
    }

    async fn hold_back(&self) {
        let wait = locked(&self.pace).wait(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait.min(self.retries.longest)).await;
        }
    }

    fn note(&self, answer: Answer, now: Instant) {
        let mut pace = locked(&self.pace);
        if let Change::Shrunk(why) = pace.told(answer, now) {
            tracing::debug!(restore.in_flight = pace.in_flight(), "slowing down: {why}");
        }
    }
}

/// What a failure means for the request.
enum Next {
    /// It is an answer like any other.
    Answered,
    /// A refusal for want of a right.
    Refused,
    /// It may pass.
    Later(Answer),
}

fn what_next(failure: &Failure) -> Next {
    match failure {
        Failure::TooManyRequests { retry_after, .. } => Next::Later(Answer::TooMany(*retry_after)),
        Failure::Forbidden { .. } | Failure::Unauthorized { .. } => Next::Refused,
        failure if failure.passes_by_itself() => Next::Later(Answer::Trouble),
        _ => Next::Answered,
    }
}

/// Whether a request that ended so may have been carried out all the same.
fn may_have_been_carried_out(failure: &Failure) -> bool {
    match failure {
        Failure::Unreachable { .. } | Failure::Timeout { .. } | Failure::Malformed { .. } => true,
        Failure::ServerError { status, .. } => *status != 500 || failure.passes_by_itself(),
        _ => false,
    }
}

/// Whether a refusal for want of a right may be that of an API server that has just started.
///
/// Such a server refuses for a few seconds, whatever is asked. So the first refusals are not
/// believed, for a while in all and not for each object; what is refused after that is.
#[derive(Debug, Default)]
struct Refusals {
    since: Option<Instant>,
}

impl Refusals {
    /// Whether to ask again.
    fn judge(&mut self, now: Instant, wait: Duration) -> bool {
        let since = *self.since.get_or_insert(now);
        now.saturating_duration_since(since) < wait
    }

    /// The server did not answer: it may start anew.
    fn server_was_gone(&mut self) {
        self.since = None;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_refusals_are_not_believed_and_later_ones_are_until_the_server_was_gone() {
        let first = Instant::now();
        let at = |second| first + Duration::from_secs(second);
        let wait = Duration::from_secs(10);
        let mut refusals = Refusals::default();
        assert!(refusals.judge(at(0), wait));
        assert!(refusals.judge(at(9), wait));
        assert!(!refusals.judge(at(10), wait));
        assert!(!refusals.judge(at(500), wait));
        refusals.server_was_gone();
        assert!(refusals.judge(at(501), wait));
    }

    #[test]
    fn only_an_answer_that_leaves_it_open_makes_a_request_unheard() {
        let server = |status| Failure::ServerError {
            status,
            retry_after: None,
            message: "failed calling webhook".into(),
        };
        assert!(!may_have_been_carried_out(&server(500)));
        assert!(may_have_been_carried_out(&server(504)));
        let limit = Duration::from_secs(1);
        assert!(may_have_been_carried_out(&Failure::Timeout { limit }));
        let message = String::new();
        let retry_after = None;
        assert!(!may_have_been_carried_out(&Failure::TooManyRequests {
            retry_after,
            message
        }));
    }
}
