//! What a connection's manager holds whatever HTTP version is spoken.

use crate::conn_manager::counted::CountedConnection;
use crate::conn_manager::local::HcmLocal;
use crate::conn_manager::stream::ActiveStream;
use crate::conn_manager::summary::ConnectionSummary;
use bytes::{Bytes, BytesMut};
use nuncio_base::Buffer;
use nuncio_base::time::millis;
use nuncio_net::drain::DrainDecision;
use nuncio_net::overload::Shedding;
use nuncio_net::{ConnCx, NewConnection};
use nuncio_stream_info::{ConnectionInfo, Protocol};
use nuncio_worker::{Timer, Worker};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What is left of a read is copied out of its block where it is no longer than this.
const SMALL_REST: usize = 4096;

/// The state of a connection.
pub(super) struct Connection {
    pub local: Rc<HcmLocal>,
    pub drain: Rc<DrainDecision>,
    /// How long it may last.
    pub max_duration: Option<Duration>,
    info: Rc<ConnectionInfo>,
    /// Received and not yet decoded.
    pub input: Bytes,
    /// Since when there is no stream.
    pub idle_since: Instant,
    pub requests: u64,
    /// The connection ends after the responses under way.
    pub draining: bool,
    pub closed: bool,
    pub timer: Timer,
    /// When a connection that has lasted long enough is closed if no request comes.
    pub drain_until: Option<Instant>,
    pub summary: ConnectionSummary,
    _counted: CountedConnection,
}

/// How long a new connection may last: by chance longer than another, so that those that came
/// together don't end together.
fn max_duration(local: &HcmLocal) -> Option<Duration> {
    let timeouts = &local.spec.timeouts;
    let limit = timeouts.max_connection_duration?;
    let percent = timeouts.max_connection_duration_jitter;
    Some(with_jitter(limit, percent, &local.worker))
}

/// A time made longer by chance, by so many percent at most.
fn with_jitter(time: Duration, percent: f64, worker: &Worker) -> Duration {
    let most = (millis(time) as f64 * percent / 100.0).ceil() as u64;
    match most {
        0 => time,
        most => time.saturating_add(Duration::from_millis(worker.random() % most)),
    }
}

impl Connection {
    pub fn new(local: &Rc<HcmLocal>, connection: &NewConnection<'_>) -> Self {
        Self {
            local: Rc::clone(local),
            drain: Rc::clone(connection.drain),
            max_duration: max_duration(local),
            info: Rc::clone(connection.info),
            summary: ConnectionSummary::of(connection.info),
            _counted: CountedConnection::new(local, connection),
            input: Bytes::new(),
            idle_since: local.worker.now(),
            requests: 0,
            draining: false,
            closed: false,
            timer: Timer::default(),
            drain_until: None,
        }
    }

    /// Adds what was received.
    pub fn receive(&mut self, data: &mut Buffer) {
        let stats = &self.local.stats;
        stats.downstream_cx_rx_bytes_total().add(data.len() as u64);
        if self.input.is_empty() {
            self.input = data.to_bytes();
        } else {
            let mut joined = BytesMut::with_capacity(self.input.len() + data.len());
            joined.extend_from_slice(&self.input);
            data.slices()
                .for_each(|slice| joined.extend_from_slice(slice));
            self.input = joined.freeze();
        }
        data.clear();
    }

    /// What waits for its rest must not pin a whole read block; nor may an empty rest, for as long
    /// as the connection is idle.
    pub fn release_block(&mut self) {
        if self.input.len() <= SMALL_REST {
            self.input = Bytes::copy_from_slice(&self.input);
        }
    }

    pub fn new_stream(&self, cx: &ConnCx<'_>, protocol: Protocol) -> Box<ActiveStream> {
        ActiveStream::new(&self.local, Rc::clone(cx.info()), protocol)
    }

    /// Ends a stream.
    pub fn finish(&self, mut stream: ActiveStream) {
        self.summary.add(&mut stream);
        stream.finish(&self.local);
    }

    /// How long the connection waits before it is closed, once it drains.
    pub fn drain_time(&self) -> Duration {
        let timeouts = &self.local.spec.timeouts;
        match timeouts.drain_jitter > 0.0 {
            true => with_jitter(timeouts.drain, timeouts.drain_jitter, &self.local.worker),
            false => timeouts.drain,
        }
    }

    /// Counts a request; whether it is the last that the connection may carry.
    pub fn count_request(&mut self) -> bool {
        self.requests += 1;
        let is_last = self.had_last_request();
        if is_last {
            self.local.stats.downstream_cx_max_requests_reached().inc();
        }
        is_last
    }

    /// Whether it has carried as many requests as it may.
    pub fn had_last_request(&self) -> bool {
        let limit = self.local.spec.max_requests_per_connection;
        limit != 0 && self.requests >= limit
    }

    /// Whether the listener drains, and this connection's turn has come, or connections are not to
    /// last; counted.
    pub fn is_asked_to_drain(&self) -> bool {
        if self.local.sheds(Shedding::KeepAlive, &self.info) {
            let stats = &self.local.stats;
            stats.downstream_cx_overload_disable_keepalive().inc();
            return true;
        }
        let asked = self.drain.close(&self.local.worker);
        if asked {
            self.local.stats.downstream_cx_drain_close().inc();
        }
        asked
    }
}
