//! Why an attempt at a job ended early, and what that means for the job.
//!
//! Errors of the store and of the API server are translated here to codes of the catalogue, and
//! sorted: what may pass by itself is tried again for a while, the rest ends the job.

use strongroom_core::{Code, Problem};
use strongroom_kubernetes::{ClusterError, Failure};
use strongroom_repository as repository;

/// Why an attempt ended without an outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobFailure {
    /// The job cannot be carried out: it is Failed.
    #[error("{0}")]
    Final(Problem),
    /// The store or the API server does not answer: begin again in a while.
    #[error("{0}")]
    Unreachable(Problem),
    /// The job is no longer this process's.
    #[error("{0}")]
    Lost(Lost),
}

/// Why a job is no longer this process's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Its custom resource was deleted: it is cancelled.
    #[error("the custom resource was deleted")]
    Deleted,
    /// Another extension process has taken it over.
    #[error("another extension process has taken the job over")]
    TakenOver,
}

impl JobFailure {
    /// The job cannot be carried out.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self::Final(Problem::new(code, message))
    }
}

impl From<Problem> for JobFailure {
    fn from(problem: Problem) -> Self {
        Self::Final(problem)
    }
}

impl From<Lost> for JobFailure {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

impl From<repository::Error> for JobFailure {
    fn from(error: repository::Error) -> Self {
        use repository::Error;
        let code = match &error {
            Error::Unreachable { .. } => Code::UserErrorBackupStorageLocationNotReady,
            Error::Denied { .. } => {
                Code::UserErrorExtensionMSIMissingPermissionsOnBackupStorageLocation
            }
            Error::ReadOnly { .. } => Code::UserErrorBackupFailedBackupStorageLocationReadOnly,
            Error::Full { .. } => Code::BackupStorageLocationFull,
            Error::Corrupt { .. } | Error::NotFound { .. } => Code::RecoveryPointCorrupt,
            Error::WrongKey | Error::Exists { .. } => Code::RepositoryBelongsToAnother,
            Error::UnsupportedVersion { .. } => Code::RepositoryFormatNotSupported,
            Error::Abandoned { .. } => Code::OperationCancelled,
            Error::InvalidConfig { .. } => Code::UserErrorInvalidStorageAccount,
            _ => Code::InternalServerError,
        };
        let transient = error.is_transient();
        let problem = Problem::new(code, chain(&error));
        if transient {
            Self::Unreachable(problem)
        } else {
            Self::Final(problem)
        }
    }
}

impl From<ClusterError> for JobFailure {
    fn from(error: ClusterError) -> Self {
        let transient = is_unreachable(&error);
        let code = match &error.failure {
            _ if transient => Code::ClusterLostDuringJob,
            Failure::Unauthorized { .. } => Code::UserErrorClusterAuthenticationFailed,
            Failure::Forbidden { .. } => Code::UserErrorClusterPermissionMissing,
            _ => Code::InternalServerError,
        };
        // The error's own text holds its source's already.
        let problem = Problem::new(code, error.to_string());
        if transient {
            Self::Unreachable(problem)
        } else {
            Self::Final(problem)
        }
    }
}

/// Whether the API server as a whole does not answer (rather than refusing one object).
pub(crate) fn is_unreachable(error: &ClusterError) -> bool {
    matches!(
        error.failure,
        Failure::Unreachable { .. }
            | Failure::Timeout { .. }
            | Failure::TooManyRequests { .. }
            | Failure::ServerError {
                status: 502..=504,
                ..
            }
    )
}

/// The code of a failure that concerns one object.
pub(crate) fn object_code(failure: &Failure) -> Code {
    match failure {
        Failure::Forbidden { .. } => Code::UserErrorClusterPermissionMissing,
        Failure::Unauthorized { .. } => Code::UserErrorClusterAuthenticationFailed,
        Failure::NotFound { message } if message.contains("namespaces \"") => {
            Code::UserErrorNamespaceNotFound
        }
        Failure::NotFound { .. } => Code::ResourceTypeNotServed,
        Failure::AlreadyExists { .. } | Failure::Conflict { .. } => Code::Conflict,
        Failure::NamespaceTerminating { .. } => Code::NamespaceTerminating,
        Failure::Invalid { message, .. } if is_denial(message) => Code::AdmissionRefused,
        Failure::Invalid { .. } => Code::ObjectInvalidInTarget,
        Failure::Denied { message } if message.contains("exceeded quota") => Code::QuotaExceeded,
        Failure::Denied { .. } => Code::AdmissionRefused,
        Failure::TooLarge { .. } => Code::ObjectTooLarge,
        Failure::ServerError { message, .. } if is_denial(message) => Code::AdmissionRefused,
        Failure::ServerError { message, .. } if message.contains("webhook") => {
            Code::AdmissionWebhookUnavailable
        }
        _ => Code::KubernetesBackupGenericWarning,
    }
}

/// Whether an admission rule speaks, in a status that others have too: policies say that an object is
/// invalid unless they say otherwise (`validations[].reason`), webhooks say what they like.
/// Source: `k8s.io/apiserver/pkg/admission/plugin/{policy/validating/dispatcher,webhook/errors/statuserror}.go`.
pub(crate) fn is_denial(message: &str) -> bool {
    let webhook = message.contains("admission webhook") && message.contains("denied the request");
    webhook || message.contains("ValidatingAdmissionPolicy '")
}

/// An error with its sources in one line, without repeating what is repeated.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(current) = cause {
        let next = current.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = current.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreachable_store_may_come_back_but_a_full_one_ends_the_job() {
        let source = || object_store::Error::Generic {
            store: "test",
            source: "gone".into(),
        };
        let unreachable = repository::Error::Unreachable {
            doing: "reading x".into(),
            source: source(),
        };
        assert!(matches!(
            JobFailure::from(unreachable),
            JobFailure::Unreachable(problem) if problem.message.contains("gone")
        ));
        let full = repository::Error::Full {
            doing: "writing x".into(),
            source: source(),
        };
        assert!(matches!(
            JobFailure::from(full),
            JobFailure::Final(problem) if problem.code == Code::BackupStorageLocationFull
        ));
    }

    #[test]
    fn a_refused_object_has_the_code_of_what_refused_it() {
        let denied = |message: &str| Failure::Denied {
            message: message.to_owned(),
        };
        assert_eq!(
            object_code(&denied("exceeded quota: pods")),
            Code::QuotaExceeded
        );
        assert_eq!(
            object_code(&denied("violates PodSecurity")),
            Code::AdmissionRefused
        );
        let invalid = |message: &str| Failure::Invalid {
            message: message.to_owned(),
            causes: Vec::new(),
        };
        let policy = "secrets \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' \
                      denied request: no secrets here";
        assert_eq!(object_code(&invalid(policy)), Code::AdmissionRefused);
        let schema = invalid("spec.replicas: must be an integer");
        assert_eq!(object_code(&schema), Code::ObjectInvalidInTarget);
        let absent = Failure::NotFound {
            message: "namespaces \"shop\" not found".into(),
        };
        assert_eq!(object_code(&absent), Code::UserErrorNamespaceNotFound);
    }
}
