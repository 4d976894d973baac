//! The server's randomness as the traits of `rand`, for libraries that take those.

use crate::environment::Entropy;

/// Randomness from an [`Entropy`], which is fit for keys.
pub(crate) struct Random<'a>(pub(crate) &'a dyn Entropy);

impl rand::RngCore for Random<'_> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
}

impl rand::CryptoRng for Random<'_> {}
