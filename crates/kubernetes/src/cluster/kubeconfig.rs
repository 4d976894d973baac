//! An uploaded kubeconfig, vetted before anything in it is used.
//!
//! A kubeconfig is a program: it may name a command to run (`exec`, `auth-provider`) and files to
//! read. On the user's own machine that is a convenience. Here the upload is used by a server, so
//! each of these would let whoever uploads it run commands on, or read files of, the server's
//! machine. All of them are refused by name, together with the way out: a file that carries its
//! credentials itself.

use kube::Config;
use kube::config::{AuthInfo, Cluster, Kubeconfig};

use super::error::chain;
use crate::limits::KUBECONFIG_BYTES;

/// Why a kubeconfig is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KubeconfigError {
    /// More than [`KUBECONFIG_BYTES`].
    #[error(
        "the kubeconfig has {bytes} bytes, at most {KUBECONFIG_BYTES} are taken; \
         `kubectl config view --flatten --minify` writes only the current context"
    )]
    TooLarge {
        /// What it has.
        bytes: usize,
    },
    /// Not YAML, or not a kubeconfig.
    #[error("this is not a kubeconfig: {cause}")]
    Malformed {
        /// Where and why.
        cause: String,
    },
    /// The current context, or what it refers to, is not there.
    #[error(
        "the kubeconfig has no usable current context: {cause}; set one with `kubectl config use-context`"
    )]
    NoContext {
        /// What is missing.
        cause: String,
    },
    /// A field that would run a command on the server's machine.
    #[error(
        "`{field}` would run a command on the server's machine, so it is refused; use a kubeconfig \
         with a token or a client certificate, as of a service account made for Strongroom"
    )]
    RunsCommand {
        /// As in `users[admin].user.exec`.
        field: String,
    },
    /// A field that names a file of the user's machine, which the server does not have.
    #[error(
        "`{field}` names a file, which the server does not have; \
         `kubectl config view --flatten --minify` writes a kubeconfig that holds everything itself"
    )]
    NamesFile {
        /// As in `clusters[prod].cluster.certificate-authority`.
        field: String,
    },
    /// TLS verification switched off.
    #[error(
        "`{field}` would send the credential to whoever answers at that address, so it is refused; \
         put the cluster's CA into `certificate-authority-data` instead"
    )]
    NotVerified {
        /// As in `clusters[prod].cluster.insecure-skip-tls-verify`.
        field: String,
    },
    /// An address without TLS.
    #[error("`{field}` is {address}: only https addresses are taken")]
    NotHttps {
        /// As in `clusters[prod].cluster.server`.
        field: String,
        /// What it says.
        address: String,
    },
    /// A proxy.
    #[error(
        "`{field}` is not supported: the server would have to trust that proxy with every request; \
         make the API server reachable from the Strongroom server and remove the field"
    )]
    Proxy {
        /// As in `clusters[prod].cluster.proxy-url`.
        field: String,
    },
    /// The user has no credential at all.
    #[error("`{field}` holds no credential: neither a token nor a client certificate with its key")]
    NoCredential {
        /// As in `users[admin].user`.
        field: String,
    },
    /// A certificate or key that does not parse.
    #[error("the kubeconfig's certificates or credential cannot be used: {cause}")]
    Credentials {
        /// What the parser said.
        cause: String,
    },
}

/// The configuration of the current context, when nothing in it is refused.
pub(super) fn vetted(yaml: &str) -> Result<Config, KubeconfigError> {
    if yaml.len() > KUBECONFIG_BYTES {
        return Err(KubeconfigError::TooLarge { bytes: yaml.len() });
    }
    let file = Kubeconfig::from_yaml(yaml).map_err(|error| KubeconfigError::Malformed {
        cause: first_line(&chain(&error)),
    })?;
    let context_name = file
        .current_context
        .clone()
        .filter(|name| !name.is_empty())
        .ok_or_else(|| no_context("`current-context` is not set"))?;
    let context = file
        .contexts
        .iter()
        .find(|named| named.name == context_name)
        .and_then(|named| named.context.as_ref())
        .ok_or_else(|| no_context(&format!("there is no context {context_name}")))?;
    let cluster = file
        .clusters
        .iter()
        .find(|named| named.name == context.cluster)
        .and_then(|named| named.cluster.as_ref())
        .ok_or_else(|| no_context(&format!("there is no cluster {}", context.cluster)))?;
    vet_cluster(&format!("clusters[{}].cluster", context.cluster), cluster)?;
    let user_name = context.user.clone().unwrap_or_default();
    let user = file
        .auth_infos
        .iter()
        .find(|named| named.name == user_name)
        .and_then(|named| named.auth_info.as_ref())
        .ok_or_else(|| no_context(&format!("there is no user {user_name:?}")))?;
    vet_user(&format!("users[{user_name}].user"), user)?;
    Config::try_from(file).map_err(|error| KubeconfigError::Credentials {
        cause: chain(&error),
    })
}

fn vet_cluster(at: &str, cluster: &Cluster) -> Result<(), KubeconfigError> {
    let field = |name: &str| format!("{at}.{name}");
    let address = cluster.server.clone().unwrap_or_default();
    if address.is_empty() {
        return Err(no_context(&format!("`{}` is not set", field("server"))));
    }
    if !address.to_ascii_lowercase().starts_with("https://") {
        return Err(KubeconfigError::NotHttps {
            field: field("server"),
            address,
        });
    }
    if set(cluster.certificate_authority.as_ref()) {
        return Err(KubeconfigError::NamesFile {
            field: field("certificate-authority"),
        });
    }
    if cluster.insecure_skip_tls_verify == Some(true) {
        return Err(KubeconfigError::NotVerified {
            field: field("insecure-skip-tls-verify"),
        });
    }
    if set(cluster.proxy_url.as_ref()) {
        return Err(KubeconfigError::Proxy {
            field: field("proxy-url"),
        });
    }
    Ok(())
}

fn vet_user(at: &str, user: &AuthInfo) -> Result<(), KubeconfigError> {
    let field = |name: &str| format!("{at}.{name}");
    if user.exec.is_some() {
        return Err(KubeconfigError::RunsCommand {
            field: field("exec"),
        });
    }
    if user.auth_provider.is_some() {
        return Err(KubeconfigError::RunsCommand {
            field: field("auth-provider"),
        });
    }
    let files = [
        ("tokenFile", &user.token_file),
        ("client-certificate", &user.client_certificate),
        ("client-key", &user.client_key),
    ];
    for (name, value) in files {
        if set(value.as_ref()) {
            return Err(KubeconfigError::NamesFile { field: field(name) });
        }
    }
    let certificate = set(user.client_certificate_data.as_ref()) && user.client_key_data.is_some();
    let password = set(user.username.as_ref()) && user.password.is_some();
    if user.token.is_none() && !certificate && !password {
        return Err(KubeconfigError::NoCredential {
            field: at.to_owned(),
        });
    }
    Ok(())
}

fn set(value: Option<&String>) -> bool {
    value.is_some_and(|text| !text.is_empty())
}

fn no_context(cause: &str) -> KubeconfigError {
    KubeconfigError::NoContext {
        cause: cause.to_owned(),
    }
}

/// The parser draws a picture of the place with the text around it, which may be a credential; only
/// its first line, the position, is kept.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
