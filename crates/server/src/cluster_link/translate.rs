//! The one place where a cluster's errors become codes: what a user is told, and what the worker can
//! do. One table for the registered kubeconfig, and its few differences for a vault's own credential.

use strongroom_core::error::{Code, Problem};
use strongroom_kubernetes::cluster::{Cluster, ClusterError, Failure, Timeouts};

use super::{LinkError, Remedy, Result, VaultAccess};

/// The address of the API server that a kubeconfig names. Nothing is sent anywhere. Must be called
/// inside a tokio runtime.
///
/// # Errors
/// When the kubeconfig cannot be used.
pub fn address_of(kubeconfig: &str) -> Result<String> {
    Cluster::from_kubeconfig(kubeconfig, Timeouts::default())
        .map(|cluster| cluster.server().to_owned())
        .map_err(|error| link_error(&error))
}

/// The meaning of an error met with the registered kubeconfig.
pub(super) fn link_error(error: &ClusterError) -> LinkError {
    let (code, remedy) = meaning(&error.failure);
    LinkError {
        problem: Problem::new(code, format!("{}.", capitalised(&error.to_string()))),
        remedy,
    }
}

/// The table. A new failure does not compile before it has a row here.
fn meaning(failure: &Failure) -> (Code, Remedy) {
    match failure {
        Failure::Unreachable { .. }
        | Failure::Timeout { .. }
        | Failure::TooManyRequests { .. }
        | Failure::ServerError { .. } => (Code::UserErrorClusterUnreachable, Remedy::Wait),
        Failure::CertificateNotTrusted { .. } => {
            (Code::UserErrorClusterCertificateNotTrusted, Remedy::Grant)
        }
        Failure::Kubeconfig(_) => (Code::UserErrorInvalidKubeconfig, Remedy::None),
        Failure::Unauthorized { .. } => (Code::UserErrorClusterAuthenticationFailed, Remedy::Grant),
        Failure::Forbidden { .. } => (Code::UserErrorClusterPermissionMissing, Remedy::Grant),
        Failure::Denied { .. } => (Code::AdmissionRefused, Remedy::None),
        Failure::NamespaceTerminating { .. } => (Code::NamespaceTerminating, Remedy::Wait),
        // Somebody else changed the same object at the same moment.
        Failure::Conflict { .. } => (Code::Conflict, Remedy::Wait),
        Failure::AlreadyExists { .. } => (Code::Conflict, Remedy::None),
        Failure::NotFound { .. }
        | Failure::Gone { .. }
        | Failure::Invalid { .. }
        | Failure::TooLarge { .. } => (Code::KubernetesBackupListExtensionsError, Remedy::None),
        // Something before the API server answered in its place, as load balancers do while a control
        // plane is upgraded: no reason to give a running job up.
        Failure::Unexpected { .. } | Failure::Malformed { .. } => {
            (Code::KubernetesBackupListExtensionsError, Remedy::Wait)
        }
        // The server never asks for the cluster that it runs in.
        Failure::NotInCluster { .. } => (Code::InternalServerError, Remedy::None),
    }
}

/// The meaning of an error met with the vault's own credential: a lack of rights is a lack of
/// Trusted Access, and a missing kind or namespace is a missing extension.
pub(super) fn vault_error(error: &ClusterError, access: &VaultAccess) -> LinkError {
    match &error.failure {
        Failure::Forbidden { .. } | Failure::Unauthorized { .. } => not_granted(access),
        Failure::NotFound { .. } => LinkError {
            problem: Problem::new(
                Code::UserErrorKubernetesBackupExtensionNotFoundError,
                format!("The backup extension is not installed in the cluster: {error}."),
            ),
            remedy: Remedy::Grant,
        },
        _ => link_error(error),
    }
}

/// The vault's account or its role is not in the cluster.
pub(super) fn not_granted(access: &VaultAccess) -> LinkError {
    let vault = &access.vault_id;
    LinkError {
        problem: Problem::new(
            Code::UserErrorTrustedAccessMissing,
            format!("The vault {vault} has no Trusted Access in the cluster."),
        ),
        remedy: Remedy::Grant,
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use strongroom_kubernetes::cluster::KubeconfigError;

    use super::*;
    use crate::cluster_link::ClusterAccess;

    /// Every failure there is.
    fn failures() -> Vec<Failure> {
        let (server, cause, message) = (String::new, String::new, String::new);
        vec![
            Failure::Unreachable {
                server: "https://c:6443".to_owned(),
                cause: "refused".to_owned(),
            },
            Failure::Timeout {
                limit: Duration::from_secs(5),
            },
            Failure::TooManyRequests {
                retry_after: None,
                message: message(),
            },
            Failure::ServerError {
                status: 503,
                retry_after: None,
                message: message(),
            },
            Failure::CertificateNotTrusted {
                server: server(),
                cause: cause(),
            },
            Failure::Kubeconfig(KubeconfigError::Malformed { cause: cause() }),
            Failure::Unauthorized { message: message() },
            Failure::Forbidden {
                permission: None,
                message: message(),
            },
            Failure::Denied { message: message() },
            Failure::NamespaceTerminating { message: message() },
            Failure::Conflict { message: message() },
            Failure::AlreadyExists { message: message() },
            Failure::NotFound { message: message() },
            Failure::Gone {
                message: message(),
                continue_token: None,
            },
            Failure::Invalid {
                message: message(),
                causes: Vec::new(),
            },
            Failure::TooLarge { limit: 1 },
            Failure::Unexpected {
                status: 418,
                message: message(),
            },
            Failure::Malformed { cause: cause() },
            Failure::NotInCluster { cause: cause() },
        ]
    }

    fn table(translate: impl Fn(&ClusterError) -> LinkError) -> String {
        let mut text = String::new();
        for failure in failures() {
            let told = format!("{failure:?}");
            let name = told.split([' ', '(']).next().unwrap_or_default();
            let error = translate(&ClusterError::new("list backups", failure.clone()));
            let code = error.problem.code;
            text += &format!("{name}: {code}, {:?}\n", error.remedy);
        }
        text
    }

    fn access() -> VaultAccess {
        VaultAccess {
            cluster: ClusterAccess {
                key: "/c".into(),
                kubeconfig: String::new().into(),
            },
            vault_id: "/v".into(),
        }
    }

    #[test]
    fn each_failure_has_a_code_and_a_remedy() {
        insta::assert_snapshot!(table(link_error), @r"
        Unreachable: UserErrorClusterUnreachable, Wait
        Timeout: UserErrorClusterUnreachable, Wait
        TooManyRequests: UserErrorClusterUnreachable, Wait
        ServerError: UserErrorClusterUnreachable, Wait
        CertificateNotTrusted: UserErrorClusterCertificateNotTrusted, Grant
        Kubeconfig: UserErrorInvalidKubeconfig, None
        Unauthorized: UserErrorClusterAuthenticationFailed, Grant
        Forbidden: UserErrorClusterPermissionMissing, Grant
        Denied: AdmissionRefused, None
        NamespaceTerminating: NamespaceTerminating, Wait
        Conflict: Conflict, Wait
        AlreadyExists: Conflict, None
        NotFound: KubernetesBackupListExtensionsError, None
        Gone: KubernetesBackupListExtensionsError, None
        Invalid: KubernetesBackupListExtensionsError, None
        TooLarge: KubernetesBackupListExtensionsError, None
        Unexpected: KubernetesBackupListExtensionsError, Wait
        Malformed: KubernetesBackupListExtensionsError, Wait
        NotInCluster: InternalServerError, None
        ");
    }

    #[test]
    fn met_by_a_vault_three_of_them_mean_something_else() {
        let of_vault = table(|error| vault_error(error, &access()));
        let of_admin = table(link_error);
        let different: Vec<&str> = of_vault
            .lines()
            .zip(of_admin.lines())
            .filter(|(vault, admin)| vault != admin)
            .map(|(vault, _)| vault)
            .collect();
        assert_eq!(
            different,
            [
                "Unauthorized: UserErrorTrustedAccessMissing, Grant",
                "Forbidden: UserErrorTrustedAccessMissing, Grant",
                "NotFound: UserErrorKubernetesBackupExtensionNotFoundError, Grant",
            ]
        );
    }

    #[test]
    fn a_problem_begins_with_what_was_being_done() {
        let error = link_error(&ClusterError::new("list backups", failures().remove(0)));
        let said =
            "Could not list backups: the API server at https://c:6443 cannot be reached: refused.";
        assert_eq!(error.problem.message, said);
    }

    #[tokio::test]
    async fn a_kubeconfig_tells_its_address_or_what_is_wrong_with_it() {
        let address = address_of(crate::testing::KUBECONFIG).unwrap();
        assert!(address.starts_with("https://"), "{address}");
        let refused = address_of("not: [a kubeconfig").unwrap_err();
        assert_eq!(refused.problem.code, Code::UserErrorInvalidKubeconfig);
    }
}
