//! Randomness as an argument. Everything random in the repository (nonces, names of marks) is drawn
//! from a stream seeded once from an [`Entropy`], so that tests and the simulation are repeatable.

use std::sync::atomic::{AtomicU64, Ordering};

use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// A source of random bytes fit for keys and nonces.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` wholly, or fails.
    fn fill(&self, bytes: &mut [u8]) -> Result<()>;
}

/// The operating system's random numbers, by way of aws-lc.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// The one place of this crate where real randomness comes from.
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        aws_lc_rs::rand::fill(bytes).map_err(|_| Error::Internal {
            doing: "asking the system for random bytes",
            why: "it gave none".into(),
        })
    }
}

/// A stream of random bytes: BLAKE3 keyed by 32 bytes of entropy over a counter. Two draws never
/// share a counter value, so the stream is as good as its seed.
pub(crate) struct RandomStream {
    seed: Zeroizing<[u8; 32]>,
    counter: AtomicU64,
}

impl RandomStream {
    pub(crate) fn new(entropy: &dyn Entropy) -> Result<Self> {
        let mut seed = Zeroizing::new([0; 32]);
        entropy.fill(seed.as_mut())?;
        Ok(Self {
            seed,
            counter: AtomicU64::new(0),
        })
    }

    /// The next `N` (at most 32) bytes of the stream.
    pub(crate) fn draw<const N: usize>(&self) -> [u8; N] {
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        let block = blake3::keyed_hash(&self.seed, &count.to_be_bytes());
        let mut out = [0; N];
        for (to, from) in out.iter_mut().zip(block.as_bytes()) {
            *to = *from;
        }
        out
    }
}
