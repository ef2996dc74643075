//! How long to wait before a stream is opened again.

use nuncio_base::random::Random;
use std::time::Duration;

/// The bound of the first wait and of every wait, as Envoy's, in milliseconds.
const FIRST: u64 = 500;
const MOST: u64 = 30_000;

/// Waits that grow with each failure in a row, at random below a bound.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next wait.
    pub fn next(&mut self, random: &mut Random) -> Duration {
        let factor = 1u64.checked_shl(self.failures).unwrap_or(u64::MAX);
        self.failures = self.failures.saturating_add(1).min(16);
        let bound = FIRST.saturating_mul(factor).min(MOST);
        Duration::from_millis(random.below(bound).max(1))
    }

    /// Something came: the next failure is the first again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound() {
        let mut random = Random::seeded(1);
        let mut backoff = Backoff::default();
        for _ in 0..2 {
            for bound in [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
                assert!(backoff.next(&mut random) <= Duration::from_millis(bound));
            }
            backoff.reset();
        }
        let longest = (0..200).map(|_| backoff.next(&mut random)).max();
        assert!(longest > Some(Duration::from_secs(25)));
    }
}
