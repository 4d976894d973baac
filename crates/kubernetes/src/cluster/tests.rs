//! Kubeconfigs that are taken and refused, and what is said when no good answer comes, over real
//! sockets where the network is the matter.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;
use crate::testing::{self, Answer};

const QUICK: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    request: Duration::from_secs(5),
};

/// A kubeconfig with these lines in its cluster and its user.
fn kubeconfig(cluster: &str, user: &str) -> String {
    let indent = |text: &str| {
        text.lines()
            .map(|line| format!("    {line}\n"))
            .collect::<String>()
    };
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: it\n\
         contexts:\n- name: it\n  context:\n    cluster: prod\n    user: admin\n\
         - name: other\n  context:\n    cluster: prod\n    user: plugin\n\
         clusters:\n- name: prod\n  cluster:\n{}\
         users:\n- name: admin\n  user:\n{}\
         - name: plugin\n  user:\n    exec:\n      command: aws\n",
        indent(cluster),
        indent(user)
    )
}

fn refused(cluster: &str, user: &str) -> KubeconfigError {
    match kubeconfig::vetted(&kubeconfig(cluster, user)) {
        Err(error) => error,
        Ok(_) => panic!("taken: {cluster} / {user}"),
    }
}

const SERVER: &str = "server: https://10.0.0.1:6443";
const TOKEN: &str = "token: secret";

#[test]
fn a_kubeconfig_with_a_token_is_taken_and_other_contexts_are_not_looked_at() {
    let config = kubeconfig::vetted(&kubeconfig(SERVER, TOKEN)).unwrap();
    assert_eq!(config.cluster_url.to_string(), "https://10.0.0.1:6443/");
}

#[test]
fn whatever_runs_a_command_is_refused_by_name() {
    let exec = refused(
        SERVER,
        "exec:\n  apiVersion: client.authentication.k8s.io/v1\n  command: sh",
    );
    assert_eq!(
        exec,
        KubeconfigError::RunsCommand {
            field: "users[admin].user.exec".into()
        }
    );
    let provider = refused(
        SERVER,
        "auth-provider:\n  name: gcp\n  config:\n    cmd-path: /bin/sh",
    );
    assert_eq!(
        provider,
        KubeconfigError::RunsCommand {
            field: "users[admin].user.auth-provider".into()
        }
    );
    assert!(exec.to_string().contains("service account"), "{exec}");
}

#[test]
fn whatever_reads_a_file_is_refused_by_name_with_the_way_out() {
    let cases = [
        (
            format!("{SERVER}\ncertificate-authority: /etc/shadow"),
            TOKEN,
            "clusters[prod].cluster.certificate-authority",
        ),
        (
            SERVER.into(),
            "tokenFile: /etc/shadow",
            "users[admin].user.tokenFile",
        ),
        (
            SERVER.into(),
            "client-certificate: /a.crt\nclient-key-data: aGk=",
            "users[admin].user.client-certificate",
        ),
        (
            SERVER.into(),
            "client-certificate-data: aGk=\nclient-key: /a.key",
            "users[admin].user.client-key",
        ),
        // A token beside it does not make the file harmless.
        (
            SERVER.into(),
            "token: x\ntokenFile: /etc/shadow",
            "users[admin].user.tokenFile",
        ),
    ];
    for (cluster, user, field) in cases {
        let error = refused(&cluster, user);
        assert_eq!(
            error,
            KubeconfigError::NamesFile {
                field: field.into()
            }
        );
        assert!(
            error
                .to_string()
                .contains("kubectl config view --flatten --minify")
        );
    }
}

#[test]
fn whatever_gives_the_credential_away_is_refused() {
    let insecure = refused(&format!("{SERVER}\ninsecure-skip-tls-verify: true"), TOKEN);
    assert!(matches!(insecure, KubeconfigError::NotVerified { .. }));
    let proxy = refused(&format!("{SERVER}\nproxy-url: http://proxy:3128"), TOKEN);
    assert!(matches!(proxy, KubeconfigError::Proxy { .. }));
    let plain = refused("server: http://10.0.0.1:8080", TOKEN);
    assert!(matches!(plain, KubeconfigError::NotHttps { .. }));
}

#[test]
fn what_is_missing_is_named() {
    assert!(matches!(
        refused(SERVER, "{}"),
        KubeconfigError::NoCredential { .. }
    ));
    let without = kubeconfig(SERVER, TOKEN).replace("current-context: it", "current-context: no");
    let error = kubeconfig::vetted(&without).unwrap_err();
    assert!(
        error.to_string().contains("there is no context no"),
        "{error}"
    );
    let unset = kubeconfig(SERVER, TOKEN).replace("current-context: it\n", "");
    assert!(matches!(
        kubeconfig::vetted(&unset).unwrap_err(),
        KubeconfigError::NoContext { .. }
    ));
}

#[test]
fn what_is_no_kubeconfig_is_malformed_and_not_quoted() {
    for rubbish in [
        "\u{0}",
        "- a\n- b",
        "clusters: 7",
        "{\"users\": \"secret-token\"",
        "a: *b",
    ] {
        let error = kubeconfig::vetted(rubbish).unwrap_err();
        assert!(!error.to_string().contains("secret-token"), "{error}");
    }
    let bomb = format!(
        "a0: &a0 [x,x]\n{}",
        (1..40)
            .map(|n| format!("a{n}: &a{n} [*a{},*a{}]\n", n - 1, n - 1))
            .collect::<String>()
    );
    assert!(kubeconfig::vetted(&bomb).is_err());
    let large = " ".repeat(limits::KUBECONFIG_BYTES + 1);
    assert!(matches!(
        kubeconfig::vetted(&large).unwrap_err(),
        KubeconfigError::TooLarge { .. }
    ));
}

/// A TLS server with a certificate of a fresh CA that answers every connection with `answer`.
struct Server {
    address: String,
    ca_pem: String,
}

fn serve(name: &str, answer: &'static str) -> Server {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()])
        .unwrap()
        .signed_by(&key, &ca)
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(leaf.der().to_vec())],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut session = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut tls = rustls::Stream::new(&mut session, &mut stream);
            let mut seen = [0_u8; 4096];
            if tls.read(&mut seen).is_ok() {
                let _ = tls.write_all(answer.as_bytes());
                tls.conn.send_close_notify();
                let _ = tls.flush();
            }
        }
    });
    Server {
        address,
        ca_pem: ca.pem(),
    }
}

fn connect(server: &str, ca_pem: &str) -> Cluster {
    let ca = BASE64.encode(ca_pem);
    let yaml = kubeconfig(
        &format!("server: {server}\ncertificate-authority-data: {ca}"),
        TOKEN,
    );
    Cluster::from_kubeconfig(&yaml, QUICK)
        .unwrap()
        .with_retries(Retries::NONE)
}

const VERSION: &str = "HTTP/1.1 200 OK\r\ncontent-length: 52\r\nconnection: close\r\n\r\n\
     {\"major\":\"1\",\"minor\":\"36\",\"gitVersion\":\"v1.36.3\"}    ";

#[tokio::test]
async fn a_server_that_its_ca_vouches_for_answers() {
    let server = serve("127.0.0.1", VERSION);
    let version = connect(&server.address, &server.ca_pem)
        .version()
        .await
        .unwrap();
    assert_eq!(version.git_version, "v1.36.3");
}

#[tokio::test]
async fn a_certificate_of_another_ca_is_not_trusted() {
    let server = serve("127.0.0.1", VERSION);
    let other = serve("127.0.0.1", VERSION);
    let error = connect(&server.address, &other.ca_pem)
        .version()
        .await
        .unwrap_err();
    let Failure::CertificateNotTrusted { cause, .. } = &error.failure else {
        panic!("{error:?}");
    };
    assert!(cause.contains("CA in the kubeconfig"), "{cause}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_trusted() {
    let server = serve("kubernetes.example.com", VERSION);
    let error = connect(&server.address, &server.ca_pem)
        .version()
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("another name or address"),
        "{error}"
    );
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unreachable() {
    let ca_pem = serve("127.0.0.1", VERSION).ca_pem;
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", closed.local_addr().unwrap());
    drop(closed);
    let error = connect(&address, &ca_pem).version().await.unwrap_err();
    assert!(error.is_unreachable());
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_unreachable() {
    let ca_pem = serve("127.0.0.1", VERSION).ca_pem;
    // RFC 6761: names under .invalid never resolve.
    let error = connect("https://cluster.invalid:6443", &ca_pem)
        .version()
        .await
        .unwrap_err();
    assert!(error.is_unreachable(), "{error:?}");
}

#[tokio::test]
async fn something_that_speaks_no_tls_is_unreachable() {
    let ca_pem = serve("127.0.0.1", VERSION).ca_pem;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = (&stream).write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let error = connect(&address, &ca_pem).version().await.unwrap_err();
    assert!(error.is_unreachable(), "{error:?}");
}

#[tokio::test]
async fn a_server_that_never_answers_ends_with_a_timeout() {
    let ca_pem = serve("127.0.0.1", VERSION).ca_pem;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", silent.local_addr().unwrap());
    let ca = BASE64.encode(ca_pem);
    let yaml = kubeconfig(
        &format!("server: {address}\ncertificate-authority-data: {ca}"),
        TOKEN,
    );
    let limit = Duration::from_millis(50);
    let timeouts = Timeouts {
        connect: limit * 100,
        request: limit,
    };
    let cluster = Cluster::from_kubeconfig(&yaml, timeouts)
        .unwrap()
        .with_retries(Retries::NONE);
    let error = cluster.version().await.unwrap_err();
    assert_eq!(error.failure, Failure::Timeout { limit });
    assert!(error.is_unreachable());
}

#[tokio::test]
async fn a_refused_credential_is_told_apart_from_a_refused_request() {
    let (cluster, _) = testing::cluster(|_| Answer::failed(401, "Unauthorized", "Unauthorized"));
    let error = cluster.version().await.unwrap_err();
    assert!(matches!(error.failure, Failure::Unauthorized { .. }));
    assert!(!error.is_unreachable());
}

#[tokio::test]
async fn an_answer_larger_than_we_take_is_cut_off() {
    let (cluster, _) = testing::cluster(|_| Answer::raw(200, vec![b' '; 2000]));
    let request = request::build(Method::GET, "/x", "read").unwrap();
    let error = cluster
        .call_into(request, "read", 1000, &bytes::BytesMut::new, &|_| ())
        .await
        .unwrap_err();
    assert_eq!(error.failure, Failure::TooLarge { limit: 1000 });
}

#[tokio::test]
async fn an_error_page_is_shortened_and_kept_as_the_cause() {
    let (cluster, _) = testing::cluster(|_| Answer::raw(404, "<html>".repeat(10_000)));
    let error = cluster.version().await.unwrap_err();
    assert!(error.to_string().chars().count() < limits::ERROR_CHARS + 100);
}

#[test]
fn waits_double_and_a_servers_wish_is_bounded() {
    let retries = Retries {
        times: 9,
        first: Duration::from_millis(250),
        longest: Duration::from_secs(15),
    };
    let waits: Vec<u128> = (0..8)
        .map(|attempt| retries.wait(attempt, None).as_millis())
        .collect();
    assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 15000, 15000]);
    assert_eq!(
        retries.wait(0, Some(Duration::from_secs(2))),
        Duration::from_secs(2)
    );
    assert_eq!(
        retries.wait(0, Some(Duration::from_secs(9999))),
        Duration::from_secs(15)
    );
    assert_eq!(retries.wait(u32::MAX, None), Duration::from_secs(15));
}
