//! A token bucket that all workers share: filled all the time, by atomics alone
//! (`envoy.type.v3.TokenBucket`).

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A token bucket. What it holds is told by one moment: the one at which it was empty.
#[derive(Debug)]
pub struct TokenBucket {
    start: Instant,
    /// Nanoseconds from one token to the next.
    per_token: f64,
    /// Nanoseconds from empty to full.
    capacity: u64,
    /// When it was empty, in nanoseconds since `start` less the capacity.
    empty_at: AtomicU64,
}

impl TokenBucket {
    /// A full bucket of `max` tokens that gets `per_fill` of them, spread evenly, in each
    /// `interval`.
    pub fn new(max: u32, per_fill: u32, interval: Duration, now: Instant) -> Self {
        let per_token = interval.as_nanos() as f64 / f64::from(per_fill.max(1));
        Self {
            start: now,
            per_token,
            // The cast stops at the largest number.
            capacity: (per_token * f64::from(max)) as u64,
            empty_at: AtomicU64::new(0),
        }
    }

    /// Takes `count` tokens if they are there.
    pub fn take(&self, count: u32, now: Instant) -> bool {
        let price = (self.per_token * f64::from(count)) as u64;
        let now = self.moment(now);
        let mut empty_at = self.empty_at.load(Relaxed);
        loop {
            // It is never fuller than full.
            let from = empty_at.max(now.saturating_sub(self.capacity));
            let Some(next) = from.checked_add(price).filter(|next| *next <= now) else {
                return false;
            };
            let swapped = self
                .empty_at
                .compare_exchange_weak(empty_at, next, Relaxed, Relaxed);
            match swapped {
                Ok(_) => return true,
                Err(current) => empty_at = current,
            }
        }
    }

    /// How many whole tokens there are.
    pub fn remaining(&self, now: Instant) -> u64 {
        let filled = self.moment(now).saturating_sub(self.empty_at.load(Relaxed));
        // Half a nanosecond more than is there, so that a full bucket isn't counted one short.
        ((filled.min(self.capacity) as f64 + 0.5) / self.per_token) as u64
    }

    /// How long until the next token.
    pub fn next_token(&self, now: Instant) -> Duration {
        let filled = self.moment(now).saturating_sub(self.empty_at.load(Relaxed));
        let missing = self.per_token - (filled as f64 % self.per_token);
        Duration::from_nanos(missing as u64)
    }

    fn moment(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.start).as_nanos();
        u64::try_from(since)
            .unwrap_or(u64::MAX)
            .saturating_add(self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_full_and_fills_evenly() {
        let start = crate::time::monotonic();
        let at = |millis| start + Duration::from_millis(millis);
        let bucket = TokenBucket::new(2, 1, Duration::from_secs(2), start);
        assert_eq!(bucket.remaining(at(0)), 2);
        for (millis, expected) in [
            (0, true),
            (0, true),
            (0, false),
            (1999, false),
            (2000, true),
            (2100, false),
            // Two fill intervals are what it holds at most.
            (60_000, true),
            (60_000, true),
            (60_000, false),
        ] {
            assert_eq!(bucket.take(1, at(millis)), expected, "{millis}");
        }
        assert_eq!(bucket.remaining(at(60_000)), 0);
        assert_eq!(bucket.next_token(at(60_500)), Duration::from_millis(1500));
        assert!(!bucket.take(3, at(600_000)), "more than it holds");
    }

    #[test]
    fn extremes_do_not_overflow() {
        let start = crate::time::monotonic();
        let bucket = TokenBucket::new(u32::MAX, 1, Duration::from_secs(1 << 32), start);
        assert!(bucket.take(1, start));
        let none = TokenBucket::new(0, 1, Duration::from_secs(1), start);
        assert!(!none.take(1, start + Duration::from_secs(100)));
    }
}
