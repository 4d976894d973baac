//! What an edit of a policy does to a recovery point that is there.
//!
//! Contract: pure, one point at a time. An edit takes back no promise: a point stays at least until the
//! time that it got when it was made, see [`BackupPolicy::expiry`]. So an edit prolongs, or ends what an
//! earlier edit had prolonged.

use std::fmt;

use jiff::Timestamp;

use super::BackupPolicy;

/// What an edit does to the time of a recovery point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It stays for longer.
    Prolonged,
    /// It goes sooner, at the time that it was promised when it was made at the soonest.
    Shortened,
    /// It has no time and gets none.
    ForEver,
    /// Nothing: the policy keeps it as long as before.
    Unchanged,
    /// Nothing: the policy would keep it for less, and what it was promised holds.
    PromiseHolds,
    /// Nothing: the policy has no rule for its tag any more, and what it was promised holds.
    RuleGone,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prolonged => "its tag is kept for longer",
            Self::Shortened => {
                "its tag is not kept for as long any more; it stays at least as long as it was promised when it was made"
            }
            Self::ForEver => "it has no expiry time",
            Self::Unchanged => "its tag is kept as long as before",
            Self::PromiseHolds => {
                "its tag is kept for less, but what it was promised when it was made holds"
            }
            Self::RuleGone => {
                "its tag has no retention rule any more, but what it was promised when it was made holds"
            }
        })
    }
}

/// What an edit means for a recovery point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edited {
    /// When its time is over by the policy as it is; none means never.
    pub before: Option<Timestamp>,
    /// When it would be by the edited one.
    pub after: Option<Timestamp>,
    /// What that is, and why.
    pub effect: Effect,
}

/// What replacing `old` by `new` means for a point with this tag that was promised to stay until
/// `promised` when it was made at `created`.
#[must_use]
pub fn edited(
    (old, new): (&BackupPolicy, &BackupPolicy),
    tag: &str,
    created: Timestamp,
    promised: Option<Timestamp>,
) -> Edited {
    let before = old.expiry(tag, created, promised);
    let after = new.expiry(tag, created, promised);
    let effect = match (before, after) {
        (Some(before), Some(after)) if after > before => Effect::Prolonged,
        (Some(before), Some(after)) if after < before => Effect::Shortened,
        (None, _) | (_, None) => Effect::ForEver,
        _ => same(new, tag, created, after),
    };
    Edited {
        before,
        after,
        effect,
    }
}

/// Why the time of a point stays what it was.
fn same(new: &BackupPolicy, tag: &str, created: Timestamp, until: Option<Timestamp>) -> Effect {
    let rule = new
        .retention
        .iter()
        .find(|rule| rule.name.eq_ignore_ascii_case(tag));
    match rule {
        None => Effect::RuleGone,
        Some(rule) if rule.kept_until(created) < until => Effect::PromiseHolds,
        Some(_) => Effect::Unchanged,
    }
}
