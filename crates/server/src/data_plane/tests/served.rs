//! A data plane behind a real socket, and clients for it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use axum::Router;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Location;
use object_store::{ClientOptions, PutMode, RetryConfig};
use uuid::Uuid;

use super::super::*;

/// Scopes as a test sets them.
#[derive(Default)]
pub(super) struct Jobs(pub(super) Mutex<HashMap<Uuid, JobScope>>);

#[async_trait::async_trait]
impl JobScopes for Jobs {
    async fn scope(&self, job: Uuid) -> Result<JobScope, String> {
        Ok(self
            .0
            .lock()
            .unwrap()
            .get(&job)
            .cloned()
            .unwrap_or(JobScope::Unknown))
    }
}

pub(super) struct Served {
    pub(super) dir: tempfile::TempDir,
    pub(super) jobs: Arc<Jobs>,
    pub(super) issuer: CredentialIssuer,
    pub(super) metrics: DataPlaneMetrics,
    pub(super) endpoint: String,
    pub(super) ca_pem: Option<String>,
}

pub(super) const BACKUP: Uuid = Uuid::from_u128(1);
pub(super) const RESTORE: Uuid = Uuid::from_u128(2);
pub(super) const ENDED: Uuid = Uuid::from_u128(3);
pub(super) const UNKNOWN: Uuid = Uuid::from_u128(4);

pub(super) async fn served(tls: bool) -> Served {
    let _another_test_was_first = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    let bucket = Bucket::new("acct", "box").unwrap();
    create_container(dir.path(), &bucket).unwrap();
    let prefix = Key::parse("instances/one").unwrap();
    let scope = |create_below: &str| {
        JobScope::Open(Scope {
            bucket: bucket.clone(),
            prefix: prefix.clone(),
            create_below: Key::parse(create_below).unwrap(),
        })
    };
    let jobs = Arc::new(Jobs(Mutex::new(HashMap::from([
        (BACKUP, scope("instances/one")),
        (RESTORE, scope("instances/one/reports")),
        (ENDED, JobScope::Ended),
    ]))));
    let issuer = CredentialIssuer::new(&[7; 32]);
    let metrics = DataPlaneMetrics::default();
    let plane = DataPlane::open(
        dir.path().to_path_buf(),
        issuer.clone(),
        Arc::clone(&jobs) as Arc<dyn JobScopes>,
        metrics.clone(),
    )
    .unwrap();
    let app = Router::new().fallback(move |request: Request<Body>| {
        let plane = plane.clone();
        async move { plane.handle(request).await }
    });
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let (endpoint, ca_pem) = listen(listener, address, app, tls).await;
    Served {
        dir,
        jobs,
        issuer,
        metrics,
        endpoint,
        ca_pem,
    }
}

pub(super) async fn listen(
    listener: std::net::TcpListener,
    address: SocketAddr,
    app: Router,
    tls: bool,
) -> (String, Option<String>) {
    if !tls {
        tokio::spawn(
            axum_server::from_tcp(listener)
                .unwrap()
                .serve(app.into_make_service()),
        );
        return (format!("http://{address}"), None);
    }
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = certificate.cert.pem();
    let config = axum_server::tls_rustls::RustlsConfig::from_pem(
        pem.clone().into_bytes(),
        certificate.signing_key.serialize_pem().into_bytes(),
    )
    .await
    .unwrap();
    tokio::spawn(
        axum_server::from_tcp_rustls(listener, config)
            .unwrap()
            .serve(app.into_make_service()),
    );
    (format!("https://localhost:{}", address.port()), Some(pem))
}

impl Served {
    pub(super) fn client(&self, job: Uuid) -> AmazonS3 {
        self.client_with(&self.issuer.credential(job), "acct.box")
    }

    pub(super) fn client_with(&self, credential: &JobCredential, bucket: &str) -> AmazonS3 {
        let mut options = ClientOptions::new().with_allow_http(true);
        if let Some(pem) = &self.ca_pem {
            options = options.with_root_certificate(
                object_store::Certificate::from_pem(pem.as_bytes()).unwrap(),
            );
        }
        AmazonS3Builder::new()
            .with_endpoint(&self.endpoint)
            .with_region("strongroom")
            .with_bucket_name(bucket)
            .with_access_key_id(&credential.access_key_id)
            .with_secret_access_key(&credential.secret_access_key)
            .with_virtual_hosted_style_request(false)
            .with_client_options(options)
            .with_retry(RetryConfig {
                max_retries: 0,
                ..Default::default()
            })
            .build()
            .unwrap()
    }

    pub(super) fn file(&self, key: &str) -> PathBuf {
        self.dir.path().join("acct/box").join(key)
    }
}

pub(super) fn at(key: &str) -> Location {
    Location::from(format!("instances/one/{key}"))
}

pub(super) fn create() -> object_store::PutOptions {
    PutMode::Create.into()
}

/// The code that the data plane answered with, out of the client's error.
pub(super) fn code_of(error: object_store::Error) -> String {
    let text = format!("{error:?}");
    let code = text
        .split("<Code>")
        .nth(1)
        .and_then(|rest| rest.split("</Code>").next());
    code.map_or(text.clone(), str::to_owned)
}
