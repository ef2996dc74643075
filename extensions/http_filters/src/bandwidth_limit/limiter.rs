//! A body, held back to a rate that it shares with others. No I/O and no clock: it is told the
//! time.

use nuncio_base::Buffer;
use nuncio_base::token_bucket::TokenBucket;
use std::time::{Duration, Instant};

/// What waits of one body.
#[derive(Debug)]
pub(super) struct Limiter {
    held: Buffer,
    ended: bool,
    /// When the first piece came.
    pub started: Instant,
    /// Since when something has waited.
    waits_since: Option<Instant>,
    /// How long something waited, in all.
    pub waited: Duration,
}

/// What may go now.
pub(super) struct Allowed {
    pub data: Buffer,
    pub end: bool,
    /// When to ask again, if something still waits.
    pub again: Option<Duration>,
}

impl Limiter {
    pub fn new(now: Instant) -> Self {
        Self {
            held: Buffer::new(),
            ended: false,
            started: now,
            waits_since: None,
            waited: Duration::ZERO,
        }
    }

    /// Takes a piece of body in.
    pub fn push(&mut self, data: &mut Buffer, end: bool) {
        self.held.append(data);
        self.held.compact();
        self.ended |= end;
    }

    /// Takes what the bucket has tokens for, each of so many bytes.
    pub fn take(&mut self, bucket: &TokenBucket, bytes: usize, now: Instant) -> Allowed {
        let wanted = self.held.len().div_ceil(bytes);
        let mut tokens = 0;
        while tokens < wanted && bucket.take(1, now) {
            tokens += 1;
        }
        let len = tokens.saturating_mul(bytes).min(self.held.len());
        let data = self.held.split_to(len);
        let again = (!self.held.is_empty()).then(|| bucket.next_token(now));
        match (again, self.waits_since) {
            (Some(_), None) => self.waits_since = Some(now),
            (None, Some(since)) => {
                self.waited += now.saturating_duration_since(since);
                self.waits_since = None;
            }
            _ => {}
        }
        Allowed {
            data,
            end: self.ended && self.held.is_empty(),
            again,
        }
    }

    /// How many bytes wait.
    pub fn held(&self) -> usize {
        self.held.len()
    }
}
