//! When a connection is asked for a sign of life (`connection_keepalive`).

use std::time::{Duration, Instant};

/// When PINGs are sent, and how long their answers may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// How often one is sent; `None`: never of itself.
    pub interval: Option<Duration>,
    /// One is sent before a request when nothing came for so long (clients only).
    pub idle_interval: Option<Duration>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// By how much an interval is lengthened at random at most, in percent.
    pub jitter_percent: u32,
}

/// What is due of a [`KeepAliveTimer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAliveDue {
    /// A PING is to be sent.
    Ping,
    /// The answer to the last did not come: the connection is to be closed.
    Timeout,
}

/// The times of a connection's PINGs.
#[derive(Debug)]
pub struct KeepAliveTimer {
    settings: Option<KeepAlive>,
    next: Option<Instant>,
    /// When the answer to the last is overdue.
    due: Option<Instant>,
}

impl KeepAliveTimer {
    /// The times of a new connection; `random` is any number.
    pub fn new(settings: Option<KeepAlive>, now: Instant, random: u64) -> Self {
        let mut timer = Self {
            settings,
            next: None,
            due: None,
        };
        timer.schedule(now, random);
        timer
    }

    fn schedule(&mut self, now: Instant, random: u64) {
        self.next = self.settings.and_then(|settings| {
            let interval = settings.interval?;
            let longest = interval.as_millis() as u64 * u64::from(settings.jitter_percent) / 100;
            let jitter = random.checked_rem(longest).unwrap_or(0);
            Some(now + interval + Duration::from_millis(jitter))
        });
    }

    /// Something came: the peer is alive.
    pub fn received(&mut self, now: Instant) {
        if let (Some(due), Some(settings)) = (&mut self.due, self.settings) {
            *due = now + settings.timeout;
        }
    }

    /// The answer came; `random` is any number.
    pub fn answered(&mut self, now: Instant, random: u64) {
        self.due = None;
        self.schedule(now, random);
    }

    /// A PING went out ahead of its time.
    pub fn asked(&mut self, now: Instant) {
        if let Some(settings) = self.settings {
            self.due.get_or_insert(now + settings.timeout);
        }
    }

    /// When to ask again what is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.due.or(self.next)
    }

    /// What is due now.
    pub fn on_time(&mut self, now: Instant) -> Option<KeepAliveDue> {
        if self.due.is_some_and(|due| due <= now) {
            return Some(KeepAliveDue::Timeout);
        }
        let settings = self.settings?;
        if self.due.is_none() && self.next.is_some_and(|next| next <= now) {
            self.due = Some(now + settings.timeout);
            return Some(KeepAliveDue::Ping);
        }
        None
    }
}
