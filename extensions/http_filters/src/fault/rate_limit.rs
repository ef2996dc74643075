//! A response's body, held back to a rate. No I/O and no clock: it is told the time.

use nuncio_base::Buffer;
use std::time::{Duration, Instant};

/// How often what may go is sent, as Envoy's `StreamRateLimiter` does.
pub(super) const INTERVAL: Duration = Duration::from_millis(50);

/// A token bucket of a second's worth, with what waits for tokens.
#[derive(Debug)]
pub(super) struct ResponseLimiter {
    /// Bytes a second.
    rate: f64,
    tokens: f64,
    filled_at: Instant,
    held: Buffer,
    ended: bool,
}

impl ResponseLimiter {
    /// A limit in KiB a second. Like Envoy's, the bucket begins with one interval's worth.
    pub fn new(kbps: u64, now: Instant) -> Self {
        let rate = kbps as f64 * 1024.0;
        Self {
            rate,
            tokens: rate * INTERVAL.as_secs_f64(),
            filled_at: now,
            held: Buffer::new(),
            ended: false,
        }
    }

    /// Takes a piece of body in.
    pub fn push(&mut self, data: &mut Buffer, end: bool) {
        self.held.append(data);
        self.held.compact();
        self.ended |= end;
    }

    /// What may go now, and whether it is the end.
    pub fn take(&mut self, now: Instant) -> (Buffer, bool) {
        let elapsed = now.saturating_duration_since(self.filled_at);
        self.filled_at = now;
        self.tokens = (self.tokens + elapsed.as_secs_f64() * self.rate).min(self.rate);
        let bytes = (self.tokens as usize).min(self.held.len());
        self.tokens -= bytes as f64;
        let piece = self.held.split_to(bytes);
        (piece, self.ended && self.held.is_empty())
    }

    /// How many bytes wait.
    pub fn held(&self) -> usize {
        self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_at_the_rate() {
        let start = nuncio_base::time::monotonic();
        let mut limiter = ResponseLimiter::new(1, start);
        limiter.push(&mut vec![0; 2048].into(), true);
        let mut sent = Vec::new();
        for step in 0..100 {
            let (piece, end) = limiter.take(start + INTERVAL * step);
            sent.push(piece.len());
            if end {
                break;
            }
        }
        assert_eq!(sent.iter().sum::<usize>(), 2048);
        assert_eq!(sent.len(), 40);
        assert!(
            sent.iter().all(|bytes| (51..=52).contains(bytes)),
            "{sent:?}"
        );
    }

    #[test]
    fn no_more_than_a_second_is_saved_up() {
        let start = nuncio_base::time::monotonic();
        let mut limiter = ResponseLimiter::new(1, start);
        limiter.push(&mut vec![0; 3000].into(), false);
        let (piece, end) = limiter.take(start + Duration::from_secs(60));
        assert_eq!((piece.len(), end, limiter.held()), (1024, false, 1976));
    }
}
