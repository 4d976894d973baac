//! Who does the work when several servers share one catalogue.
//!
//! Contract: a lease is a row that its holder renews. Nobody compares clocks: a server takes another's lease
//! when it saw it unchanged for [`DURATION`] by its own clock that only goes forward, and a holder stops when
//! its last renewal began [`RENEW_DEADLINE`] ago. Each change of hands counts the term up; whatever is written
//! under an older term is refused by the store, so that a holder that was asleep does no harm.
//!
//! The times are those of Kubernetes' own leader election:
//! <https://pkg.go.dev/k8s.io/client-go/tools/leaderelection#LeaderElectionConfig>.

use std::time::Duration;

use uuid::Uuid;

/// How long a lease that is not renewed is respected by others.
pub const DURATION: Duration = Duration::from_secs(15);

/// How long after the beginning of its last renewal a holder goes on. What lies between this and [`DURATION`]
/// is for stopping what is under way, and for clocks that do not go equally fast.
pub const RENEW_DEADLINE: Duration = Duration::from_secs(10);

/// How often a server renews what it holds and looks at what others hold.
pub const RETRY_PERIOD: Duration = Duration::from_secs(2);

/// A lease as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The server that has it; none: it was given back.
    pub holder: Option<Uuid>,
    /// How often it changed hands.
    pub term: u64,
    /// How often it was renewed in this term.
    pub renewals: u64,
}

impl Lease {
    /// The lease of nobody, before its first term.
    pub const FREE: Self = Self {
        holder: None,
        term: 0,
        renewals: 0,
    };

    /// The same, given back.
    #[must_use]
    pub fn given_back(self) -> Self {
        Self {
            holder: None,
            ..self
        }
    }

    fn renewed(self) -> Self {
        Self {
            renewals: self.renewals + 1,
            ..self
        }
    }

    fn taken_by(self, server: Uuid) -> Self {
        Self {
            holder: Some(server),
            term: self.term + 1,
            renewals: 0,
        }
    }
}

/// What a server does with a lease that it looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It holds it, and writes this.
    Renew(Lease),
    /// It takes it, and writes this.
    Take(Lease, Vacancy),
    /// Another server holds it.
    Respect {
        /// Which.
        holder: Uuid,
    },
}

/// Why a lease can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vacancy {
    /// Nobody has it.
    Free,
    /// An earlier process of this server had it, which is gone: two of one data directory cannot run.
    Own,
    /// Its holder has not renewed it for [`DURATION`].
    Silent {
        /// The server that had it.
        holder: Uuid,
    },
}

impl std::fmt::Display for Vacancy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Free => f.write_str("no server had it"),
            Self::Own => f.write_str("this server had it before it started again"),
            Self::Silent { holder } => {
                write!(f, "server {holder} had it and did not renew it in time")
            }
        }
    }
}

/// What `server` does with a lease that it has seen unchanged for so long, when it holds that of this term.
#[must_use]
pub fn claim(server: Uuid, held: Option<u64>, stored: Lease, unchanged_for: Duration) -> Claim {
    match stored.holder {
        None => Claim::Take(stored.taken_by(server), Vacancy::Free),
        Some(holder) if holder == server && held == Some(stored.term) => {
            Claim::Renew(stored.renewed())
        }
        Some(holder) if holder == server => Claim::Take(stored.taken_by(server), Vacancy::Own),
        Some(holder) if unchanged_for >= DURATION => {
            Claim::Take(stored.taken_by(server), Vacancy::Silent { holder })
        }
        Some(holder) => Claim::Respect { holder },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    fn held_by_one() -> Lease {
        Lease {
            holder: Some(ONE),
            term: 3,
            renewals: 7,
        }
    }

    #[test]
    fn a_free_lease_is_taken_with_a_new_term() {
        let Claim::Take(taken, Vacancy::Free) = claim(ONE, None, Lease::FREE, Duration::ZERO)
        else {
            panic!("not taken");
        };
        assert_eq!((taken.holder, taken.term), (Some(ONE), 1));
        let back = taken.given_back();
        let Claim::Take(again, Vacancy::Free) = claim(OTHER, None, back, Duration::ZERO) else {
            panic!("not taken");
        };
        assert_eq!((again.holder, again.term), (Some(OTHER), 2));
    }

    #[test]
    fn its_holder_renews_it_however_long_it_slept_unless_it_lost_it() {
        let renewed = claim(ONE, Some(3), held_by_one(), DURATION * 9);
        let expected = Lease {
            renewals: 8,
            ..held_by_one()
        };
        assert_eq!(renewed, Claim::Renew(expected));
        let lost = Lease {
            holder: Some(OTHER),
            term: 4,
            renewals: 0,
        };
        let respected = claim(ONE, Some(3), lost, Duration::ZERO);
        assert_eq!(respected, Claim::Respect { holder: OTHER });
    }

    #[test]
    fn a_server_that_starts_again_takes_its_own_at_once_with_a_new_term() {
        let claimed = claim(ONE, None, held_by_one(), Duration::ZERO);
        let Claim::Take(taken, Vacancy::Own) = claimed else {
            panic!("{claimed:?}");
        };
        assert_eq!(taken.term, 4);
    }

    #[test]
    fn another_servers_is_respected_until_it_was_silent_for_the_whole_time() {
        let early = claim(OTHER, None, held_by_one(), DURATION - RETRY_PERIOD);
        assert_eq!(early, Claim::Respect { holder: ONE });
        let claimed = claim(OTHER, None, held_by_one(), DURATION);
        let Claim::Take(taken, Vacancy::Silent { holder: ONE }) = claimed else {
            panic!("{claimed:?}");
        };
        assert_eq!((taken.holder, taken.term), (Some(OTHER), 4));
    }

    #[test]
    fn a_holder_stops_before_anyone_else_may_begin() {
        const { assert!(RENEW_DEADLINE.as_secs() + RETRY_PERIOD.as_secs() < DURATION.as_secs()) };
    }
}
