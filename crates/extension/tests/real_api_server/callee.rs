//! What the API server calls: a web server of this process over TLS, with a certificate of an authority
//! that was made for it, at an address that the API server reaches.

use std::sync::Arc;

use axum::Router;
use axum_server::tls_rustls::RustlsConfig;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::stage::PATIENCE;

/// A web server over TLS; it ends when this is dropped.
pub(super) struct Callee {
    /// Address and port, as the API server reaches them.
    pub(super) address: String,
    authority: String,
    _serving: JoinSet<()>,
}

impl Callee {
    /// Serves under the address that the API server uses, and under these names. None when there is no
    /// way from the API server to this process: `cargo xtask test` opens one.
    pub(super) async fn serve(names: &[String], router: Router) -> Option<Self> {
        let _another_test_was_first =
            rustls::crypto::aws_lc_rs::default_provider().install_default();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = exposed(listener.local_addr().unwrap().port())?;
        let host = address.rsplit_once(':').unwrap().0.to_owned();
        let names: Vec<String> = names.iter().cloned().chain([host]).collect();
        let (authority, certificate, key) = certified(names);
        let config = RustlsConfig::from_pem(certificate.into_bytes(), key.into_bytes());
        let config = config.await.unwrap();
        let mut serving = JoinSet::new();
        let server = axum_server::from_tcp_rustls(listener, config).unwrap();
        serving.spawn(async move { server.serve(router.into_make_service()).await.unwrap() });
        Some(Self {
            address,
            authority: BASE64.encode(authority),
            _serving: serving,
        })
    }

    /// The authority's certificate, as configurations hold it.
    pub(super) fn ca_bundle(&self) -> &str {
        &self.authority
    }

    /// How a configuration of the API server names a webhook here.
    pub(super) fn webhook(&self, path: &str) -> Value {
        json!({"url": format!("https://{}/{path}", self.address), "caBundle": self.authority})
    }
}

/// Opens the way from the cluster's node to a port of this machine.
fn exposed(port: u16) -> Option<String> {
    let named = |name| std::env::var(name).ok();
    let (Some(xtask), Some(cluster)) = (
        named("STRONGROOM_TEST_XTASK"),
        named("STRONGROOM_TEST_CLUSTER"),
    ) else {
        println!("left out: STRONGROOM_TEST_XTASK and STRONGROOM_TEST_CLUSTER name no way back");
        return None;
    };
    let mut command = std::process::Command::new(xtask);
    command.args(["cluster", "expose", "--name", &cluster, "--port"]);
    let told = command.arg(port.to_string()).output().unwrap();
    assert!(told.status.success(), "{told:?}");
    Some(String::from_utf8(told.stdout).unwrap().trim().to_owned())
}

/// The certificate of an authority, and one with its key that it signed for these names, all as PEM.
fn certified(names: Vec<String>) -> (String, String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    let name = &mut params.distinguished_name;
    name.push(DnType::CommonName, "the test's authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::from_params(&params, &key);
    let own = KeyPair::generate().unwrap();
    let params = CertificateParams::new(names).unwrap();
    let certificate = params.signed_by(&own, &issuer).unwrap().pem();
    (authority, certificate, own.serialize_pem())
}

/// Something that does not work until it is opened, and counts who came.
#[derive(Clone)]
pub(super) struct Door {
    open: Arc<watch::Sender<bool>>,
    came: Arc<watch::Sender<usize>>,
}

impl Door {
    pub(super) fn new(open: bool) -> Self {
        Self {
            open: Arc::new(watch::Sender::new(open)),
            came: Arc::default(),
        }
    }

    /// Opens or shuts it, and forgets who came.
    pub(super) fn set(&self, open: bool) {
        self.open.send_replace(open);
        self.came.send_replace(0);
    }

    /// Counts a caller, and says whether it is open.
    pub(super) fn knock(&self) -> bool {
        self.came.send_modify(|came| *came += 1);
        *self.open.borrow()
    }

    /// Counts a caller, who waits until it is open.
    pub(super) async fn enter(&self) {
        self.came.send_modify(|came| *came += 1);
        let mut open = self.open.subscribe();
        open.wait_for(|open| *open).await.unwrap();
    }

    /// Waits until this many have come.
    pub(super) async fn after(&self, callers: usize) {
        let mut came = self.came.subscribe();
        let waiting = came.wait_for(|came| *came >= callers);
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.expect("the API server calls").unwrap();
    }
}
