//! The last answer of the service behind the proxy, kept for a while (`cache_time`).

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The answer, for all workers. It is forgotten at the end of each period, as Envoy's timer does.
#[derive(Debug)]
pub(super) struct ResponseCache {
    period: Duration,
    start: Instant,
    /// The period's number, counted from 1, above; then whether it was degraded; then the status.
    answer: AtomicU64,
}

impl ResponseCache {
    /// Nothing known yet. `period` is above zero.
    pub fn new(period: Duration, start: Instant) -> Self {
        Self {
            period,
            start,
            answer: AtomicU64::new(0),
        }
    }

    fn number(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.start).as_nanos();
        1 + (elapsed / self.period.as_nanos().max(1)) as u64
    }

    /// Keeps an answer.
    pub fn set(&self, now: Instant, status: u16, degraded: bool) {
        let answer = self.number(now) << 17 | u64::from(degraded) << 16 | u64::from(status);
        self.answer.store(answer, Relaxed);
    }

    /// The status of the answer of this period, and whether it was degraded.
    pub fn get(&self, now: Instant) -> Option<(u16, bool)> {
        let answer = self.answer.load(Relaxed);
        let known = answer >> 17 == self.number(now);
        known.then_some((answer as u16, answer >> 16 & 1 == 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_lasts_until_its_period_ends() {
        let start = nuncio_base::time::monotonic();
        let cache = ResponseCache::new(Duration::from_secs(10), start);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(cache.get(at(0)), None);
        cache.set(at(3), 503, true);
        assert_eq!(cache.get(at(9)), Some((503, true)));
        assert_eq!(cache.get(at(10)), None);
        cache.set(at(20), 200, false);
        assert_eq!(cache.get(at(29)), Some((200, false)));
    }
}
