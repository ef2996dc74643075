//! The task of an HTTP/2 connection: it reads for all streams, and writes what they send.

use super::client_stream::ClientStreamInfo;
use super::connect::Connected;
use super::counted::CountedConnection;
use super::http::HttpPool;
use super::http2_connection::Http2Connection;
use super::input::read_behind;
use bytes::Bytes;
use nuncio_base::Buffer;
use nuncio_codec::h2::{H2Event, KeepAliveDue, KeepAliveTimer};
use nuncio_codec::{HeaderPool, ResetReason};
use nuncio_net::{Transport, next_connection_id};
use nuncio_stream_info::Protocol;
use nuncio_worker::Timer;
use nuncio_worker::local_slot::LocalSlot;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// How often is read before others have their turn.
const READS_PER_TURN: usize = 4;
/// What waits for its rest is copied out of its read block where it is no longer than this.
const SMALL_REST: usize = 4096;
/// How much is encoded ahead of the socket where the cluster sets no limit, in bytes.
const UNLIMITED: usize = 1 << 20;

/// A connection's task.
pub(super) struct Http2Driver {
    pool: Rc<HttpPool>,
    connection: Rc<Http2Connection>,
    counted: CountedConnection,
    transport: Transport,
    headers: Rc<LocalSlot<HeaderPool>>,
    input: Bytes,
    out: Buffer,
    keep_alive: KeepAliveTimer,
    timer: Timer,
    /// When the connection is too old for another stream.
    expires: Option<Instant>,
}

impl Http2Driver {
    pub fn new(
        pool: &Rc<HttpPool>,
        connected: Connected,
        counted: CountedConnection,
        task: Waker,
    ) -> (Rc<Http2Connection>, Self) {
        let core = &pool.core;
        let (worker, http) = (&core.worker, &core.spec().http);
        let now = worker.now();
        let info = ClientStreamInfo {
            connection_id: next_connection_id(),
            local_address: connected.transport.socket().local_address(),
            remote_address: connected.address,
            protocol: Protocol::Http2,
            streams_before: 0,
            tls: connected.transport.tls().cloned(),
            connect_start: counted.connect_start,
            connect_end: counted.connect_end.unwrap_or(now),
        };
        let connection = Http2Connection::new(core, info, task);
        let driver = Self {
            pool: Rc::clone(pool),
            connection: Rc::clone(&connection),
            counted,
            transport: connected.transport,
            headers: worker.services().get_or_default(),
            input: Bytes::new(),
            out: Buffer::new(),
            keep_alive: KeepAliveTimer::new(http.http2.keep_alive, now, worker.random()),
            timer: Timer::default(),
            expires: http.max_connection_duration.map(|longest| now + longest),
        };
        (connection, driver)
    }

    /// Reads and hands out; whether there may be more at once.
    fn receive(&mut self, task: &mut Context<'_>) -> Result<bool, ResetReason> {
        for _ in 0..READS_PER_TURN {
            match self.read(task) {
                Poll::Pending => return Ok(false),
                Poll::Ready(0) => {
                    self.counted.remote_closed = true;
                    return Err(ResetReason::ConnectionTermination);
                }
                Poll::Ready(_) => self.decode()?,
            }
        }
        Ok(true)
    }

    /// Reads once, behind what is there; 0: the connection has ended.
    fn read(&mut self, task: &mut Context<'_>) -> Poll<usize> {
        let core = &self.pool.core;
        match read_behind(&core.worker, &mut self.transport, task, &mut self.input) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(_)) => Poll::Ready(0),
            Poll::Ready(Ok(read)) => {
                core.stats.upstream_cx_rx_bytes_total().add(read as u64);
                Poll::Ready(read)
            }
        }
    }

    fn decode(&mut self) -> Result<(), ResetReason> {
        let now = self.pool.core.worker.now();
        self.keep_alive.received(now);
        self.connection.heard_at.set(now);
        let knew_peer = self.connection.codec.borrow().knows_peer();
        loop {
            let input = &mut self.input;
            let mut codec = self.connection.codec.borrow_mut();
            let event = self.headers.with(|pool| codec.next(input, pool));
            let head_bytes = codec.head_bytes();
            drop(codec);
            match event {
                Ok(Some(event)) => self.on_event(event, head_bytes),
                Ok(None) => break,
                Err(_) => {
                    let stats = &self.pool.core.stats;
                    stats.upstream_cx_protocol_error().inc();
                    return Err(ResetReason::ProtocolError);
                }
            }
        }
        if self.input.len() <= SMALL_REST {
            self.input = Bytes::copy_from_slice(&self.input);
        }
        self.pool.serve_waiting(&self.connection);
        if !knew_peer {
            // It may take fewer streams than was hoped for.
            self.pool.connect_as_needed();
        }
        Ok(())
    }

    fn on_event(&mut self, event: H2Event, head_bytes: usize) {
        let core = &self.pool.core;
        match event {
            H2Event::Frame(id, frame) => self.connection.deliver(id, frame, head_bytes),
            H2Event::Reset {
                stream,
                reason,
                by_peer,
                ..
            } => self.connection.reset(stream, reason, by_peer),
            H2Event::GoAway { last, .. } => {
                core.stats.upstream_cx_close_notify().inc();
                self.retire();
                self.connection.refuse_behind(last);
            }
            H2Event::Pong => {
                let worker = &core.worker;
                self.keep_alive.answered(worker.now(), worker.random());
            }
        }
    }

    fn retire(&self) {
        self.connection.drain();
        self.pool.retire(&self.connection);
    }

    /// Writes what streams send, as far as it goes.
    fn transmit(&mut self, task: &mut Context<'_>) -> Result<(), ResetReason> {
        let limit = match self.pool.core.spec().per_connection_buffer_limit {
            0 => UNLIMITED,
            limit => limit as usize,
        };
        loop {
            let mut codec = self.connection.codec.borrow_mut();
            if codec.note_unwritten(self.out.len()).is_err() {
                return Err(ResetReason::ConnectionTermination);
            }
            codec.take_output(&mut self.out, limit);
            let has_more = codec.has_more();
            drop(codec);
            self.connection.unblock();
            let before = self.out.len();
            let transport = &mut self.transport;
            if before == 0 && !transport.is_stuck() {
                return Ok(());
            }
            let worker = &self.pool.core.worker;
            let result = if before > 0 && transport.write_late(worker, &mut self.out) {
                Poll::Ready(Ok(()))
            } else {
                transport.poll_write(task, &mut self.out)
            };
            let written = before.saturating_sub(self.out.len()) as u64;
            let stats = &self.pool.core.stats;
            stats.upstream_cx_tx_bytes_total().add(written);
            match result {
                // Who reads no more may still have answered: reading finds the end.
                Poll::Ready(Err(_)) => {
                    self.out.clear();
                    return Ok(());
                }
                Poll::Ready(Ok(())) if has_more => {}
                Poll::Ready(Ok(())) | Poll::Pending => return Ok(()),
            }
        }
    }

    /// Looks at the clock: what is due, and when to look again.
    fn on_time(&mut self, task: &mut Context<'_>) -> Result<(), ResetReason> {
        let core = Rc::clone(&self.pool.core);
        let worker = &core.worker;
        loop {
            let now = worker.now();
            if self.expires.is_some_and(|at| at <= now) {
                self.expires = None;
                core.stats.upstream_cx_max_duration_reached().inc();
                self.retire();
            }
            if self.connection.pinged.take() {
                self.keep_alive.asked(now);
            }
            match self.keep_alive.on_time(now) {
                Some(KeepAliveDue::Timeout) => {
                    core.http2_local().stats.keepalive_timeout().inc();
                    return Err(ResetReason::ConnectionTermination);
                }
                Some(KeepAliveDue::Ping) => {
                    self.connection.codec.borrow_mut().ping(0);
                    self.transmit(task)?;
                }
                None => {}
            }
            let is_idle = self.connection.is_idle();
            // With streams on it, it can be idle for long no sooner than this.
            let since = if is_idle {
                self.connection.idle_since.get()
            } else {
                now
            };
            let idle_until = core.spec().http.idle_timeout.map(|limit| since + limit);
            if is_idle && idle_until.is_some_and(|until| until <= now) {
                core.stats.upstream_cx_idle_timeout().inc();
                return Err(ResetReason::ConnectionTermination);
            }
            let deadlines = [self.expires, self.keep_alive.deadline(), idle_until];
            let until = deadlines.into_iter().flatten().min();
            if self.timer.poll(worker, until, task).is_pending() {
                return Ok(());
            }
        }
    }

    fn turn(&mut self, task: &mut Context<'_>) -> Result<bool, ResetReason> {
        let more = self.receive(task)?;
        self.transmit(task)?;
        self.on_time(task)?;
        Ok(more)
    }
}

impl Future for Http2Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.pool.core.worker.tick();
        match this.turn(task) {
            Ok(more) => {
                if this.connection.is_draining() && this.connection.is_idle() {
                    return Poll::Ready(());
                }
                if more {
                    task.waker().wake_by_ref();
                }
                Poll::Pending
            }
            Err(reason) => {
                if reason == ResetReason::ProtocolError {
                    // The peer is told why, as far as it goes.
                    let mut codec = this.connection.codec.borrow_mut();
                    codec.take_output(&mut this.out, usize::MAX);
                    drop(codec);
                    let _ = this.transport.poll_write(task, &mut this.out);
                }
                this.end(reason);
                Poll::Ready(())
            }
        }
    }
}

impl Http2Driver {
    fn end(&mut self, reason: ResetReason) {
        if self.connection.is_ended() {
            return;
        }
        self.timer.disarm(&self.pool.core.worker);
        self.counted.requests = Some(self.connection.carried.get());
        // Envoy resets the streams before it closes what has broken the protocol.
        let breaks = reason == ResetReason::ProtocolError;
        self.counted.with_active_request = !self.connection.is_idle() && !breaks;
        self.connection.end(reason);
        self.pool.retire(&self.connection);
    }
}

impl Drop for Http2Driver {
    fn drop(&mut self) {
        self.end(ResetReason::ConnectionTermination);
    }
}
