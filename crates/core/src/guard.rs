//! Multi-user authorization: what of a vault needs the word of a second person, and whose word it is.
//!
//! Contract: pure. A **resource guard** belongs to somebody else than the vault. A vault that is linked to one
//! lets a critical operation pass only if whoever asks, or whoever's token they bring along, may do the
//! operation's request on the guard as well ([`CriticalOperation::request_action`]). A guard may leave optional operations
//! out ([`Exclusions`]), for all vaults that are linked to it; what would disarm it cannot be left out.
//!
//! Source of operations and request types: the published model `ResourceGuardOperation`, its examples, and
//! <https://learn.microsoft.com/azure/backup/multi-user-authorization-concept>. The permission itself is not
//! published; that of the role Backup MUA Operator, which is made for it, is
//! `Microsoft.DataProtection/*/action`, and Reader, who may link a vault, must not have it.

use crate::error::{Code, Problem};

#[cfg(test)]
mod tests;

/// What of a guarded vault needs the guard's approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CriticalOperation {
    /// Take the guard away from the vault, or put another in its place.
    DisableMua,
    /// Turn soft delete off, or keep what is deleted for fewer days.
    ReduceSoftDelete,
    /// Turn immutability off.
    ReduceImmutability,
    /// Delete an instance with its recovery points.
    DeleteInstance,
    /// Stop a protection.
    StopProtection,
    /// Suspend a schedule.
    SuspendBackups,
    /// Edit a policy so that a tag is kept for less.
    ReducePolicy,
    /// Give an instance a policy that keeps a tag for less.
    ReduceProtection,
}

impl CriticalOperation {
    /// All of them, those that cannot be left out first.
    pub const ALL: [Self; 8] = [
        Self::DisableMua,
        Self::ReduceSoftDelete,
        Self::ReduceImmutability,
        Self::DeleteInstance,
        Self::StopProtection,
        Self::SuspendBackups,
        Self::ReducePolicy,
        Self::ReduceProtection,
    ];

    /// The published name (`vaultCriticalOperation`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DisableMua => {
                "Microsoft.DataProtection/backupVaults/backupResourceGuardProxies/delete"
            }
            Self::ReduceSoftDelete => {
                "Microsoft.DataProtection/backupVaults/write#reduceSoftDeleteSecurity"
            }
            Self::ReduceImmutability => {
                "Microsoft.DataProtection/backupVaults/write#reduceImmutabilityState"
            }
            Self::DeleteInstance => "Microsoft.DataProtection/backupVaults/backupInstances/delete",
            Self::StopProtection => {
                "Microsoft.DataProtection/backupVaults/backupInstances/stopProtection/action"
            }
            Self::SuspendBackups => {
                "Microsoft.DataProtection/backupVaults/backupInstances/suspendBackups/action"
            }
            Self::ReducePolicy => "Microsoft.DataProtection/backupVaults/backupPolicies/write",
            Self::ReduceProtection => "Microsoft.DataProtection/backupVaults/backupInstances/write",
        }
    }

    /// The type of its requests below a guard.
    #[must_use]
    pub const fn request_type(self) -> &'static str {
        match self {
            Self::DisableMua => "deleteResourceGuardProxyRequests",
            Self::ReduceSoftDelete => "disableSoftDeleteRequests",
            Self::ReduceImmutability => "reduceImmutabilityStateRequests",
            Self::DeleteInstance => "deleteBackupInstanceRequests",
            Self::StopProtection => "stopProtectionRequests",
            Self::SuspendBackups => "suspendBackupsRequests",
            Self::ReducePolicy => "updateProtectionPolicyRequests",
            Self::ReduceProtection => "updateProtectedItemRequests",
        }
    }

    /// The permission on the guard that approves it.
    #[must_use]
    pub fn request_action(self) -> String {
        format!(
            "Microsoft.DataProtection/resourceGuards/{}/action",
            self.request_type()
        )
    }

    /// Whether a guard cannot leave it out: without these two, whoever has the vault would have it back.
    #[must_use]
    pub const fn is_mandatory(self) -> bool {
        matches!(self, Self::DisableMua | Self::ReduceSoftDelete)
    }

    /// The operation whose default request on a guard has this id, in any case.
    #[must_use]
    pub fn of_request(guard: &str, request: &str) -> Option<Self> {
        let (guard, request) = (guard.to_lowercase(), request.to_lowercase());
        let rest = request.strip_prefix(&guard)?.strip_prefix('/')?;
        let (kind, _) = rest.split_once('/')?;
        Self::ALL
            .into_iter()
            .find(|operation| operation.request_type().eq_ignore_ascii_case(kind))
    }
}

/// Names of operations that are published for vaults here, but are nothing that a guard of ours guards: they
/// may be left out like any other.
const KNOWN_BESIDES: [&str; 2] = [
    "Microsoft.DataProtection/backupVaults/backupInstances/restore/action",
    "Microsoft.DataProtection/backupVaults/write#modifyEncryptionSettings",
];

/// What a guard leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exclusions(Vec<CriticalOperation>);

impl Exclusions {
    /// Reads the list of a guard (`vaultCriticalOperationExclusionList`). Operations of other vaults than
    /// these (`Microsoft.RecoveryServices`) are somebody else's, and none of them is left out by that.
    ///
    /// # Errors
    /// When it names one that cannot be left out, or that does not exist.
    pub fn read(names: &[String]) -> Result<Self, Problem> {
        let mut left_out = Vec::new();
        for name in names {
            let known = CriticalOperation::ALL
                .into_iter()
                .find(|operation| operation.name().eq_ignore_ascii_case(name));
            match known {
                Some(operation) if operation.is_mandatory() => {
                    return Err(invalid(format!(
                        "'{name}' cannot be left out: without it the guard could be disarmed"
                    )));
                }
                Some(operation) => left_out.push(operation),
                None => {
                    let is_known = KNOWN_BESIDES
                        .iter()
                        .any(|besides| besides.eq_ignore_ascii_case(name))
                        || name
                            .to_lowercase()
                            .starts_with("microsoft.recoveryservices/");
                    if !is_known {
                        return Err(invalid(format!("'{name}' is no critical operation")));
                    }
                }
            }
        }
        Ok(Self(left_out))
    }

    /// What the guard guards.
    #[must_use]
    pub fn guarded(&self) -> Vec<CriticalOperation> {
        CriticalOperation::ALL
            .into_iter()
            .filter(|operation| self.guards(*operation))
            .collect()
    }

    /// Whether it guards an operation.
    #[must_use]
    pub fn guards(&self, operation: CriticalOperation) -> bool {
        operation.is_mandatory() || !self.0.contains(&operation)
    }
}

fn invalid(message: String) -> Problem {
    Problem::new(Code::InvalidRequestContent, format!("{message}."))
        .at("properties.vaultCriticalOperationExclusionList")
}

/// The refusal of a critical operation that nobody approved.
#[must_use]
pub fn not_approved(operation: CriticalOperation, guard: &str) -> Problem {
    let request = format!("{guard}/{}/default", operation.request_type());
    Problem::new(
        Code::LinkedAuthorizationFailed,
        format!(
            "The vault is linked to the resource guard '{guard}', and '{}' needs its approval: '{}' on \
             '{request}', by you or by the token in x-ms-authorization-auxiliary.",
            operation.name(),
            operation.request_action(),
        ),
    )
    .at(request)
}
