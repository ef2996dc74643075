//! Rapid resets (CVE-2023-44487): clients that open streams only to reset them.

use nuncio_base::runtime_flags::RuntimeFlags;
use std::time::Duration;

/// A stream that was reset before it was answered, within so many seconds, was opened in vain:
/// the runtime's key, and what holds without it.
const SHORT: (&str, u64) = ("overload.premature_reset_min_stream_lifetime_seconds", 1);
/// From so many streams on, half of them may not be.
const TOTAL: (&str, u64) = ("overload.premature_reset_total_stream_count", 500);

/// Counts the streams of a connection that have ended.
#[derive(Default)]
pub(super) struct PrematureResets {
    ended: u64,
    premature: u64,
}

impl PrematureResets {
    /// A stream has ended.
    pub fn count(&mut self) {
        self.ended += 1;
    }

    /// The client has reset a stream; with its age where it was unanswered. Whether the connection
    /// must end: half of its streams were opened in vain, or will be whatever follows.
    pub fn count_reset(&mut self, unanswered: Option<Duration>, flags: &RuntimeFlags) -> bool {
        self.count();
        let [short, total] = [SHORT, TOTAL].map(|(key, default)| flags.integer(key, default));
        if unanswered.is_some_and(|age| age <= Duration::from_secs(short)) {
            self.premature += 1;
        }
        self.premature.saturating_mul(2) >= self.ended.max(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_base::runtime_flags::FlagValue;

    #[test]
    fn half_of_the_streams_may_be_reset_early() {
        let none = RuntimeFlags::default();
        let layer = [(TOTAL.0, 4), (SHORT.0, 10)];
        let layer = layer.map(|(key, number)| (key.to_owned(), FlagValue::Number(number as f64)));
        let set = RuntimeFlags::merged([&layer[..]]);
        let ends_at = |reset_every: u64, age: Duration, flags: &RuntimeFlags| {
            let mut resets = PrematureResets::default();
            (1..2000_u64).find(|n| {
                let is_reset = n % reset_every == 0;
                resets.count_reset(is_reset.then_some(age), flags)
            })
        };
        let [now, later] = [0, 2].map(Duration::from_secs);
        for (every, age, flags, expected) in [
            (1, now, &none, Some(250)),
            (1, later, &none, None),
            (2, now, &none, Some(500)),
            (3, now, &none, None),
            (1, now, &set, Some(2)),
            (1, later, &set, Some(2)),
            (2, now, &set, Some(4)),
            (3, now, &set, None),
        ] {
            assert_eq!(
                ends_at(every, age, flags),
                expected,
                "every {every}th after {age:?}"
            );
        }
    }
}
