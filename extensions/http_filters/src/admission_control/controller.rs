//! How many requests of the last while succeeded. No clock: it is told the time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long one sample is.
const SAMPLE: Duration = Duration::from_secs(1);

/// The requests of a sliding window, in samples of a second.
#[derive(Debug)]
pub struct Controller {
    window: Duration,
    samples: VecDeque<(Instant, u64, u64)>,
    requests: u64,
    successes: u64,
}

impl Controller {
    /// An empty window.
    pub fn new(window: Duration) -> Self {
        Self {
            window,
            samples: VecDeque::new(),
            requests: 0,
            successes: 0,
        }
    }

    /// Records a request.
    pub fn record(&mut self, success: bool, now: Instant) {
        self.forget(now);
        let is_new = self
            .samples
            .back()
            .is_none_or(|(since, ..)| now.saturating_duration_since(*since) >= SAMPLE);
        if is_new {
            self.samples.push_back((now, 0, 0));
        }
        if let Some((_, requests, successes)) = self.samples.back_mut() {
            *requests += 1;
            *successes += u64::from(success);
        }
        self.requests += 1;
        self.successes += u64::from(success);
    }

    /// How many requests there were in the window, and how many of them succeeded.
    pub fn counts(&mut self, now: Instant) -> (u64, u64) {
        self.forget(now);
        (self.requests, self.successes)
    }

    /// Requests a second, on average.
    pub fn average_rps(&mut self, now: Instant) -> u64 {
        self.forget(now);
        let Some((since, ..)) = self.samples.front() else {
            return 0;
        };
        let seconds = now.saturating_duration_since(*since).as_secs().max(1);
        self.requests / seconds
    }

    fn forget(&mut self, now: Instant) {
        while let Some((since, requests, successes)) = self.samples.front() {
            if now.saturating_duration_since(*since) < self.window {
                break;
            }
            self.requests -= requests;
            self.successes -= successes;
            self.samples.pop_front();
        }
    }
}
