//! The states of a protection, and what each action makes of each: one table.
//!
//! Contract: [`State::after`] is total. It answers with the state that follows, which is the same one
//! where there is nothing to do (a repeated request is no error), or with the reason why the action is
//! refused. The names are the published ones of `CurrentProtectionState`.

use crate::error::{Code, Problem};

/// Where a protection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Unknown.
    Invalid,
    /// Never was protected.
    NotProtected,
    /// Being set up.
    ConfiguringProtection,
    /// Backed up by its schedule, cleaned up by its retention.
    ProtectionConfigured,
    /// Not backed up by its schedule; retention goes on.
    BackupSchedulesSuspended,
    /// Backed up; retention rests.
    RetentionSchedulesSuspended,
    /// Not backed up; all that there is stays.
    ProtectionStopped,
    /// Something broke it.
    ProtectionError,
    /// Could not be set up.
    ConfiguringProtectionFailed,
    /// Being deleted.
    SoftDeleting,
    /// Deleted, and can be brought back.
    SoftDeleted,
    /// Protected while its settings change.
    UpdatingProtection,
}

/// What is asked of a protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Write its settings (anew).
    Configure,
    /// Try again what failed when it was set up.
    Sync,
    /// Validate and set up again, failed or not.
    ForceSync,
    /// Make a recovery point.
    BackUp,
    /// Restore from one.
    Restore,
    /// Stop the schedule; retention goes on.
    SuspendBackups,
    /// Follow the schedule again.
    ResumeBackups,
    /// Stop schedule and retention; keep everything.
    StopProtection,
    /// Protect again what was stopped or suspended.
    ResumeProtection,
    /// Delete it so that it can be brought back.
    SoftDelete,
    /// Bring it back.
    Undelete,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 12] = [
        Self::Invalid,
        Self::NotProtected,
        Self::ConfiguringProtection,
        Self::ProtectionConfigured,
        Self::BackupSchedulesSuspended,
        Self::RetentionSchedulesSuspended,
        Self::ProtectionStopped,
        Self::ProtectionError,
        Self::ConfiguringProtectionFailed,
        Self::SoftDeleting,
        Self::SoftDeleted,
        Self::UpdatingProtection,
    ];

    /// Whether the schedule starts backups.
    #[must_use]
    pub fn follows_schedule(self) -> bool {
        matches!(
            self,
            Self::ProtectionConfigured
                | Self::UpdatingProtection
                | Self::RetentionSchedulesSuspended
        )
    }

    /// Whether recovery points go when their time is over: a stopped protection keeps what it has for
    /// ever, and of a deleted one that can be brought back nothing may be missing.
    #[must_use]
    pub fn follows_retention(self) -> bool {
        !matches!(
            self,
            Self::RetentionSchedulesSuspended
                | Self::ProtectionStopped
                | Self::SoftDeleting
                | Self::SoftDeleted
        )
    }

    /// Where a protection stands once it was looked at whether it can be set up as it is to be. Settings
    /// that cannot be followed now never take the protection away from what was protected before: its
    /// cluster may only be away for an hour.
    #[must_use]
    pub fn configured(self, is_possible: bool) -> Self {
        match (self, is_possible) {
            (Self::ConfiguringProtection, false) => Self::ConfiguringProtectionFailed,
            (Self::ConfiguringProtection, true) | (Self::UpdatingProtection, _) => {
                Self::ProtectionConfigured
            }
            (other, _) => other,
        }
    }

    /// The state after an action.
    ///
    /// # Errors
    /// When the action is refused in this state, with the reason.
    pub fn after(self, action: Action) -> Result<Self, Problem> {
        use State as S;
        if matches!(self, S::SoftDeleting | S::SoftDeleted) && action != Action::Undelete {
            return match (self, action) {
                (S::SoftDeleted, Action::SoftDelete) => Ok(self),
                _ => Err(self.refuse(action, "it is deleted; undelete it first")),
            };
        }
        match action {
            Action::Configure | Action::ForceSync => Ok(match self {
                S::ProtectionConfigured | S::UpdatingProtection => S::UpdatingProtection,
                S::BackupSchedulesSuspended
                | S::RetentionSchedulesSuspended
                | S::ProtectionStopped => self,
                _ => S::ConfiguringProtection,
            }),
            Action::Sync => Ok(match self {
                S::ConfiguringProtectionFailed | S::ProtectionError => S::ConfiguringProtection,
                _ => self,
            }),
            Action::BackUp => self.backed_up(),
            Action::Restore => Ok(self),
            Action::SuspendBackups => self.suspended(),
            Action::StopProtection => self.stopped(),
            Action::ResumeBackups | Action::ResumeProtection => self.resumed(action),
            Action::SoftDelete => Ok(S::SoftDeleted),
            Action::Undelete => match self {
                S::SoftDeleted => Ok(S::ProtectionStopped),
                _ => Err(self.refuse(action, "it is not deleted")),
            },
        }
    }

    /// Whether it is protected, its schedule suspended or not.
    fn is_protected(self) -> bool {
        matches!(
            self,
            Self::ProtectionConfigured
                | Self::UpdatingProtection
                | Self::BackupSchedulesSuspended
                | Self::RetentionSchedulesSuspended
        )
    }

    fn backed_up(self) -> Result<Self, Problem> {
        match self {
            // A suspended schedule does not keep a user from a backup on demand.
            _ if self.is_protected() => Ok(self),
            Self::ProtectionStopped => {
                Err(self.refuse(Action::BackUp, "its protection is stopped; resume it first"))
            }
            _ => Err(self.refuse(Action::BackUp, "it is not protected")),
        }
    }

    fn suspended(self) -> Result<Self, Problem> {
        let why = match self {
            _ if self.is_protected() => return Ok(Self::BackupSchedulesSuspended),
            Self::ProtectionStopped => {
                "its protection is stopped, so that nothing is backed up anyhow"
            }
            _ => "it is not protected",
        };
        Err(self.refuse(Action::SuspendBackups, why))
    }

    fn stopped(self) -> Result<Self, Problem> {
        match self {
            Self::ProtectionError | Self::ProtectionStopped => Ok(Self::ProtectionStopped),
            _ if self.is_protected() => Ok(Self::ProtectionStopped),
            _ => Err(self.refuse(Action::StopProtection, "it is not protected")),
        }
    }

    fn resumed(self, action: Action) -> Result<Self, Problem> {
        match self {
            Self::ProtectionConfigured | Self::UpdatingProtection => Ok(self),
            Self::ProtectionStopped if action == Action::ResumeBackups => Err(self.refuse(
                action,
                "its protection is stopped, not suspended; use resumeProtection",
            )),
            Self::ProtectionStopped
            | Self::BackupSchedulesSuspended
            | Self::RetentionSchedulesSuspended => Ok(Self::ProtectionConfigured),
            _ => Err(self.refuse(action, "it is neither stopped nor suspended")),
        }
    }

    fn refuse(self, action: Action, why: &str) -> Problem {
        Problem::new(
            Code::UserErrorProtectionNotConfigured,
            format!(
                "{action:?} is not possible: the state of the backup instance is {self:?}, {why}."
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTIONS: [Action; 11] = [
        Action::Configure,
        Action::Sync,
        Action::ForceSync,
        Action::BackUp,
        Action::Restore,
        Action::SuspendBackups,
        Action::ResumeBackups,
        Action::StopProtection,
        Action::ResumeProtection,
        Action::SoftDelete,
        Action::Undelete,
    ];

    #[test]
    fn the_table_is_what_people_have_read() {
        let mut table = String::new();
        for state in State::ALL {
            table += &format!("{state:?}\n");
            for action in ACTIONS {
                let told = match state.after(action) {
                    Ok(next) if next == state => "stays".to_owned(),
                    Ok(next) => format!("{next:?}"),
                    Err(problem) => {
                        let (_, why) = problem.message.split_once(", ").unwrap();
                        format!("refused: {why}")
                    }
                };
                table += &format!("  {:<17}{told}\n", format!("{action:?}"));
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn doing_it_twice_is_as_doing_it_once() {
        for state in State::ALL {
            for action in ACTIONS {
                if let Ok(once) = state.after(action)
                    && action != Action::Undelete
                {
                    assert_eq!(once.after(action), Ok(once), "{state:?} {action:?}");
                }
            }
        }
    }

    #[test]
    fn settings_that_cannot_be_followed_now_take_no_protection_away() {
        for state in State::ALL {
            let Ok(meanwhile) = state.after(Action::Configure) else {
                continue;
            };
            let after = meanwhile.configured(false);
            assert_eq!(
                state.follows_schedule(),
                after.follows_schedule(),
                "{state:?}"
            );
            assert_eq!(
                state.follows_retention(),
                after.follows_retention(),
                "{state:?}"
            );
            // Nor while it is being looked at.
            assert_eq!(
                state.follows_schedule(),
                meanwhile.follows_schedule(),
                "{state:?}"
            );
            assert_eq!(
                state.follows_retention(),
                meanwhile.follows_retention(),
                "{state:?}"
            );
        }
    }

    #[test]
    fn what_is_stopped_or_deleted_loses_nothing() {
        for state in State::ALL {
            for action in [Action::StopProtection, Action::SoftDelete] {
                if let Ok(next) = state.after(action) {
                    assert!(!next.follows_retention() && !next.follows_schedule());
                }
            }
        }
    }
}
