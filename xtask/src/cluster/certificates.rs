//! The cluster's certificate authorities, certificates and kubeconfigs, made once by openssl.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::network::{API_PORT, API_SERVICE_ADDRESS, NODE_ADDRESS, NODE_NAME};
use super::place::Place;
use crate::failure::{Doing, Result};
use crate::tool;

/// How long everything is valid, in days: longer than any test cluster lives.
const DAYS: &str = "3650";
/// Marks a folder as complete; it is made last.
const COMPLETE: &str = "complete";

/// One certificate below the cluster's authorities.
struct Certificate {
    file: &'static str,
    /// As openssl writes it: what Kubernetes takes as the user (CN) and the groups (O).
    subject: String,
    authority: &'static str,
    usage: &'static str,
    /// The names and addresses that it is valid for; none for a client's.
    names: String,
}

/// The users of the API server that are parts of the node, and the administrator.
const USERS: [&str; 5] = [
    "admin",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
];

/// Makes what is missing, and (again) the kubeconfig for the port on this machine.
pub(crate) fn ensure(place: &Place, port: u16) -> Result<()> {
    let pki = place.pki();
    if !pki.join(COMPLETE).exists() {
        make(&pki)?;
    }
    let outer = kubeconfig(
        &pki,
        &place.name,
        "admin",
        &format!("https://127.0.0.1:{port}"),
    )?;
    write_private(&place.kubeconfig(), outer.as_bytes())?;
    for user in USERS {
        let inner = kubeconfig(
            &pki,
            &place.name,
            user,
            &format!("https://127.0.0.1:{API_PORT}"),
        )?;
        write_private(&pki.join(format!("{user}.kubeconfig")), inner.as_bytes())?;
    }
    Ok(())
}

fn make(pki: &Path) -> Result<()> {
    let doing = || format!("make the certificates in {}", pki.display());
    if pki.exists() {
        fs::remove_dir_all(pki).doing(doing)?;
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(pki)
        .doing(doing)?;
    authority(pki, "ca", "kubernetes")?;
    authority(pki, "front-proxy-ca", "front-proxy")?;
    for certificate in certificates() {
        sign(pki, &certificate)?;
    }
    // The API server signs the tokens of service accounts with it.
    let (key, public) = (
        pki.join("service-accounts.key"),
        pki.join("service-accounts.pub"),
    );
    let options = [
        "genpkey",
        "-algorithm",
        "RSA",
        "-pkeyopt",
        "rsa_keygen_bits:2048",
        "-out",
    ];
    let arguments = options.iter().map(AsRef::as_ref).chain([key.as_os_str()]);
    tool::run("openssl", arguments)?;
    tool::run(
        "openssl",
        [
            "pkey".as_ref(),
            "-in".as_ref(),
            key.as_os_str(),
            "-pubout".as_ref(),
            "-out".as_ref(),
            public.as_os_str(),
        ],
    )?;
    fs::write(pki.join(COMPLETE), "").doing(doing)
}

fn certificates() -> Vec<Certificate> {
    let client = |file, subject: &str| Certificate {
        file,
        subject: subject.to_owned(),
        authority: "ca",
        usage: "clientAuth",
        names: String::new(),
    };
    vec![
        Certificate {
            file: "apiserver",
            subject: "/CN=kube-apiserver".to_owned(),
            authority: "ca",
            usage: "serverAuth,clientAuth",
            names: format!(
                "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,\
                 DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:{API_SERVICE_ADDRESS},IP:{NODE_ADDRESS}"
            ),
        },
        Certificate {
            file: "kubelet-server",
            subject: format!("/CN={NODE_NAME}"),
            authority: "ca",
            usage: "serverAuth",
            names: format!("DNS:{NODE_NAME},IP:{NODE_ADDRESS},IP:127.0.0.1"),
        },
        client("admin", "/O=system:masters/CN=admin"),
        client(
            "kube-controller-manager",
            "/CN=system:kube-controller-manager",
        ),
        client("kube-scheduler", "/CN=system:kube-scheduler"),
        client("kube-proxy", "/CN=system:kube-proxy"),
        client(
            "kubelet",
            &format!("/O=system:nodes/CN=system:node:{NODE_NAME}"),
        ),
        client(
            "apiserver-kubelet",
            "/O=system:masters/CN=apiserver-kubelet",
        ),
        Certificate {
            authority: "front-proxy-ca",
            ..client("front-proxy", "/CN=front-proxy-client")
        },
    ]
}

fn authority(pki: &Path, file: &str, name: &str) -> Result<()> {
    key(pki, file)?;
    let (key, certificate) = (path(pki, file, "key"), path(pki, file, "crt"));
    tool::run(
        "openssl",
        [
            "req",
            "-x509",
            "-new",
            "-key",
            &key,
            "-subj",
            &format!("/CN={name}"),
            "-days",
            DAYS,
            "-sha256",
            "-out",
            &certificate,
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-addext",
            "keyUsage=critical,digitalSignature,keyCertSign,cRLSign",
        ],
    )?;
    Ok(())
}

fn sign(pki: &Path, certificate: &Certificate) -> Result<()> {
    let file = certificate.file;
    key(pki, file)?;
    let mut extensions = format!(
        "extendedKeyUsage={}\nkeyUsage=critical,digitalSignature,keyEncipherment\n",
        certificate.usage
    );
    if !certificate.names.is_empty() {
        extensions.push_str(&format!("subjectAltName={}\n", certificate.names));
    }
    let (request, extension_file) = (path(pki, file, "csr"), path(pki, file, "ext"));
    fs::write(&extension_file, extensions).doing(|| format!("write {extension_file}"))?;
    let key = path(pki, file, "key");
    tool::run(
        "openssl",
        [
            "req",
            "-new",
            "-key",
            &key,
            "-subj",
            &certificate.subject,
            "-out",
            &request,
        ],
    )?;
    tool::run(
        "openssl",
        [
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            &path(pki, certificate.authority, "crt"),
            "-CAkey",
            &path(pki, certificate.authority, "key"),
            "-CAcreateserial",
            "-days",
            DAYS,
            "-sha256",
            "-extfile",
            &extension_file,
            "-out",
            &path(pki, file, "crt"),
        ],
    )?;
    for leftover in [request, extension_file] {
        fs::remove_file(&leftover).doing(|| format!("remove {leftover}"))?;
    }
    Ok(())
}

fn key(pki: &Path, file: &str) -> Result<()> {
    let key = path(pki, file, "key");
    tool::run(
        "openssl",
        [
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-out",
            &key,
        ],
    )?;
    Ok(())
}

/// A user's kubeconfig, with everything in it.
fn kubeconfig(pki: &Path, cluster: &str, user: &str, server: &str) -> Result<String> {
    let encoded = |file: &str, kind: &str| {
        tool::run("openssl", ["base64", "-A", "-in", &path(pki, file, kind)])
    };
    let (ca, certificate, key) = (
        encoded("ca", "crt")?,
        encoded(user, "crt")?,
        encoded(user, "key")?,
    );
    // JSON is YAML, and needs no library here that writes YAML.
    let config = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": {"server": server, "certificate-authority-data": ca.trim()}}],
        "users": [{"name": user, "user": {"client-certificate-data": certificate.trim(), "client-key-data": key.trim()}}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": user}}],
        "current-context": cluster,
    });
    Ok(format!("{config:#}\n"))
}

fn path(pki: &Path, file: &str, kind: &str) -> String {
    pki.join(format!("{file}.{kind}"))
        .to_string_lossy()
        .into_owned()
}

/// Writes a file that only its owner may read, in one step.
fn write_private(file: &Path, content: &[u8]) -> Result<()> {
    let doing = || format!("write {}", file.display());
    let next = file.with_extension("next");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
        .open(&next)
        .and_then(|mut opened| opened.write_all(content))
        .doing(doing)?;
    fs::rename(&next, file).doing(doing)
}
