//! Rapid resets (CVE-2023-44487): clients that open streams only to reset them.

use std::time::Duration;

/// A stream that was reset before it was answered, within this time, was opened in vain
/// (`overload.premature_reset_min_stream_lifetime_seconds`).
const SHORT: Duration = Duration::from_secs(1);
/// From so many streams on, half of them may not be
/// (`overload.premature_reset_total_stream_count`).
const TOTAL: u64 = 500;

/// Counts the streams of a connection that have ended.
#[derive(Default)]
pub(super) struct PrematureResets {
    ended: u64,
    premature: u64,
}

impl PrematureResets {
    /// A stream has ended; with its age where the client reset it unanswered. Whether the
    /// connection must end: half of its streams were opened in vain, or will be whatever follows.
    pub fn count(&mut self, reset_at: Option<Duration>) -> bool {
        self.ended += 1;
        if reset_at.is_some_and(|age| age <= SHORT) {
            self.premature += 1;
        }
        self.premature * 2 >= self.ended.max(TOTAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_streams_may_be_reset_early() {
        let ends_at = |reset_every: u64, age: Duration| {
            let mut resets = PrematureResets::default();
            (1..2000_u64).find(|n| resets.count((n % reset_every == 0).then_some(age)))
        };
        for (every, age, expected) in [
            (1, Duration::ZERO, Some(250)),
            (1, SHORT * 2, None),
            (2, Duration::ZERO, Some(500)),
            (3, Duration::ZERO, None),
        ] {
            assert_eq!(
                ends_at(every, age),
                expected,
                "every {every}th after {age:?}"
            );
        }
    }
}
