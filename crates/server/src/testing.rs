//! For tests: an application on a temporary directory with a fixed clock and counted randomness,
//! and requests to it without a network.

mod resources;

pub(crate) mod protection;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, header};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::app::App;
use crate::app::admin_token::AdminToken;
use crate::cluster_link::fake::FakeClusters;
use crate::environment::{Clock, Entropy};
use crate::metrics::Metrics;
use crate::secrets::MasterKey;
use crate::store::Store;
use crate::store::sqlite::SqliteDatabase;

pub(crate) use resources::KUBECONFIG;

/// The token that [`Harness`] accepts.
pub(crate) const TOKEN: &str = "srm_test";

/// The version that requests of [`Harness`] name.
pub(crate) const VERSION: &str = "api-version=2026-06-01";

/// The subscription that tests use.
pub(crate) const SUBSCRIPTION: &str = "/subscriptions/11111111-2222-3333-4444-555555555555";

/// Random bytes that are a count: different each time, the same in each run.
#[derive(Debug, Default)]
pub(crate) struct CountingEntropy(AtomicU64);

impl Entropy for CountingEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let count = self.0.fetch_add(1, Ordering::Relaxed);
            chunk.copy_from_slice(&count.to_be_bytes()[..chunk.len()]);
        }
    }
}

/// A clock that moves only when told.
#[derive(Debug)]
pub(crate) struct SteppedClock(AtomicI64);

impl SteppedClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.0
            .fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Status and error code; the code in the header equals the one in the body.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let code = self.json()["error"]["code"].as_str().unwrap().to_owned();
        assert_eq!(self.header("x-ms-error-code"), code);
        (self.status, code)
    }
}

/// An application and its routes.
pub(crate) struct Harness {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<SteppedClock>,
    pub(crate) clusters: Arc<FakeClusters>,
    pub(crate) router: Router,
    pub(crate) dir: tempfile::TempDir,
}

impl Harness {
    pub(crate) async fn new() -> Self {
        Self::with_token_lifetime(None).await
    }

    /// As [`Self::new`], with an administrator's token that ends.
    pub(crate) async fn with_token_lifetime(lifetime: Option<jiff::SignedDuration>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let start: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let clock = Arc::new(SteppedClock(AtomicI64::new(start.as_microsecond())));
        let database = SqliteDatabase::open(&dir.path().join("strongroom.db"))
            .await
            .unwrap();
        let blobs = dir.path().join("blobs");
        std::fs::create_dir(&blobs).unwrap();
        let clusters = Arc::new(FakeClusters::default());
        let store = Store::new(database);
        let token_file = dir.path().join("admin.token");
        let admin_token = AdminToken::holding(TOKEN, token_file, lifetime, &store, &*clock).await;
        let app = Arc::new(App {
            store,
            keys: MasterKey::from_bytes(&[1; 32]).unwrap(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy: Arc::new(CountingEntropy::default()),
            blobs,
            advertise_url: "https://vault.example.org:8443".parse().unwrap(),
            ca_certificate_pem: String::new(),
            admin_token,
            tenant_id: uuid::Uuid::from_u128(7),
            metrics: Arc::new(Metrics::default()),
            jobs_changed: tokio::sync::Notify::new(),
            clusters: Arc::clone(&clusters) as Arc<dyn crate::cluster_link::ClusterLink>,
            extension_image: "localhost/strongroom:test".to_owned(),
            job_limits: crate::worker::limits::JobLimits::default(),
            purges: tokio::sync::Semaphore::new(crate::worker::limits::PURGES_AT_ONCE),
            verifications: crate::app::verification::Verifications::default(),
            readiness: crate::app::readiness::Readiness::default(),
            crash: crate::worker::crash::CrashPoint::default(),
        });
        let router = crate::http::router(Arc::clone(&app), Duration::from_secs(30));
        Self {
            app,
            clock,
            clusters,
            router,
            dir,
        }
    }

    /// A resource group, and the address of a vault in it that does not exist yet.
    pub(crate) async fn vault_path(&self) -> String {
        let group = format!("{SUBSCRIPTION}/resourceGroups/rg");
        let answer = self
            .put(&group, serde_json::json!({"location": "westeurope"}))
            .await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        format!("{group}/providers/Microsoft.DataProtection/backupVaults/vault")
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// A request with token, version and host already set. A `path` with a query is left as it is.
    pub(crate) fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let uri = if path.contains('?') {
            path.to_owned()
        } else {
            format!("{path}?{VERSION}")
        };
        Request::builder()
            .method(method)
            .uri(uri)
            .header(header::HOST, "localhost:8443")
            .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
    }

    /// A request with another token than [`TOKEN`].
    pub(crate) async fn as_holder_of(&self, token: &str, method: &str, path: &str) -> Answer {
        let mut request = self.request(method, path).body(Body::empty()).unwrap();
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
        self.send(request).await
    }

    pub(crate) async fn anonymous(&self, method: &str, path: &str) -> Answer {
        self.send(
            Request::builder()
                .method(method)
                .uri(path)
                .body(Body::empty())
                .unwrap(),
        )
        .await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let request = self.request(method, path);
        let request = match body {
            Some(body) => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        self.send(request.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.call("PUT", path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, None).await
    }
}
