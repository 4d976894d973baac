//! What it means for a backup that one type could not be read (any further). Pure, and the only
//! place where it is decided.
//!
//! One type that fails must not end a backup, and must not be passed over in silence either: it is a
//! finding, and the rest goes on. Only when the API server as a whole does not answer, or no longer
//! accepts us, is there nothing to go on with. Which of the two it is does not show in the failure (a
//! broken aggregated API, a lasting 429 on one type and a dying API server all answer alike), so the
//! reference type is asked as well.

use strongroom_core::{Code, ResourceType};
use strongroom_kubernetes::Failure;

/// What becomes of the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The type is a finding with this code; what was read of it stays.
    Finding(Code),
    /// The attempt ends: the failure is the API server's.
    Attempt,
}

/// Whether the failure alone says which of the two it is; none when the API server has to be asked.
pub(super) fn judge(resource: &ResourceType, failure: &Failure) -> Option<Trouble> {
    match failure {
        // Our credential, unless another server behind the API server refuses it.
        Failure::Unauthorized { .. } if !resource.is_custom() => Some(Trouble::Attempt),
        Failure::Unauthorized { .. }
        | Failure::Unreachable { .. }
        | Failure::Timeout { .. }
        | Failure::TooManyRequests { .. }
        | Failure::ServerError { .. } => None,
        Failure::NotFound { .. } => Some(Trouble::Finding(Code::ResourceTypeRemovedDuringBackup)),
        Failure::Forbidden { .. } | Failure::Denied { .. } => {
            Some(Trouble::Finding(Code::UserErrorClusterPermissionMissing))
        }
        Failure::TooLarge { .. } => Some(Trouble::Finding(Code::ObjectTooLarge)),
        _ => Some(Trouble::Finding(Code::ApiGroupUnavailable)),
    }
}

/// The same once the API server was asked whether it answers.
pub(super) fn judge_knowing(
    resource: &ResourceType,
    failure: &Failure,
    api_server_answers: bool,
) -> Trouble {
    match judge(resource, failure) {
        Some(trouble) => trouble,
        None if !api_server_answers => Trouble::Attempt,
        None => Trouble::Finding(match failure {
            Failure::TooManyRequests { .. } => Code::TooManyRequests,
            _ => Code::ApiGroupUnavailable,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn secrets() -> ResourceType {
        ResourceType::new("", "v1", "Secret", "secrets", true)
    }

    fn widgets() -> ResourceType {
        ResourceType::new("example.com", "v1", "Widget", "widgets", true)
    }

    fn words() -> String {
        "injected".to_owned()
    }

    fn may_be_either() -> [Failure; 4] {
        [
            Failure::TooManyRequests {
                retry_after: None,
                message: words(),
            },
            Failure::ServerError {
                status: 503,
                retry_after: None,
                message: words(),
            },
            Failure::Timeout {
                limit: Duration::from_secs(65),
            },
            Failure::Unreachable {
                server: words(),
                cause: words(),
            },
        ]
    }

    #[test]
    fn a_type_that_does_not_answer_is_a_finding_as_long_as_the_api_server_does() {
        for resource in [secrets(), widgets()] {
            for failure in may_be_either() {
                let trouble = judge_knowing(&resource, &failure, true);
                assert!(
                    matches!(trouble, Trouble::Finding(_)),
                    "{resource} {failure}"
                );
                let trouble = judge_knowing(&resource, &failure, false);
                assert_eq!(trouble, Trouble::Attempt, "{resource} {failure}");
            }
        }
    }

    #[test]
    fn a_lasting_request_to_slow_down_is_named_as_such() {
        let [slow_down, ..] = may_be_either();
        assert_eq!(
            judge_knowing(&secrets(), &slow_down, true),
            Trouble::Finding(Code::TooManyRequests)
        );
    }

    #[test]
    fn a_credential_that_the_api_server_refuses_ends_the_attempt_but_not_one_that_another_server_does()
     {
        let refused = Failure::Unauthorized { message: words() };
        assert_eq!(judge_knowing(&secrets(), &refused, true), Trouble::Attempt);
        assert_eq!(
            judge_knowing(&widgets(), &refused, true),
            Trouble::Finding(Code::ApiGroupUnavailable)
        );
    }

    #[test]
    fn what_concerns_the_type_alone_is_a_finding_without_asking() {
        let gone = Failure::NotFound { message: words() };
        let forbidden = Failure::Forbidden {
            permission: None,
            message: words(),
        };
        let large = Failure::TooLarge { limit: 1 };
        let garbage = Failure::Malformed { cause: words() };
        for (failure, code) in [
            (gone, Code::ResourceTypeRemovedDuringBackup),
            (forbidden, Code::UserErrorClusterPermissionMissing),
            (large, Code::ObjectTooLarge),
            (garbage, Code::ApiGroupUnavailable),
        ] {
            assert_eq!(judge(&secrets(), &failure), Some(Trouble::Finding(code)));
        }
    }
}
