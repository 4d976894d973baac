//! What can go wrong between us and an API server, sorted by what the reader must do about it.

use std::error::Error;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;

use super::KubeconfigError;
use super::transport;
use crate::access::Permission;
use crate::limits::ERROR_CHARS;

/// A failed request: what was being done, and what went wrong.
#[derive(Debug, thiserror::Error)]
#[error("could not {doing}: {failure}")]
pub struct ClusterError {
    /// As in "list deployments.apps/v1 in namespace shop".
    pub doing: String,
    /// What went wrong.
    #[source]
    pub failure: Failure,
}

/// Why a request brought no good answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Refused, no route, no such host, reset, or no TLS at the other end.
    #[error("the API server at {server} cannot be reached: {cause}")]
    Unreachable {
        /// The server's address.
        server: String,
        /// What the system said.
        cause: String,
    },
    /// The answer did not come in time.
    #[error("no answer within {limit:?}")]
    Timeout {
        /// The limit that passed.
        limit: Duration,
    },
    /// TLS works, but the certificate is not one that the kubeconfig's CA vouches for.
    #[error("the certificate of {server} is not trusted: {cause}")]
    CertificateNotTrusted {
        /// The server's address.
        server: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The kubeconfig was refused before anything was sent.
    #[error(transparent)]
    Kubeconfig(#[from] KubeconfigError),
    /// This process does not run in a pod with a service account.
    #[error("there is no service account here: {cause}")]
    NotInCluster {
        /// What was missing.
        cause: String,
    },
    /// 401: the credential is wrong, expired or revoked.
    #[error("the API server does not accept the credential: {message}")]
    Unauthorized {
        /// The server's words.
        message: String,
    },
    /// 403 for want of a right. The permission is what would grant the request.
    #[error("not allowed ({message}); it would take {}", permission_text(permission.as_deref()))]
    Forbidden {
        /// What an RBAC rule must grant.
        permission: Option<Box<Permission>>,
        /// The server's words.
        message: String,
    },
    /// 404: the object, its namespace or its kind is not there.
    #[error("not found: {message}")]
    NotFound {
        /// The server's words.
        message: String,
    },
    /// 409 of a create: an object of that name is there.
    #[error("it already exists: {message}")]
    AlreadyExists {
        /// The server's words.
        message: String,
    },
    /// 409 of a change: somebody else changed it, or owns the field.
    #[error("it conflicts with another change: {message}")]
    Conflict {
        /// The server's words.
        message: String,
    },
    /// 409 or 403 in a namespace that is being deleted.
    #[error("the namespace is being deleted: {message}")]
    NamespaceTerminating {
        /// The server's words.
        message: String,
    },
    /// 410: the resource version or the continue token is too old.
    #[error("the state that was asked for has expired: {message}")]
    Gone {
        /// The server's words.
        message: String,
        /// A token that continues the list at a newer state, when the server offers one.
        continue_token: Option<String>,
    },
    /// 400 or 422: the server does not take this object.
    #[error("the API server does not accept it: {message}")]
    Invalid {
        /// The server's words.
        message: String,
        /// Field by field, as far as the server says.
        causes: Vec<FieldCause>,
    },
    /// 403 by an admission plugin or webhook, quota and pod security among them: no RBAC rule helps.
    #[error("an admission rule refuses it: {message}")]
    Denied {
        /// The server's words.
        message: String,
    },
    /// 429: too much at once.
    #[error("the API server asks to slow down: {message}")]
    TooManyRequests {
        /// How long to wait, when it says.
        retry_after: Option<Duration>,
        /// The server's words.
        message: String,
    },
    /// The answer is larger than we take.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// 5xx.
    #[error("the API server failed with status {status}: {message}")]
    ServerError {
        /// The HTTP status.
        status: u16,
        /// How long to wait, when it says.
        retry_after: Option<Duration>,
        /// The server's words.
        message: String,
    },
    /// Any other status.
    #[error("the API server answered with status {status}: {message}")]
    Unexpected {
        /// The HTTP status.
        status: u16,
        /// The server's words.
        message: String,
    },
    /// What was sent or what came back is not what it should be.
    #[error("{cause}")]
    Malformed {
        /// What is wrong.
        cause: String,
    },
}

/// One field that the server does not accept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FieldCause {
    /// As in `spec.replicas`.
    #[serde(default)]
    pub field: String,
    /// As in `FieldValueInvalid`.
    #[serde(default)]
    pub reason: String,
    /// What is wrong with it.
    #[serde(default)]
    pub message: String,
}

fn permission_text(permission: Option<&Permission>) -> String {
    permission.map_or_else(
        || "a right that the server does not name".to_owned(),
        ToString::to_string,
    )
}

impl ClusterError {
    /// An error of something that was being done.
    pub fn new(doing: impl Into<String>, failure: Failure) -> Self {
        Self {
            doing: doing.into(),
            failure,
        }
    }

    /// The meaning of an error of kube's own client (watches, controllers).
    pub fn from_kube(error: &kube::Error, doing: impl Into<String>, server: &str) -> Self {
        let failure = match error {
            kube::Error::Api(status) => {
                let body = serde_json::to_vec(status).unwrap_or_default();
                let code =
                    StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                of_status(code, None, &body, None)
            }
            other => transport::classify(other, server),
        };
        Self::new(doing, failure)
    }

    /// Whether the object (or its kind) is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self.failure, Failure::NotFound { .. })
    }

    /// Whether an object of that name was there already.
    pub fn is_already_exists(&self) -> bool {
        matches!(self.failure, Failure::AlreadyExists { .. })
    }

    /// Whether nothing answers at that address: the cluster may be back later.
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self.failure,
            Failure::Unreachable { .. } | Failure::Timeout { .. }
        )
    }
}

impl Failure {
    /// Whether the same request may succeed a little later by itself.
    pub fn passes_by_itself(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TooManyRequests { .. } => true,
            // A 500 is most often a failing webhook or a bug, which stays; but etcd's own hiccups
            // (leader change, timeout) come as 500 too and pass in a second.
            Self::ServerError {
                status: 500,
                message,
                retry_after,
            } => retry_after.is_some() || message.contains("etcdserver:"),
            Self::ServerError { .. } => true,
            _ => false,
        }
    }

    /// How long the server asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyRequests { retry_after, .. } | Self::ServerError { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }
}

/// `metav1.Status`, as much of it as is used here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    message: String,
    reason: String,
    metadata: StatusMeta,
    details: StatusDetails,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StatusMeta {
    #[serde(rename = "continue")]
    continue_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct StatusDetails {
    retry_after_seconds: u64,
    causes: Vec<FieldCause>,
}

/// The meaning of an answer that is not a good one. `permission` is what the request would need.
pub(super) fn of_status(
    code: StatusCode,
    retry_after: Option<Duration>,
    body: &[u8],
    permission: Option<Permission>,
) -> Failure {
    let status: Status = serde_json::from_slice(body).unwrap_or_else(|_| Status {
        message: String::from_utf8_lossy(body).into_owned(),
        ..Status::default()
    });
    let message = shortened(&status.message, code);
    let seconds = status.details.retry_after_seconds;
    let retry_after = retry_after.or((seconds > 0).then(|| Duration::from_secs(seconds)));
    let causes = status.details.causes;
    if causes
        .iter()
        .any(|cause| cause.reason == "NamespaceTerminating")
    {
        return Failure::NamespaceTerminating { message };
    }
    match code.as_u16() {
        401 => Failure::Unauthorized { message },
        403 => of_forbidden(message, permission),
        404 => Failure::NotFound { message },
        409 if status.reason == "AlreadyExists" => Failure::AlreadyExists { message },
        409 => Failure::Conflict { message },
        410 => Failure::Gone {
            message,
            continue_token: status
                .metadata
                .continue_token
                .filter(|token| !token.is_empty()),
        },
        400 | 413 | 415 | 422 => Failure::Invalid { message, causes },
        429 => Failure::TooManyRequests {
            retry_after,
            message,
        },
        status @ 500..=599 => Failure::ServerError {
            status,
            retry_after,
            message,
        },
        status => Failure::Unexpected { status, message },
    }
}

/// A 403 is RBAC's, whose words are fixed (`User "x" cannot list resource "y" …`,
/// `apiserver/pkg/endpoints/handlers/responsewriters/errors.go`), or admission's (quota, pod
/// security, webhooks), which no rule would change.
fn of_forbidden(message: String, permission: Option<Permission>) -> Failure {
    let by_authorizer = message.contains("\" cannot ")
        || message.contains("attempting to grant RBAC permissions not currently held");
    if by_authorizer || message.is_empty() {
        Failure::Forbidden {
            permission: permission.map(Box::new),
            message,
        }
    } else {
        Failure::Denied { message }
    }
}

fn shortened(message: &str, code: StatusCode) -> String {
    let message = message.trim();
    if message.is_empty() {
        return code
            .canonical_reason()
            .unwrap_or("no reason given")
            .to_owned();
    }
    match message.char_indices().nth(ERROR_CHARS) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

/// An error and all that caused it, each said once.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}
