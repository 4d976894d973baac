//! Time, randomness and ids as arguments: everything in this crate that needs one of them asks
//! [`Clock`] or [`Entropy`], so that a test decides what time it is and which ids come next.
//!
//! The real ones stand here and nowhere else.

use jiff::Timestamp;
use uuid::Uuid;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// Gives randomness fit for keys.
pub trait Entropy: Send + Sync {
    /// Fills `buffer` with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}

impl dyn Entropy + '_ {
    /// A random (version 4) UUID.
    #[must_use]
    pub fn id(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the server reads the wall clock"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The operating system's random numbers.
#[derive(Debug, Clone, Copy)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the server draws randomness"
    )]
    fn fill(&self, buffer: &mut [u8]) {
        use rand::RngCore as _;
        // Seeded and reseeded by the operating system; a cryptographically secure generator.
        rand::rng().fill_bytes(buffer);
    }
}
