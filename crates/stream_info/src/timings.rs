//! When the steps of a stream happened.

use std::time::{Duration, Instant, SystemTime};

/// Points in time of one stream; absent where it did not come that far.
#[derive(Clone, Debug)]
pub struct Timings {
    /// Wall time of the start.
    pub start_time: SystemTime,
    /// Monotonic time of the start.
    pub start: Instant,
    /// The last byte of the request was received.
    pub last_downstream_rx: Option<Instant>,
    /// The first byte of the request was sent upstream.
    pub first_upstream_tx: Option<Instant>,
    /// The last byte of the request was sent upstream.
    pub last_upstream_tx: Option<Instant>,
    /// The first byte of the response was received.
    pub first_upstream_rx: Option<Instant>,
    /// The first byte of the response's body was received.
    pub first_upstream_rx_body: Option<Instant>,
    /// The last byte of the response was received.
    pub last_upstream_rx: Option<Instant>,
    /// The first byte of the response was sent downstream.
    pub first_downstream_tx: Option<Instant>,
    /// The last byte of the response was sent downstream.
    pub last_downstream_tx: Option<Instant>,
    /// The end of the stream.
    pub end: Option<Instant>,
}

impl Timings {
    /// A stream that starts now.
    pub fn new(start_time: SystemTime, start: Instant) -> Self {
        Self {
            start_time,
            start,
            last_downstream_rx: None,
            first_upstream_tx: None,
            last_upstream_tx: None,
            first_upstream_rx: None,
            first_upstream_rx_body: None,
            last_upstream_rx: None,
            first_downstream_tx: None,
            last_downstream_tx: None,
            end: None,
        }
    }

    /// Forgets when what was sent upstream, and what came from there.
    pub(crate) fn forget_upstream(&mut self) {
        self.first_upstream_tx = None;
        self.last_upstream_tx = None;
        self.first_upstream_rx = None;
        self.first_upstream_rx_body = None;
        self.last_upstream_rx = None;
    }

    /// From the start to `point`.
    pub fn since_start(&self, point: Option<Instant>) -> Option<Duration> {
        point.map(|point| point.saturating_duration_since(self.start))
    }
}
