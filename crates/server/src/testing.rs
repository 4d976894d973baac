//! For tests: an application on a temporary directory with a fixed clock and counted randomness,
//! and requests to it without a network.

mod resources;

pub(crate) mod postgres;
pub(crate) mod protection;
mod rows;

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
use crate::app::embedded_folder::EmbeddedFolder;
use crate::app::tokens::TokenKey;
use crate::cluster_link::ClusterLink;
use crate::cluster_link::fake::FakeClusters;
use crate::config::identity_provider::IdentityProviderSection;
use crate::environment::{Clock, Entropy};
use crate::identity_provider::{Group, IdentityProvider};
use crate::metrics::Metrics;
use crate::secrets::MasterKey;
use crate::store::Store;
use crate::store::postgres::PostgresDatabase;
use crate::store::sqlite::SqliteDatabase;

pub(crate) use resources::KUBECONFIG;

/// The token that [`Harness`] accepts.
pub(crate) const TOKEN: &str = "srm_test";

/// The version that requests of [`Harness`] name.
pub(crate) const VERSION: &str = "api-version=2026-06-01";

/// The subscription that tests use.
pub(crate) const SUBSCRIPTION: &str = "/subscriptions/11111111-2222-3333-4444-555555555555";

/// A group that everybody of [`Harness::call_as`] is in.
pub(crate) const GROUP_OF_ALL: uuid::Uuid = uuid::Uuid::from_u128(0xa11);

/// Random bytes that are a count: different each time, the same in each run.
#[derive(Debug, Default)]
pub(crate) struct CountingEntropy(AtomicU64);

impl CountingEntropy {
    /// Each server has its own randomness.
    fn of(server: u128) -> Self {
        Self(AtomicU64::new(u64::try_from(server).unwrap() << 48))
    }
}

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

    /// Somebody puts it back.
    pub(crate) fn turn_back(&self, by: Duration) {
        self.0
            .fetch_sub(i64::try_from(by.as_micros()).unwrap(), Ordering::Relaxed);
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
    /// The URL of its database, when that is no file in `dir`.
    database: Option<String>,
}

/// A store in this folder; with `STRONGROOM_TEST_POSTGRES` a database of its own there instead, so that every
/// test of the server is one of that store as well.
async fn store(dir: &std::path::Path, database: Option<&str>) -> Store {
    match database {
        Some(url) => Store::new(PostgresDatabase::open(url).await.unwrap()),
        None => {
            let file = dir.join("strongroom.db");
            Store::new(SqliteDatabase::open(&file).await.unwrap())
        }
    }
}

/// An application on what is in a folder.
fn application(
    number: u128,
    dir: &std::path::Path,
    store: Store,
    clock: Arc<dyn Clock>,
    clusters: Arc<dyn ClusterLink>,
    admin_token: AdminToken,
    blobs: EmbeddedFolder,
) -> App {
    App {
        server_id: uuid::Uuid::from_u128(number),
        store,
        keys: MasterKey::from_bytes(&[1; 32]).unwrap(),
        clock,
        entropy: Arc::new(CountingEntropy::of(number)),
        blobs,
        advertise_url: "https://vault.example.org:8443".parse().unwrap(),
        ca_certificate_pem: String::new(),
        admin_token,
        token_key: TokenKey::open(&dir.join("token.key")).unwrap(),
        identity_provider: None,
        tenant_id: uuid::Uuid::from_u128(7),
        metrics: Arc::new(Metrics::default()),
        jobs_changed: tokio::sync::Notify::new(),
        policy_changed: tokio::sync::Notify::new(),
        clusters,
        extension_image: "localhost/strongroom:test".to_owned(),
        job_limits: crate::worker::limits::JobLimits::default(),
        purges: tokio::sync::Semaphore::new(crate::worker::limits::PURGES_AT_ONCE),
        verifications: crate::app::verification::Verifications::default(),
        readiness: crate::app::readiness::Readiness::default(),
        failed_sign_ins: crate::app::failed_sign_ins::FailedSignIns::default(),
        crash: crate::worker::crash::CrashPoint::default(),
    }
}

impl Harness {
    /// Another server of the same catalogue and folder, as it starts.
    pub(crate) async fn peer(&self, number: u128) -> Arc<App> {
        let folder = self.app.blobs.path().to_owned();
        let entropy = CountingEntropy::default();
        let blobs = EmbeddedFolder::open(folder, &self.app.store, &entropy).await;
        self.peer_with(number, blobs.unwrap()).await
    }

    /// The same with a folder of its own.
    pub(crate) async fn peer_with(&self, number: u128, blobs: EmbeddedFolder) -> Arc<App> {
        let file = self.dir.path().join(format!("admin.token.{number}"));
        let (store, clock) = (self.app.store.clone(), &*self.clock);
        let entropy = CountingEntropy::of(number);
        let admin_token = AdminToken::open(file, None, true, &store, clock, &entropy)
            .await
            .unwrap();
        Arc::new(application(
            number,
            self.dir.path(),
            store,
            Arc::clone(&self.clock) as Arc<dyn Clock>,
            Arc::clone(&self.clusters) as Arc<dyn ClusterLink>,
            admin_token,
            blobs,
        ))
    }

    pub(crate) async fn new() -> Self {
        Self::built(None, None).await
    }

    /// As [`Self::new`], with an administrator's token that ends.
    pub(crate) async fn with_token_lifetime(lifetime: Option<jiff::SignedDuration>) -> Self {
        Self::built(lifetime, None).await
    }

    /// As [`Self::new`], with an identity provider whose tokens are believed.
    pub(crate) async fn with_identity_provider(settings: IdentityProviderSection) -> Self {
        Self::built(None, Some(IdentityProvider::new(settings).unwrap())).await
    }

    /// Another catalogue beside the same stores and clusters, at the same time.
    pub(crate) async fn with_another_catalogue(&self, fill: impl AsyncFnOnce(&Store)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = postgres::new_catalogue().await;
        let store = store(dir.path(), database.as_deref()).await;
        fill(&store).await;
        let folder = self.app.blobs.path().to_owned();
        let entropy = CountingEntropy::default();
        let blobs = EmbeddedFolder::open(folder, &store, &entropy).await;
        let token_file = dir.path().join("admin.token");
        let admin_token = AdminToken::holding(TOKEN, token_file, None, &store, &*self.clock).await;
        let app = Arc::new(application(
            2,
            dir.path(),
            store,
            Arc::clone(&self.clock) as Arc<dyn Clock>,
            Arc::clone(&self.clusters) as Arc<dyn ClusterLink>,
            admin_token,
            blobs.unwrap(),
        ));
        Self {
            router: crate::http::router(Arc::clone(&app), Duration::from_secs(30)),
            app,
            clock: Arc::clone(&self.clock),
            clusters: Arc::clone(&self.clusters),
            dir,
            database,
        }
    }

    async fn built(
        lifetime: Option<jiff::SignedDuration>,
        identity_provider: Option<IdentityProvider>,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let start: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let clock = Arc::new(SteppedClock(AtomicI64::new(start.as_microsecond())));
        let database = postgres::new_catalogue().await;
        let store = store(dir.path(), database.as_deref()).await;
        let folder = dir.path().join("blobs");
        let entropy = CountingEntropy::default();
        let blobs = EmbeddedFolder::open(folder, &store, &entropy)
            .await
            .unwrap();
        let clusters = Arc::new(FakeClusters::default());
        let token_file = dir.path().join("admin.token");
        let admin_token = AdminToken::holding(TOKEN, token_file, lifetime, &store, &*clock).await;
        let app = Arc::new(App {
            identity_provider,
            ..application(
                1,
                dir.path(),
                store,
                Arc::clone(&clock) as Arc<dyn Clock>,
                Arc::clone(&clusters) as Arc<dyn ClusterLink>,
                admin_token,
                blobs,
            )
        });
        let router = crate::http::router(Arc::clone(&app), Duration::from_secs(30));
        Self {
            app,
            clock,
            clusters,
            router,
            dir,
            database,
        }
    }

    /// What the store has written down, as bytes.
    pub(crate) async fn stored_bytes(&self) -> Vec<u8> {
        match &self.database {
            Some(url) => postgres::bytes_of(url).await,
            None => std::fs::read(self.dir.path().join("strongroom.db-wal")).unwrap(),
        }
    }

    /// Takes the audit log's table away behind the server's back.
    pub(crate) async fn break_audit_log(&self) {
        let statement = "ALTER TABLE audit_entries RENAME TO audit_entries_gone";
        match &self.database {
            Some(url) => postgres::execute(url, statement).await,
            None => {
                use sqlx::Connection as _;
                let file = self.dir.path().join("strongroom.db");
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
                let mut connection = sqlx::SqliteConnection::connect_with(&options)
                    .await
                    .unwrap();
                sqlx::query(statement)
                    .execute(&mut connection)
                    .await
                    .unwrap();
                connection.close().await.unwrap();
            }
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
        Self::answered(self.router.clone(), request).await
    }

    pub(crate) async fn answered(router: Router, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = router.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let answer = Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        };
        crate::http::assert_documented(method.as_str(), &path, &answer);
        answer
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

    /// Sends what somebody sends who is known and has only the roles that are assigned to them.
    pub(crate) async fn call_as(
        &self,
        object_id: uuid::Uuid,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let principal = crate::http::auth::Principal {
            actor: crate::store::Actor {
                object_id,
                tenant_id: self.app.tenant_id,
                kind: crate::store::ActorKind::Application,
                name: "nightly".to_owned(),
            },
            groups: vec![Group {
                name: "all".to_owned(),
                object_id: GROUP_OF_ALL,
            }],
            is_administrator: false,
            token: None,
        };
        let limit = Duration::from_secs(30);
        let router = crate::http::router_of(Arc::clone(&self.app), limit, principal);
        let request = self.request(method, path);
        let request = match body {
            Some(body) => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        Self::answered(router, request.unwrap()).await
    }

    /// Assigns a role at a scope, the root being empty.
    pub(crate) async fn assign(&self, role: uuid::Uuid, principal: uuid::Uuid, scope: &str) {
        let name = self.app.new_id();
        let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
        let definition = format!("/providers/Microsoft.Authorization/roleDefinitions/{role}");
        let body = serde_json::json!({"properties": {
            "roleDefinitionId": definition, "principalId": principal,
        }});
        let made = self.put(&path, body).await;
        assert_eq!(made.status, 201, "{}", made.text);
    }

    /// Takes all roles of somebody back.
    pub(crate) async fn unassign_all(&self, principal: uuid::Uuid) {
        let mut session = self.app.store.begin().await.unwrap();
        session.delete_role_assignments_of(principal).await.unwrap();
        session.commit().await.unwrap();
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
