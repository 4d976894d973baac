//! Where the protection of an instance stands: between the document, which clients read, and
//! `core::protection`, which decides.

use strongroom_api::instance::{
    BackupInstance, CurrentProtectionState, ProtectionStatus, ProtectionStatusDetails,
};
use strongroom_core::error::Problem;
use strongroom_core::protection::State;

use super::told;

/// Where the protection stands.
#[must_use]
pub fn state_of(instance: &BackupInstance) -> State {
    match instance.current_protection_state {
        None | Some(CurrentProtectionState::NotProtected) => State::NotProtected,
        Some(CurrentProtectionState::Invalid) => State::Invalid,
        Some(CurrentProtectionState::ConfiguringProtection) => State::ConfiguringProtection,
        Some(CurrentProtectionState::ProtectionConfigured) => State::ProtectionConfigured,
        Some(CurrentProtectionState::BackupSchedulesSuspended) => State::BackupSchedulesSuspended,
        Some(CurrentProtectionState::RetentionSchedulesSuspended) => {
            State::RetentionSchedulesSuspended
        }
        Some(CurrentProtectionState::ProtectionStopped) => State::ProtectionStopped,
        Some(CurrentProtectionState::ProtectionError) => State::ProtectionError,
        Some(CurrentProtectionState::ConfiguringProtectionFailed) => {
            State::ConfiguringProtectionFailed
        }
        Some(CurrentProtectionState::SoftDeleting) => State::SoftDeleting,
        Some(CurrentProtectionState::SoftDeleted) => State::SoftDeleted,
        Some(CurrentProtectionState::UpdatingProtection) => State::UpdatingProtection,
    }
}

fn published(state: State) -> (CurrentProtectionState, ProtectionStatus) {
    use CurrentProtectionState as Current;
    use ProtectionStatus as Status;
    match state {
        State::Invalid => (Current::Invalid, Status::ConfiguringProtectionFailed),
        State::NotProtected => (Current::NotProtected, Status::ConfiguringProtection),
        State::ConfiguringProtection => (
            Current::ConfiguringProtection,
            Status::ConfiguringProtection,
        ),
        State::UpdatingProtection => (Current::UpdatingProtection, Status::ConfiguringProtection),
        State::ProtectionConfigured => {
            (Current::ProtectionConfigured, Status::ProtectionConfigured)
        }
        State::BackupSchedulesSuspended => (
            Current::BackupSchedulesSuspended,
            Status::ProtectionConfigured,
        ),
        State::RetentionSchedulesSuspended => (
            Current::RetentionSchedulesSuspended,
            Status::ProtectionConfigured,
        ),
        State::ProtectionStopped => (Current::ProtectionStopped, Status::ProtectionStopped),
        State::ProtectionError => (
            Current::ProtectionError,
            Status::ConfiguringProtectionFailed,
        ),
        State::ConfiguringProtectionFailed => (
            Current::ConfiguringProtectionFailed,
            Status::ConfiguringProtectionFailed,
        ),
        State::SoftDeleting => (Current::SoftDeleting, Status::SoftDeleting),
        State::SoftDeleted => (Current::SoftDeleted, Status::SoftDeleted),
    }
}

/// Writes where the protection stands, in all the fields that say so.
pub(super) fn set_state(instance: &mut BackupInstance, state: State, problem: Option<&Problem>) {
    let told = problem.map(told);
    let (current, status) = published(state);
    instance.current_protection_state = Some(current);
    instance.protection_error_details.clone_from(&told);
    instance.protection_status = Some(ProtectionStatusDetails {
        error_details: told,
        status: Some(status),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_reads_back_as_it_was_written() {
        for state in State::ALL {
            let mut instance = BackupInstance::default();
            set_state(&mut instance, state, None);
            assert_eq!(state_of(&instance), state);
        }
    }
}
