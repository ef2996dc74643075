//! When a connection is asked for a sign of life (`connection_keepalive`).

use nuncio_codec::h2::KeepAlive;
use nuncio_worker::Worker;
use std::time::{Duration, Instant};

/// The times of a connection's PINGs.
pub(super) struct KeepAliveTimer {
    settings: Option<KeepAlive>,
    next: Option<Instant>,
    /// When the answer to the last is overdue.
    due: Option<Instant>,
}

impl KeepAliveTimer {
    pub fn new(settings: Option<KeepAlive>, worker: &Worker) -> Self {
        let mut timer = Self {
            settings,
            next: None,
            due: None,
        };
        timer.schedule(worker);
        timer
    }

    fn schedule(&mut self, worker: &Worker) {
        self.next = self.settings.and_then(|settings| {
            let interval = settings.interval?;
            let longest = interval.as_millis() as u64 * u64::from(settings.jitter_percent) / 100;
            let jitter = if longest > 0 {
                worker.random() % longest
            } else {
                0
            };
            Some(worker.now() + interval + Duration::from_millis(jitter))
        });
    }

    /// Something came: the peer is alive.
    pub fn received(&mut self, now: Instant) {
        if let (Some(due), Some(settings)) = (&mut self.due, self.settings) {
            *due = now + settings.timeout;
        }
    }

    /// The answer came.
    pub fn answered(&mut self, worker: &Worker) {
        self.due = None;
        self.schedule(worker);
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.due.or(self.next)
    }

    /// What is due now: `Some(true)`, the end of the connection; `Some(false)`, a PING.
    pub fn on_time(&mut self, worker: &Worker) -> Option<bool> {
        let now = worker.now();
        if self.due.is_some_and(|due| due <= now) {
            return Some(true);
        }
        let settings = self.settings?;
        if self.due.is_none() && self.next.is_some_and(|next| next <= now) {
            self.due = Some(now + settings.timeout);
            return Some(false);
        }
        None
    }
}
