//! Which recovery points retention lets go, and why the others stay.
//!
//! Contract: pure, one point at a time, so that memory does not grow with their number. A point goes
//! only when its own time is over; and whatever its time, the latest one stays. "Latest" is meant in
//! every sense that a wrong clock leaves: the newest by its own time, the one that was made last, and
//! the newest that no verification found damaged.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

/// The recovery points of an instance that stay, whatever their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latest<Id> {
    /// The newest by its own time.
    pub newest: Option<Id>,
    /// The one that was made last, by the order in which the server came to know of them.
    pub last_made: Option<Id>,
    /// The newest of which no verification said that it is damaged.
    pub newest_sound: Option<Id>,
}

impl<Id: Copy + PartialEq> Latest<Id> {
    /// Finds them. `newest_first` gives each point with whether it is known to be damaged, and is read
    /// no farther than to the first that is not.
    #[must_use]
    pub fn of(newest_first: impl IntoIterator<Item = (Id, bool)>, last_made: Option<Id>) -> Self {
        let mut latest = Self {
            newest: None,
            last_made,
            newest_sound: None,
        };
        for (id, is_damaged) in newest_first {
            latest.note(id, is_damaged);
            if latest.newest_sound.is_some() {
                break;
            }
        }
        latest
    }

    /// Takes note of the next older point.
    pub fn note(&mut self, id: Id, is_damaged: bool) {
        self.newest = self.newest.or(Some(id));
        if !is_damaged {
            self.newest_sound = self.newest_sound.or(Some(id));
        }
    }

    /// Why a point stays, if it is one of these.
    #[must_use]
    pub fn keeps(&self, id: Id) -> Option<Keep> {
        if self.newest == Some(id) {
            Some(Keep::Newest)
        } else if self.last_made == Some(id) {
            Some(Keep::MadeLast)
        } else if self.newest_sound == Some(id) {
            Some(Keep::NewestSound)
        } else {
            None
        }
    }
}

/// What else there is to know before a point is let go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// Why the point is one of those that always stay.
    pub always: Option<Keep>,
    /// The job that reads it, or rests on it.
    pub in_use_by: Option<String>,
    /// The protection state that suspends retention, by its published name.
    pub suspended: Option<String>,
    /// How long the clock is not trusted yet after a leap.
    pub untrusted_for: Option<SignedDuration>,
    /// How much of its time the server has not seen pass yet, in an immutable vault.
    pub owed: Option<SignedDuration>,
}

/// Whether a recovery point goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays.
    Keep(Keep),
    /// It goes: its time ended then.
    Expire {
        /// When.
        since: Timestamp,
    },
}

/// Why a recovery point stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// It has no time.
    ForEver,
    /// Its time is not over.
    Until(Timestamp),
    /// It is the newest of its instance.
    Newest,
    /// It is the last one that was made, whatever its own time says.
    MadeLast,
    /// It is the newest that is not known to be damaged.
    NewestSound,
    /// A job reads it, or rests on it.
    InUse(String),
    /// Retention does not go on in this protection state.
    Suspended(String),
    /// The clock leapt, and is not trusted for so long.
    ClockLeapt(SignedDuration),
    /// Its vault is immutable, and the server has yet to run for so long.
    Owed(SignedDuration),
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForEver => f.write_str("it has no expiry time"),
            Self::Until(time) => write!(f, "its time ends at {time}"),
            Self::Newest => f.write_str("it is the newest recovery point of its instance"),
            Self::MadeLast => f.write_str("it is the last recovery point that was made"),
            Self::NewestSound => {
                f.write_str("it is the newest recovery point that is not known to be damaged")
            }
            Self::InUse(job) => write!(f, "job {job} needs it"),
            Self::Suspended(state) => write!(f, "the instance's protection state is {state}"),
            Self::ClockLeapt(left) => {
                write!(
                    f,
                    "the clock leapt and is not trusted for {} more seconds",
                    left.as_secs()
                )
            }
            Self::Owed(left) => write!(
                f,
                "its vault is immutable, and the server has yet to run for {} seconds of its time",
                left.as_secs()
            ),
        }
    }
}

/// Whether a recovery point goes at `now`, when its time ends at `expires`.
#[must_use]
pub fn judge(expires: Option<Timestamp>, now: Timestamp, circumstances: &Circumstances) -> Verdict {
    let Some(expires) = expires else {
        return Verdict::Keep(Keep::ForEver);
    };
    if now < expires {
        return Verdict::Keep(Keep::Until(expires));
    }
    if let Some(always) = &circumstances.always {
        return Verdict::Keep(always.clone());
    }
    if let Some(job) = &circumstances.in_use_by {
        return Verdict::Keep(Keep::InUse(job.clone()));
    }
    if let Some(state) = &circumstances.suspended {
        return Verdict::Keep(Keep::Suspended(state.clone()));
    }
    if let Some(left) = circumstances.untrusted_for {
        return Verdict::Keep(Keep::ClockLeapt(left));
    }
    if let Some(left) = circumstances.owed {
        return Verdict::Keep(Keep::Owed(left));
    }
    Verdict::Expire { since: expires }
}
