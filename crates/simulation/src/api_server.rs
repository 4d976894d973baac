//! An in-memory Kubernetes API server on a loopback port.
//!
//! It keeps every version of every object (so lists at an exact resource version work), assigns
//! uids, resource versions, creation times and a coarse `managedFields`, refuses creates in absent
//! namespaces, serves discovery (aggregated and plain), watches, the status subresource, merge
//! patch and a simplified server-side apply (a merge that records the manager). It does not
//! validate schemas and runs no controllers beyond: a new CRD is Established, a new namespace gets
//! its `default` ServiceAccount, a deleted namespace takes its objects with it.

mod discovery;
mod patch;
mod request;
mod state;
mod verbs;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::http::StatusCode;
use serde_json::Value;

pub use state::{Kind, State};

/// A failure that the server answers instead of doing what was asked.
#[derive(Debug, Clone)]
pub struct Fault {
    /// HTTP method it applies to, `None` for all.
    pub method: Option<&'static str>,
    /// Part of the path (with query) that it applies to.
    pub path: String,
    /// Status to answer; 0 for no answer at all, neither before nor after doing what was asked.
    pub status: u16,
    /// `reason` of the answered Status object.
    pub reason: String,
    /// `message` of the answered Status object.
    pub message: String,
    /// How many more requests it hits; `u32::MAX` for always.
    pub times: u32,
}

/// A change that the server makes to objects as they are written, as a mutating webhook does.
#[derive(Debug, Clone)]
struct Mutation {
    /// Part of the path of the requests that it applies to.
    path: String,
    /// Merged into the object.
    patch: Value,
}

/// The kind of the objects that name aggregated APIs.
const API_SERVICES: &str = "apiservices.apiregistration.k8s.io";

/// What is behind a group and version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// Something that answers.
    Answers,
    /// An aggregated API whose server does not answer.
    Down,
    /// Nothing: an aggregated API without its APIService.
    Unknown,
}

/// What was asked of the server, for tests that count calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// HTTP method.
    pub method: String,
    /// Path with query.
    pub path: String,
}

/// Everything that the handlers share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    faults: Mutex<Vec<Fault>>,
    /// As faults, but after doing what was asked.
    lost: Mutex<Vec<Fault>>,
    mutations: Mutex<Vec<Mutation>>,
    calls: Mutex<Vec<Call>>,
    /// Kinds that count their states in their own way, with how far they are ahead.
    apart: Mutex<BTreeMap<String, u64>>,
    /// Groups and versions that another server answers, with how many more requests it does not.
    aggregated: Mutex<BTreeMap<(String, String), u32>>,
    changed: tokio::sync::watch::Sender<u64>,
    hung: tokio::sync::Notify,
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far a kind (`configmaps`, `deployments.apps`) counts ahead of the others, when it does.
    pub(crate) fn ahead(&self, kind: &str) -> Option<u64> {
        let apart = self.apart.lock().unwrap_or_else(PoisonError::into_inner);
        apart.get(kind).copied()
    }

    /// How a group and version is answered; each call counts as a request of it.
    pub(crate) fn behind(&self, group: &str, version: &str) -> Behind {
        let key = (group.to_owned(), version.to_owned());
        let mut aggregated = self
            .aggregated
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(down_for) = aggregated.get_mut(&key) else {
            return Behind::Answers;
        };
        let service = format!("{version}.{group}");
        if self.state().live(API_SERVICES, &service).is_none() {
            return Behind::Unknown;
        }
        if *down_for == 0 {
            return Behind::Answers;
        }
        if *down_for != u32::MAX {
            *down_for -= 1;
        }
        Behind::Down
    }

    /// Tells the watches that there may be something new.
    pub(crate) fn notify(&self, revision: u64) {
        self.changed.send_replace(revision);
    }

    pub(crate) fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The fault that hits this request, when there is one.
    fn fault(&self, method: &str, path: &str) -> Option<Fault> {
        let fault = Self::hit(&self.faults, method, path)?;
        if fault.status == 410 {
            // A state expires because the store has gone on since.
            self.state().go_on();
        }
        Some(fault)
    }

    /// The fault that takes the place of the answer to this request.
    fn lost(&self, method: &str, path: &str) -> Option<Fault> {
        Self::hit(&self.lost, method, path)
    }

    /// Changes an object on its way in.
    pub(crate) fn mutate(&self, path: &str, object: &mut Value) {
        let mutations = self
            .mutations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for mutation in mutations.iter().filter(|one| path.contains(&one.path)) {
            patch::merge(object, &mutation.patch);
        }
    }

    fn hit(faults: &Mutex<Vec<Fault>>, method: &str, path: &str) -> Option<Fault> {
        let mut faults = faults.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = faults.iter_mut().find(|fault| {
            fault.times > 0
                && fault.method.is_none_or(|wanted| wanted == method)
                && path.contains(&fault.path)
        })?;
        if fault.times != u32::MAX {
            fault.times -= 1;
        }
        Some(fault.clone())
    }

    fn record(&self, method: &str, path: &str) {
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Call {
                method: method.to_owned(),
                path: path.to_owned(),
            });
    }
}

/// A running in-memory API server. Dropping it stops it.
#[derive(Debug)]
pub struct ApiServer {
    shared: Arc<Shared>,
    url: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ApiServer {
    /// Starts a server with the usual built-in kinds and the namespaces `default` and
    /// `kube-system`.
    ///
    /// # Errors
    /// When no loopback port can be opened.
    pub async fn start() -> std::io::Result<Self> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (changed, _) = tokio::sync::watch::channel(0);
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new()),
            faults: Mutex::new(Vec::new()),
            lost: Mutex::new(Vec::new()),
            mutations: Mutex::new(Vec::new()),
            calls: Mutex::new(Vec::new()),
            apart: Mutex::new(BTreeMap::new()),
            aggregated: Mutex::new(BTreeMap::new()),
            changed,
            hung: tokio::sync::Notify::new(),
        });
        let router = Router::new()
            .fallback(request::serve)
            .with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            // The only end of this task is the drop of the server.
            let _ = axum::serve(listener, router).await;
        });
        let server = Self { shared, url, task };
        for namespace in ["default", "kube-system"] {
            server.create(&serde_json::json!({
                "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace},
            }));
        }
        Ok(server)
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Serves one more kind.
    pub fn serve_kind(&self, kind: Kind) {
        self.shared.state().add_kind(kind);
    }

    /// Puts an object there as a user would (`POST`), and returns it as stored.
    ///
    /// # Panics
    /// When the server refuses it: a test that seeds a bad object is wrong.
    #[expect(
        clippy::panic,
        reason = "a bad fixture must stop the test that seeds it"
    )]
    pub fn create(&self, object: &Value) -> Value {
        let outcome = verbs::create_any(&self.shared, object, "kubectl");
        match outcome {
            Ok(stored) => stored,
            Err(problem) => panic!("the API server refused the fixture: {problem:?}"),
        }
    }

    /// Sets the status of an object, as its controller would.
    ///
    /// # Panics
    /// When the server refuses it.
    #[expect(
        clippy::panic,
        reason = "a bad fixture must stop the test that seeds it"
    )]
    pub fn replace_status(&self, object: &Value) {
        if let Err(problem) = verbs::set_status(&self.shared, object) {
            panic!("the API server refused the status: {problem:?}");
        }
    }

    /// The live object, by plural (`configmaps`, `deployments.apps`), namespace and name.
    #[must_use]
    pub fn get(&self, kind: &str, namespace: Option<&str>, name: &str) -> Option<Value> {
        self.shared
            .state()
            .live(kind, &state::key(namespace, name))
            .map(|object| (*object).clone())
    }

    /// All live objects of a kind (`configmaps`, `deployments.apps`), in key order.
    #[must_use]
    pub fn list(&self, kind: &str) -> Vec<Value> {
        self.shared
            .state()
            .list(kind, None, None)
            .into_iter()
            .map(|(_, object)| (*object).clone())
            .collect()
    }

    /// Deletes an object; a namespace takes what is in it along, a CRD its kind.
    pub fn delete(&self, kind: &str, namespace: Option<&str>, name: &str) {
        let revision = {
            let mut state = self.shared.state();
            state.delete(kind, &state::key(namespace, name));
            match kind {
                "namespaces" => state.delete_namespace_contents(name),
                "customresourcedefinitions.apiextensions.k8s.io" => state.remove_kind(name),
                _ => {}
            }
            state.revision()
        };
        self.shared.notify(revision);
    }

    /// Lets a kind (`configmaps`, `deployments.apps`) count its states in its own way, as one does that
    /// has an etcd of its own: lists name a state that is ahead, and the others' states say nothing.
    pub fn count_apart(&self, kind: &str, ahead: u64) {
        self.shared
            .apart
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(kind.to_owned(), ahead);
    }

    /// Lets a group and version be an aggregated API: served while its APIService is there, and not
    /// answered for so many requests (`u32::MAX` for ever), each look at the discovery among them.
    pub fn aggregate(&self, group: &str, version: &str, down_for: u32) {
        self.shared
            .aggregated
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((group.to_owned(), version.to_owned()), down_for);
    }

    /// Answers matching requests with a failure.
    pub fn inject(&self, fault: Fault) {
        self.shared
            .faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(fault);
    }

    /// Does what matching requests ask, and answers with a failure all the same: the answer was lost
    /// on its way.
    pub fn lose_answer(&self, fault: Fault) {
        self.shared
            .lost
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(fault);
    }

    /// Changes objects that are created or applied by requests whose path contains `path`, as a
    /// mutating webhook does: `patch` is merged into them.
    pub fn mutate(&self, path: impl Into<String>, patch: Value) {
        let path = path.into();
        self.shared
            .mutations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Mutation { path, patch });
    }

    /// Resolves once a request gets no answer because a fault says so.
    pub async fn hung(&self) {
        self.shared.hung.notified().await;
    }

    /// Takes every fault away.
    pub fn heal(&self) {
        self.shared
            .faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Looks until it finds something, each time something has changed.
    pub async fn until<T>(&self, look: impl Fn(&Self) -> Option<T>) -> T {
        let mut changes = self.shared.changes();
        loop {
            changes.mark_unchanged();
            if let Some(found) = look(self) {
                return found;
            }
            // The sender lives in `self`, so this cannot end before the server does.
            let _ = changes.changed().await;
        }
    }

    /// What was asked since the last call of this, oldest first.
    #[must_use]
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(
            &mut *self
                .shared
                .calls
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Forgets everything older than now, as etcd's compaction does: lists at an older resource
    /// version answer 410 from here on.
    pub fn compact(&self) {
        self.shared.state().compact();
    }
}

/// What the server answers when it refuses.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(
        status: StatusCode,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            reason,
            message: message.into(),
        }
    }
}
