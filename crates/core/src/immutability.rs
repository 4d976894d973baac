//! What an immutable vault refuses: everything that would take recovery points away before their time.
//!
//! Contract: pure, total, one recovery point or one policy at a time, and the same for everybody: there is
//! no argument for who asks, so that no role, the owner's included, changes an answer.
//!
//! - The setting goes `Disabled` ⇄ `Unlocked` → `Locked`, and stays `Locked` ([`Immutability::after`]).
//! - In an immutable vault, locked or not, the time of a tag is not made shorter ([`shortened`]) and data is
//!   not deleted before its time ([`held`]).
//! - A time that the clock says is over counts only as far as the server ran for so long ([`Service`]): a
//!   clock that somebody puts ahead ends no recovery point of such a vault early.
//!
//! Source of states, transitions and refused operations:
//! <https://learn.microsoft.com/azure/backup/backup-azure-immutable-vault-concept>. There, operational backups
//! are left out; here a vault's recovery points are all meant, because they are the only ones that there are.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::{Code, Problem};
use crate::policy::{BackupPolicy, DataStore};

#[cfg(test)]
mod tests;

/// The published states of a vault's immutability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Immutability {
    /// Recovery points may be deleted, and their retention shortened.
    #[default]
    Disabled,
    /// They may not; the setting itself can be taken back.
    Unlocked,
    /// They may not, for good.
    Locked,
}

impl Immutability {
    /// Whether the vault is immutable now, for good or not.
    #[must_use]
    pub const fn is_on(self) -> bool {
        !matches!(self, Self::Disabled)
    }

    /// The setting when `wanted` is asked for.
    ///
    /// # Errors
    /// When it is locked and asked to be anything else.
    pub fn after(self, wanted: Self) -> Result<Self, Problem> {
        if self == Self::Locked && wanted != Self::Locked {
            return Err(Problem::new(
                Code::UserErrorUnsupportedVaultImmutabilityStateChange,
                format!(
                    "The immutability of this vault is Locked, which is for good; it cannot become {wanted:?}."
                ),
            ));
        }
        Ok(wanted)
    }
}

/// A tag whose recovery points a change of policy would keep for less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortened {
    /// The tag: the name of the retention rule.
    pub tag: String,
    /// In which data store.
    pub store: DataStore,
    /// How long they are kept.
    pub before: String,
    /// How long they would be; `None` when the other policy has no such rule, or keeps nothing there.
    pub after: Option<String>,
}

impl fmt::Display for Shortened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tag,
            store,
            before,
            after,
        } = self;
        match after {
            Some(after) => write!(
                f,
                "the tag {tag} is kept for {before} in the {store} and would be for {after}"
            ),
            None => write!(
                f,
                "the tag {tag} is kept for {before} in the {store} and would not be kept there any more"
            ),
        }
    }
}

/// All that following `new` instead of `old` would keep for less. Rules are compared by name and data store:
/// when backups are made, and which of them get which tag, is the schedule's, and may change.
#[must_use]
pub fn shortened(old: &BackupPolicy, new: &BackupPolicy) -> Vec<Shortened> {
    let mut found = Vec::new();
    for rule in &old.retention {
        let same_tag = new
            .retention
            .iter()
            .find(|other| other.name.eq_ignore_ascii_case(&rule.name));
        for lifecycle in &rule.lifecycles {
            let store = lifecycle.data_store;
            let others = same_tag.map_or(&[][..], |other| &other.lifecycles);
            let other = others.iter().find(|other| other.data_store == store);
            let other = other.map(|other| &other.delete_after);
            if other.is_some_and(|other| !other.is_shorter_than(&lifecycle.delete_after)) {
                continue;
            }
            found.push(Shortened {
                tag: rule.name.clone(),
                store,
                before: lifecycle.delete_after.to_string(),
                after: other.map(ToString::to_string),
            });
        }
    }
    found
}

/// Refuses to follow `new` instead of `old` where that would keep recovery points for less.
///
/// # Errors
/// With each tag that would be kept for less.
pub fn refuse_shortened(
    state: Immutability,
    old: &BackupPolicy,
    new: &BackupPolicy,
) -> Result<(), Problem> {
    if !state.is_on() {
        return Ok(());
    }
    let found = shortened(old, new);
    if found.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = found.iter().map(ToString::to_string).collect();
    Err(denied(
        state,
        &format!("retention cannot be reduced: {}", told.join("; ")),
    ))
}

/// What is noted with a recovery point when it is made, to know later how much of its time the server has
/// really seen pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Seconds that the server had run by then, as
    /// [`RetentionClock`](crate::policy::RetentionClock) counts them.
    pub since_seconds: i64,
    /// From when its time counts.
    pub counted_from: Timestamp,
}

impl Service {
    /// Of a recovery point that was made by a version that noted nothing: it counts from the beginning of
    /// the count, which is after it was made.
    #[must_use]
    pub const fn unknown(created: Timestamp) -> Self {
        Self {
            since_seconds: 0,
            counted_from: created,
        }
    }

    /// How much of the time until `expires` the server, which ran for `ran_seconds` in all, has not seen
    /// pass yet; `None` when it has seen all of it.
    #[must_use]
    pub fn owed(self, expires: Timestamp, ran_seconds: i64) -> Option<SignedDuration> {
        let promised = expires.duration_since(self.counted_from);
        let seen = ran_seconds.saturating_sub(self.since_seconds).max(0);
        let owed = promised.saturating_sub(SignedDuration::from_secs(seen));
        owed.is_positive().then_some(owed)
    }
}

/// Why a recovery point of an immutable vault cannot be deleted yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It has no expiry time.
    ForEver,
    /// Its time is not over.
    Until(Timestamp),
    /// Its time is over by the clock, but the server has not run for as long as was promised.
    Owed(SignedDuration),
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForEver => f.write_str("it has no expiry time"),
            Self::Until(time) => write!(f, "its time ends at {time}"),
            Self::Owed(left) => write!(
                f,
                "its time is over by the clock, but the server has yet to run for {} seconds of it",
                left.as_secs()
            ),
        }
    }
}

/// Why a recovery point whose time ends at `expires` cannot be deleted at `now`, if the vault is immutable
/// and the server has run for `ran_seconds`.
#[must_use]
pub fn held(
    expires: Option<Timestamp>,
    now: Timestamp,
    service: Service,
    ran_seconds: i64,
) -> Option<Hold> {
    let Some(expires) = expires else {
        return Some(Hold::ForEver);
    };
    if now < expires {
        return Some(Hold::Until(expires));
    }
    service.owed(expires, ran_seconds).map(Hold::Owed)
}

/// Refuses to delete an instance with a recovery point that is held.
#[must_use]
pub fn refuse_delete(state: Immutability, point: &str, hold: &Hold) -> Problem {
    denied(
        state,
        &format!(
            "protection cannot be stopped with its data deleted while a recovery point is within its \
             retention ({point}: {hold}); stop protection and keep the data instead"
        ),
    )
}

fn denied(state: Immutability, why: &str) -> Problem {
    Problem::new(
        Code::UserErrorOperationDeniedOnImmutableItem,
        format!("The immutability of the vault is {state:?}: {why}."),
    )
}
