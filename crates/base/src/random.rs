//! Randomness: one seeded generator per worker, and the ids made from it.

use crate::hex;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A worker's random numbers: a cryptographically strong generator, since request ids and load
/// balancing must not be foreseeable by clients. Seeded from the system, or by a test.
pub struct Random(ChaCha12Rng);

impl Random {
    /// A generator seeded by the operating system.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn from_system() -> std::io::Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(std::io::Error::other)?;
        Ok(Self(ChaCha12Rng::from_seed(seed)))
    }

    /// A generator that repeats itself for a seed.
    pub fn seeded(seed: u64) -> Self {
        Self(ChaCha12Rng::seed_from_u64(seed))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, which is at least 1.
    pub fn below(&mut self, bound: u64) -> u64 {
        // As Envoy does: the bias of the remainder is below 2^-32 for the bounds in use.
        self.bits() % bound.max(1)
    }

    /// A version 4 UUID as lower-case text (RFC 9562 section 5.4).
    pub fn uuid(&mut self) -> [u8; 36] {
        uuid_of(self.bits(), self.bits())
    }
}

/// A version 4 UUID as lower-case text (RFC 9562 section 5.4), of 128 random bits.
pub fn uuid_of(high: u64, low: u64) -> [u8; 36] {
    let high = (high & !0xf000) | 0x4000;
    let low = (low & (u64::MAX >> 2)) | (1 << 63);
    let bytes = ((u128::from(high) << 64) | u128::from(low)).to_be_bytes();
    let mut text = [b'-'; 36];
    // Where each byte's two digits go: the dashes are behind bytes 4, 6, 8 and 10.
    const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    for (byte, at) in bytes.into_iter().zip(PLACES) {
        let digits = hex::PAIRS[usize::from(byte)];
        (text[at], text[at + 1]) = (digits[0], digits[1]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_have_version_and_variant() {
        let mut random = Random::seeded(7);
        for _ in 0..100 {
            let uuid = random.uuid();
            let text = std::str::from_utf8(&uuid).unwrap();
            assert_eq!(
                text.split('-').map(str::len).collect::<Vec<_>>(),
                [8, 4, 4, 4, 12]
            );
            assert!(
                text[14..].starts_with('4') && "89ab".contains(&text[19..20]),
                "{text}"
            );
        }
    }

    #[test]
    fn a_seed_repeats() {
        let (mut a, mut b) = (Random::seeded(1), Random::seeded(1));
        assert_eq!([a.bits(), a.below(10)], [b.bits(), b.below(10)]);
    }
}
