//! When retention believes the clock.
//!
//! Contract: pure. A clock that is set years ahead by mistake would end the time of every recovery
//! point at once, and what is deleted does not come back when the clock is put right. So retention looks
//! how far the clock went since its last look and how much time really passed, as far as it knows: after
//! a leap of more than [`CLOCK_LEAP_MIN`] nothing expires for as long as the leap was, at most for
//! [`CLOCK_DISTRUST_MAX`] of the server's running. A downtime looks the same, because nobody ran who
//! could tell; then what is over goes some hours later, which costs room and nothing else.
//!
//! Besides, it counts for how long the server ran in all, which no clock has a say in: what an immutable
//! vault owes is reckoned by that, see [`crate::immutability`].

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::limits::{CLOCK_DISTRUST_MAX, CLOCK_LEAP_MIN};

/// What retention knows of the clock; it outlives the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetentionClock {
    /// What the clock showed at the last look.
    pub seen: Timestamp,
    /// Seconds of running for which the clock is not trusted yet.
    pub untrusted_seconds: i64,
    /// Seconds that the server has run in all, its downtimes left out.
    #[serde(default)]
    pub ran_seconds: i64,
}

/// A leap of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leap {
    /// By how much more the clock went than time is known to have passed.
    pub by: SignedDuration,
}

impl RetentionClock {
    /// At the first look ever.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self {
            seen: now,
            untrusted_seconds: 0,
            ran_seconds: 0,
        }
    }

    /// At the next look: the clock shows `now`, and at least `ran` really passed since the last look of
    /// this process (zero at the first one after a start).
    #[must_use]
    pub fn look(self, now: Timestamp, ran: SignedDuration) -> (Self, Option<Leap>) {
        let by = now.duration_since(self.seen) - ran;
        let ran_seconds = self.ran_seconds.saturating_add(ran.as_secs().max(0));
        if by > CLOCK_LEAP_MIN {
            let distrust = by.min(CLOCK_DISTRUST_MAX).as_secs();
            let next = Self {
                seen: now,
                untrusted_seconds: distrust.max(self.untrusted_seconds),
                ran_seconds,
            };
            return (next, Some(Leap { by }));
        }
        let left = self.untrusted_seconds - ran.as_secs().max(0);
        let next = Self {
            seen: now,
            untrusted_seconds: left.max(0),
            ran_seconds,
        };
        (next, None)
    }

    /// How long the clock is not trusted yet; `None` when it is.
    #[must_use]
    pub fn untrusted_for(self) -> Option<SignedDuration> {
        (self.untrusted_seconds > 0).then(|| SignedDuration::from_secs(self.untrusted_seconds))
    }
}
