//! How the store finds its sources: names come from configuration, so that a hash need not stand
//! against those who choose them, and there are six for each cluster.

use std::hash::Hasher;

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Eight bytes a step, each mixed in by a multiplication whose halves are folded.
#[derive(Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.write_u64(u64::from_le_bytes(last));
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ MULTIPLIER) * u128::from(MULTIPLIER);
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(byte.into());
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_that_differ_little_differ_in_all_bits() {
        let hash = |number: u32| {
            let mut hasher = KeyHasher::default();
            hasher.write(format!("cluster.cluster_{number}.").as_bytes());
            hasher.finish()
        };
        for bits in [0, 20, 57] {
            let seen: HashSet<_> = (0..10_000).map(|n| (hash(n) >> bits) & 0x7f).collect();
            assert_eq!(seen.len(), 128, "from bit {bits}");
        }
        let whole: HashSet<_> = (0..10_000).map(hash).collect();
        assert_eq!(whole.len(), 10_000);
    }
}
