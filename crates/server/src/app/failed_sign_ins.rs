//! How often a sign-in may fail: a limit for each address, and one for each client.
//!
//! Contract: only failures count, so that whoever signs in properly is never slowed down by it. An address
//! with too many failures is refused before its secret is looked at. A client with too many failures, from
//! wherever, is refused to the addresses that failed lately and to no other: whoever has its secret and asks
//! from elsewhere is let in at once, however many guess. Each limit is a bucket of failures that empties at
//! a steady pace, kept as the one moment at which it will be empty (the generic cell rate algorithm,
//! <https://www.itu.int/rec/T-REC-I.371>); the clock is an argument. Memory is bounded: what is empty is
//! forgotten, and when there is no room the one that would be empty first is.
//!
//! All callers behind one proxy have one address, and share its limit. Each server process counts for itself.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::limits::{
    ADDRESS_FAILURE_EVERY, ADDRESS_FAILURES, CLIENT_FAILURE_EVERY, CLIENT_FAILURES,
    FAILED_ADDRESSES_KEPT, SERVICE_PRINCIPALS_MAX,
};

/// The failures of lately.
#[derive(Debug)]
pub struct FailedSignIns(Mutex<Buckets>);

#[derive(Debug)]
struct Buckets {
    addresses: Bucket<IpAddr>,
    clients: Bucket<Uuid>,
}

impl Default for FailedSignIns {
    fn default() -> Self {
        Self(Mutex::new(Buckets {
            addresses: Bucket::new(
                ADDRESS_FAILURES,
                ADDRESS_FAILURE_EVERY,
                FAILED_ADDRESSES_KEPT,
            ),
            clients: Bucket::new(
                CLIENT_FAILURES,
                CLIENT_FAILURE_EVERY,
                SERVICE_PRINCIPALS_MAX,
            ),
        }))
    }
}

impl FailedSignIns {
    /// In how many seconds this client may sign in from this address; none: now.
    pub fn wait(&self, client: Option<Uuid>, from: Option<IpAddr>, now: Timestamp) -> Option<u64> {
        let from = place(from);
        let buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = buckets.addresses.wait(&from, now);
        let of_client = client
            .filter(|_| buckets.addresses.holds(&from, now))
            .and_then(|client| buckets.clients.wait(&client, now));
        of_address.max(of_client)
    }

    /// Notes a failure; the client only if there is one of that id.
    pub fn note(&self, client: Option<Uuid>, from: Option<IpAddr>, now: Timestamp) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.addresses.note(place(from), now);
        if let Some(client) = client {
            buckets.clients.note(client, now);
        }
    }
}

/// An address as it is counted: of IPv6 the network of one subscriber (RFC 6177), which has more addresses
/// than anybody could keep.
fn place(address: Option<IpAddr>) -> IpAddr {
    match address {
        Some(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(address) => IpAddr::V4(address),
            None => {
                const NETWORK: u128 = u128::MAX << 64;
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK))
            }
        },
        Some(address) => address,
        None => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// Buckets of one kind of key.
#[derive(Debug)]
struct Bucket<K> {
    /// How long a full bucket takes until it is empty.
    full: SignedDuration,
    /// How long one failure takes to flow out.
    every: SignedDuration,
    most: usize,
    /// When each will be empty.
    empty_at: HashMap<K, Timestamp>,
}

impl<K: Hash + Eq + Copy> Bucket<K> {
    fn new(failures: u32, every: std::time::Duration, most: usize) -> Self {
        let every = SignedDuration::try_from(every).unwrap_or(SignedDuration::MAX);
        Self {
            full: every.saturating_mul(i32::try_from(failures).unwrap_or(i32::MAX)),
            every,
            most,
            empty_at: HashMap::new(),
        }
    }

    /// How much there is in it. A clock that was put back makes it no fuller than full.
    fn level(&self, key: &K, now: Timestamp) -> SignedDuration {
        let empty_at = self.empty_at.get(key);
        let left = empty_at.map_or(SignedDuration::ZERO, |at| at.duration_since(now));
        left.clamp(SignedDuration::ZERO, self.full)
    }

    /// Whether anything is in it.
    fn holds(&self, key: &K, now: Timestamp) -> bool {
        self.level(key, now) > SignedDuration::ZERO
    }

    /// Seconds until one more fits.
    fn wait(&self, key: &K, now: Timestamp) -> Option<u64> {
        let over = self.level(key, now) + self.every - self.full;
        let millis = u64::try_from(over.as_millis())
            .ok()
            .filter(|over| *over > 0)?;
        Some(millis.div_ceil(1000))
    }

    fn note(&mut self, key: K, now: Timestamp) {
        let level = (self.level(&key, now) + self.every).min(self.full);
        if !self.empty_at.contains_key(&key) && self.empty_at.len() >= self.most {
            self.make_room(now);
        }
        if let Ok(empty_at) = now.checked_add(level) {
            self.empty_at.insert(key, empty_at);
        }
    }

    fn make_room(&mut self, now: Timestamp) {
        self.empty_at.retain(|_, empty_at| *empty_at > now);
        if self.empty_at.len() >= self.most {
            let first = self.empty_at.iter().min_by_key(|(_, empty_at)| **empty_at);
            if let Some(key) = first.map(|(key, _)| *key) {
                self.empty_at.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: Option<Uuid> = Some(Uuid::from_u128(1));

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + i64::try_from(seconds).unwrap()).unwrap()
    }

    fn address(n: u32) -> Option<IpAddr> {
        Some(IpAddr::V4((0x0a00_0000 + n).into()))
    }

    #[test]
    fn an_address_that_fails_too_often_waits_and_others_do_not() {
        let failed = FailedSignIns::default();
        for _ in 0..ADDRESS_FAILURES {
            assert_eq!(failed.wait(CLIENT, address(1), at(0)), None);
            failed.note(None, address(1), at(0));
        }
        let every = ADDRESS_FAILURE_EVERY.as_secs();
        assert_eq!(failed.wait(CLIENT, address(1), at(0)), Some(every));
        assert_eq!(failed.wait(CLIENT, address(1), at(every - 1)), Some(1));
        assert_eq!(failed.wait(CLIENT, address(1), at(every)), None);
        assert_eq!(failed.wait(CLIENT, address(2), at(0)), None);
    }

    #[test]
    fn whoever_asks_from_elsewhere_is_let_in_however_many_guess() {
        let failed = FailedSignIns::default();
        for n in 0..10 * CLIENT_FAILURES {
            failed.note(CLIENT, address(n), at(0));
        }
        let every = CLIENT_FAILURE_EVERY.as_secs();
        assert_eq!(failed.wait(CLIENT, address(0), at(0)), Some(every));
        assert_eq!(failed.wait(CLIENT, address(1_000_000), at(0)), None);
        let other = Some(Uuid::from_u128(2));
        assert_eq!(
            failed.wait(other, address(0), at(0)),
            None,
            "another client"
        );
        assert_eq!(failed.wait(CLIENT, address(0), at(every)), None);
    }

    #[test]
    fn memory_is_bounded_and_what_is_fullest_stays() {
        let failed = FailedSignIns::default();
        for _ in 0..ADDRESS_FAILURES {
            failed.note(None, address(0), at(0));
        }
        for n in 0..500 + u32::try_from(FAILED_ADDRESSES_KEPT).unwrap() {
            failed.note(None, address(1 + n), at(0));
        }
        let kept = failed.0.lock().unwrap().addresses.empty_at.len();
        assert_eq!(kept, FAILED_ADDRESSES_KEPT);
        assert!(failed.wait(None, address(0), at(0)).is_some());
    }

    #[test]
    fn a_clock_that_is_put_back_locks_nobody_out_for_longer() {
        let failed = FailedSignIns::default();
        for _ in 0..100 {
            failed.note(CLIENT, address(1), at(1_000_000));
        }
        let wait = failed.wait(CLIENT, address(1), at(0)).unwrap();
        assert!(wait <= ADDRESS_FAILURE_EVERY.as_secs(), "{wait}");
    }

    #[test]
    fn a_network_of_a_subscriber_counts_as_one_address() {
        let of = |text: &str| place(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }
}
