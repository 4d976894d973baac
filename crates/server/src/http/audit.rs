//! The entry of each call in the audit log.
//!
//! Contract: it stands inside the layer that gives a request its ids and outside of the check of the token,
//! so that it sees every answer. What writes has its entry from the transaction that wrote
//! ([`crate::store::call`]). This layer sees to the rest: calls that may write and changed nothing, whatever
//! became of them, and every denied call, reading or not. If such an entry cannot be written, what was
//! answered well is answered 503 instead: it changed nothing, and can be asked again.
//!
//! Calls of nobody known come as thick as anybody likes, and each entry costs a write. So they have entries
//! up to a number in a minute ([`UNKNOWN_CALLERS_LISTED`]); what comes beyond that is counted, and the next
//! entry of one tells the number.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use futures::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use percent_encoding::percent_decode_str;
use strongroom_core::audit::{Event, Outcome};
use strongroom_core::error::{Code, Problem};

use super::correlation::Ids;
use super::error::{X_MS_ERROR_CODE, respond};
use super::limits::{UNKNOWN_CALLERS_LISTED, UNKNOWN_CALLERS_WITHIN};
use super::route::{Action, Route};
use crate::app::error::chain;
use crate::app::{App, audit};
use crate::store::Actor;
use crate::store::call::{Call, note};

/// What the layer needs.
#[derive(Clone)]
pub(crate) struct Audit {
    app: Arc<App>,
    actions: Arc<HashMap<&'static str, Vec<(Method, Action)>>>,
    unknown: Arc<Mutex<Unknown>>,
}

impl Audit {
    pub(crate) fn of(app: &Arc<App>, routes: &[Route]) -> Self {
        let actions = routes
            .iter()
            .map(|route| (route.path, route.methods.clone()));
        Self {
            app: Arc::clone(app),
            actions: Arc::new(actions.collect()),
            unknown: Arc::default(),
        }
    }

    /// The action that a request is; none where there is no such route.
    fn action(&self, request: &Request) -> Option<&'static str> {
        let path = request.extensions().get::<MatchedPath>()?;
        let method = match *request.method() {
            Method::HEAD => &Method::GET,
            ref method => method,
        };
        let methods = self.actions.get(path.as_str())?;
        let found = methods.iter().find(|(known, _)| known == method);
        found.map(|(_, action)| action.0)
    }

    /// What is known of a call when it comes.
    fn event(&self, request: &Request, action: Option<&str>) -> Event {
        let ids = request.extensions().get::<Ids>().cloned();
        let ids = ids.unwrap_or_default();
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        Event {
            time: self.app.now(),
            caller: None,
            approver: None,
            action: action.unwrap_or_default().to_owned(),
            scope: shown(request.uri().path()),
            method: request.method().to_string(),
            // Until it is known better.
            outcome: Outcome::Failed,
            status: None,
            code: None,
            request_id: ids.request,
            correlation_id: ids.correlation,
            client_address: peer.map(|peer| peer.0.ip().to_string()),
            unlisted: 0,
        }
    }
}

/// Calls of nobody known in the span at hand.
#[derive(Debug, Default)]
struct Unknown {
    since: Timestamp,
    listed: u32,
    unlisted: u64,
}

impl Unknown {
    /// Whether one that comes at `now` gets an entry, and then how many before it got none.
    fn admit(&mut self, now: Timestamp) -> Option<u64> {
        let span = SignedDuration::try_from(UNKNOWN_CALLERS_WITHIN).unwrap_or(SignedDuration::MAX);
        let passed = now.duration_since(self.since);
        if passed >= span || passed.is_negative() {
            self.since = now;
            self.listed = 0;
        }
        if self.listed >= UNKNOWN_CALLERS_LISTED {
            self.unlisted += 1;
            return None;
        }
        self.listed += 1;
        Some(std::mem::take(&mut self.unlisted))
    }
}

/// Tells the audit log who calls.
pub(crate) fn note_caller(actor: &Actor) {
    note(|event| {
        event.caller = Some(actor.to_caller());
    });
}

/// Runs a request and sees to its entry.
pub(crate) async fn enter(State(audit): State<Audit>, request: Request, next: Next) -> Response {
    let reads = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    let action = audit.action(&request);
    let call = Call::new(audit.event(&request, action), !reads);
    let run = AssertUnwindSafe(next.run(request)).catch_unwind();
    let (status, code, response) = match call.during(run).await {
        Ok(response) => {
            let code = response.headers().get(X_MS_ERROR_CODE);
            let code = code.and_then(|code| code.to_str().ok()).map(str::to_owned);
            (response.status().as_u16(), code, Ok(response))
        }
        Err(panic) => (500, None, Err(panic)),
    };
    let outcome = Outcome::of_status(status);
    let is_of_interest = (!reads && action.is_some()) || outcome == Outcome::Denied;
    let mut failure = None;
    if is_of_interest && !call.has_entry() {
        let event = Event {
            outcome,
            status: Some(status),
            code,
            ..call.event()
        };
        failure = entered(&audit, event).await;
    }
    match (response, failure) {
        (Ok(_), Some(unavailable)) if outcome == Outcome::Answered => unavailable,
        (Ok(response), _) => response,
        (Err(panic), _) => std::panic::resume_unwind(panic),
    }
}

/// Writes an entry; what to answer if that is not possible.
async fn entered(audit: &Audit, mut event: Event) -> Option<Response> {
    if event.caller.is_none() {
        let mut unknown = audit.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        event.unlisted = unknown.admit(event.time)?;
    }
    let error = audit::append(&audit.app, event).await.err()?;
    tracing::error!(error = %chain(&error), "a call could not be entered in the audit log");
    Some(respond(&Problem::new(
        Code::ServiceUnavailable,
        "The audit log could not be written; nothing was changed.",
    )))
}

/// A path as people read it.
fn shown(path: &str) -> String {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    decoded
        .chars()
        .map(|character| {
            if character.is_control() {
                '\u{fffd}'
            } else {
                character
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
