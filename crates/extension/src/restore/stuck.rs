//! Types whose creates meet a webhook (or an aggregated API) that does not answer: after a few failures
//! in a row the others of the type are put off without asking, so that one that hangs does not stall
//! everything. At the end one object of the type finds out, for all of them, whether it answers now.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strongroom_core::{Code, ResourceType};
use strongroom_kubernetes::Failure;
use tokio::sync::OnceCell;

use crate::job::is_denial;
use crate::limits::WEBHOOK_FAILURES;

/// Why a type is still out of reach at the end, as the code and the words of the object that was tried;
/// none when it is not.
pub(super) type Verdict = Option<(Option<String>, String)>;

/// What is known of types. As many as a cluster serves.
#[derive(Debug, Default)]
pub(super) struct Stuck {
    failures: Mutex<BTreeMap<ResourceType, u32>>,
    verdicts: Mutex<BTreeMap<ResourceType, Arc<OnceCell<Verdict>>>>,
}

impl Stuck {
    /// Notes that a create got no answer of its own.
    pub(super) fn failed(&self, resource: &ResourceType) {
        let mut failures = locked(&self.failures);
        *failures.entry(resource.clone()).or_default() += 1;
    }

    /// Notes that a create was answered.
    pub(super) fn answered(&self, resource: &ResourceType) {
        let mut failures = locked(&self.failures);
        if !failures.is_empty() {
            failures.remove(resource);
        }
    }

    /// Whether the type's objects are put off without asking.
    pub(super) fn is_stuck(&self, resource: &ResourceType) -> bool {
        let failures = locked(&self.failures);
        failures
            .get(resource)
            .is_some_and(|times| *times >= WEBHOOK_FAILURES)
    }

    /// Where the verdict on a type is written, once.
    pub(super) fn verdict(&self, resource: &ResourceType) -> Arc<OnceCell<Verdict>> {
        let mut verdicts = locked(&self.verdicts);
        Arc::clone(verdicts.entry(resource.clone()).or_default())
    }
}

/// The code of a failure that is not the object's own, but that of what the API server asked about it;
/// none when trying again would bring the same answer.
///
/// A create that takes so long that nobody waits any more waits for a webhook: the API server's own
/// part takes milliseconds. It says 500 of a webhook that fails, 504 when its own time is over, 503 of
/// an aggregated API.
pub(super) fn out_of_reach(failure: &Failure) -> Option<Code> {
    match failure {
        Failure::ServerError {
            status: 500,
            message,
            ..
        } => (message.contains("webhook") && !is_denial(message))
            .then_some(Code::AdmissionWebhookUnavailable),
        Failure::ServerError { status: 504, .. } | Failure::Timeout { .. } => {
            Some(Code::AdmissionWebhookUnavailable)
        }
        Failure::ServerError { .. }
        | Failure::TooManyRequests { .. }
        | Failure::Unreachable { .. } => Some(Code::ApiGroupUnavailable),
        _ => None,
    }
}

/// Whether a webhook answered with a failure of its own, as controllers do when they cannot find out
/// what they must know: it says nothing of other objects of the type, and may pass when all that is
/// restored is there.
pub(super) fn webhook_failed(failure: &Failure) -> bool {
    matches!(failure, Failure::ServerError { status: 500.., message, .. } if is_denial(message))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_stuck_after_failures_in_a_row_until_it_answers() {
        let stuck = Stuck::default();
        let maps = ResourceType::new("", "v1", "ConfigMap", "configmaps", true);
        let pods = ResourceType::new("", "v1", "Pod", "pods", true);
        for _ in 0..WEBHOOK_FAILURES {
            assert!(!stuck.is_stuck(&maps));
            stuck.failed(&maps);
        }
        assert!(stuck.is_stuck(&maps) && !stuck.is_stuck(&pods));
        stuck.answered(&maps);
        assert!(!stuck.is_stuck(&maps));
    }

    #[test]
    fn what_the_api_server_could_not_ask_is_told_from_what_it_refuses() {
        let server = |status, message: &str| Failure::ServerError {
            status,
            retry_after: None,
            message: message.into(),
        };
        let webhook = Some(Code::AdmissionWebhookUnavailable);
        assert_eq!(
            out_of_reach(&server(500, "failed calling webhook \"a\"")),
            webhook
        );
        let conversion = "conversion webhook for example.com/v1, Kind=A failed";
        assert_eq!(out_of_reach(&server(500, conversion)), webhook);
        assert_eq!(
            out_of_reach(&server(504, "context deadline exceeded")),
            webhook
        );
        let aggregated = Some(Code::ApiGroupUnavailable);
        assert_eq!(out_of_reach(&server(503, "unavailable")), aggregated);
        assert_eq!(out_of_reach(&server(500, "a bug")), None);
        let denied = server(500, "admission webhook \"a\" denied the request: a bug");
        assert_eq!(out_of_reach(&denied), None);
        assert!(webhook_failed(&denied));
        assert!(!webhook_failed(&server(
            500,
            "failed calling webhook \"a\""
        )));
        let message = "violates PodSecurity".to_owned();
        assert_eq!(out_of_reach(&Failure::Denied { message }), None);
    }
}
