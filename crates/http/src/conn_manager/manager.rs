//! One connection's manager: pulls frames from the codec into the stream, and writes out what
//! leaves the stream's filters.

use crate::chain::Out;
use crate::conn_manager::counted::CountedConnection;
use crate::conn_manager::local::HcmLocal;
use crate::conn_manager::stream::ActiveStream;
use bytes::{Bytes, BytesMut};
use nuncio_base::time::millis;
use nuncio_base::{Buffer, names};
use nuncio_codec::h1::{H1Error, H1Server};
use nuncio_codec::{End, Frame, ResetReason};
use nuncio_net::drain::DrainDecision;
use nuncio_net::{Close, ConnCx, ConnectionEvent, FilterStatus, NetworkFilter, NewConnection};
use nuncio_stream_info::ResponseFlag;
use nuncio_worker::Timer;
use std::rc::Rc;
use std::task::Context;
use std::time::Instant;

/// When this much waits to be written, it is written before more is made: what was just read is
/// still in the cache, and its read block is soon free again.
const WRITE_SOON: usize = 16 * 1024;
/// What is left of a read is copied out of its block where it is no longer than this.
const SMALL_REST: usize = 4096;

/// The connection manager of one connection.
pub struct HttpConnectionManager {
    local: Rc<HcmLocal>,
    drain: Rc<DrainDecision>,
    codec: H1Server,
    /// Received and not yet decoded.
    input: Bytes,
    stream: Option<Box<ActiveStream>>,
    /// Since when there is no stream.
    idle_since: Instant,
    requests: u64,
    /// The connection ends after the response under way.
    pub(super) draining: bool,
    closed: bool,
    reading_stopped: bool,
    timer: Timer,
    /// The connection has lasted long enough: the next response tells the client to close.
    last_response_next: bool,
    /// When a connection that has lasted long enough is closed if no request comes.
    drain_until: Option<Instant>,
    _counted: CountedConnection,
}

impl HttpConnectionManager {
    /// A manager for a new connection.
    pub fn new(local: &Rc<HcmLocal>, connection: &NewConnection<'_>) -> Self {
        let stats = &local.stats;
        stats.downstream_cx_http1_total().inc();
        stats.downstream_cx_http1_active().inc();
        Self {
            local: Rc::clone(local),
            drain: Rc::clone(connection.drain),
            _counted: CountedConnection::new(local, connection),
            codec: H1Server::default(),
            input: Bytes::new(),
            stream: None,
            idle_since: local.worker.now(),
            requests: 0,
            draining: false,
            closed: false,
            reading_stopped: false,
            timer: Timer::default(),
            last_response_next: false,
            drain_until: None,
        }
    }

    /// Pulls frames until the stream can take no more; whether there was any.
    fn decode(&mut self, cx: &mut ConnCx<'_>) -> bool {
        let mut moved = false;
        while !self.closed && !cx.is_closing() && self.takes_frames() {
            let local = Rc::clone(&self.local);
            let before = self.input.len();
            let frame = local
                .header_pool
                .with(|pool| self.codec.next(&local.spec.h1, &mut self.input, pool));
            let taken = (before - self.input.len()) as u64;
            local.h1_stats.count_dropped(&mut self.codec);
            match frame {
                Ok(Some(frame)) => {
                    self.on_frame(cx, frame);
                    if let Some(stream) = &mut self.stream {
                        stream.received(taken);
                        if stream.is_answered() {
                            // The answer goes out before the rest of the request comes in.
                            return true;
                        }
                    }
                }
                Ok(None) => {
                    self.expect_head(cx);
                    break;
                }
                Err(error) => self.on_codec_error(cx, &error),
            }
            moved = true;
        }
        moved
    }

    /// A request lives from its first byte on: its time limits run, and its end is told.
    fn expect_head(&mut self, cx: &ConnCx<'_>) {
        if self.stream.is_none() && self.codec.is_in_head() {
            self.stream = Some(self.new_stream(cx));
        }
    }

    fn new_stream(&self, cx: &ConnCx<'_>) -> Box<ActiveStream> {
        ActiveStream::new(&self.local, Rc::clone(cx.info()))
    }

    fn takes_frames(&self) -> bool {
        match &self.stream {
            None => !self.draining && !self.input.is_empty(),
            Some(stream) => !stream.request_complete && !stream.request_paused(),
        }
    }

    fn on_frame(&mut self, cx: &mut ConnCx<'_>, frame: Frame) {
        match (frame, &mut self.stream) {
            (Frame::Headers(headers, end), stream)
                if stream.as_ref().is_none_or(|stream| stream.awaits_head()) =>
            {
                self.requests += 1;
                let limit = self.local.spec.max_requests_per_connection;
                if limit != 0 && self.requests >= limit {
                    self.draining = true;
                    self.local.stats.downstream_cx_max_requests_reached().inc();
                }
                let expected = self.stream.take();
                let mut stream = expected.unwrap_or_else(|| self.new_stream(cx));
                stream.take_head(headers);
                self.answer_expectation(cx, &mut stream);
                stream.begin(&self.codec, end);
                self.stream = Some(stream);
            }
            (Frame::Data(data, end), Some(stream)) => stream.request_data(data, end),
            (Frame::Trailers(trailers), Some(stream)) => stream.request_trailers(trailers),
            (_, _) => nuncio_base::bug!("a frame out of turn from the HTTP/1 codec"),
        }
    }

    /// A client that waits for it is told to send the body, unless upstream is to be asked (RFC
    /// 9110 section 10.1.1).
    fn answer_expectation(&mut self, cx: &mut ConnCx<'_>, stream: &mut ActiveStream) {
        if self.codec.expects_continue() && !self.local.spec.proxy_100_continue {
            self.codec.encode_continue(cx.out());
            stream.request_headers().remove(names::EXPECT);
        }
    }

    /// The peer broke the protocol: it is answered where that is possible, and the connection ends.
    fn on_codec_error(&mut self, cx: &mut ConnCx<'_>, error: &H1Error) {
        self.local.stats.downstream_cx_protocol_error().inc();
        self.local.h1_stats.count_error(*error);
        self.draining = true;
        self.input = Bytes::new();
        match &mut self.stream {
            Some(stream) if stream.response_started() => {
                stream
                    .info()
                    .set_flag(ResponseFlag::DownstreamProtocolError);
                cx.close(Close::FlushAndDelay);
            }
            Some(stream) => stream.codec_error(error),
            None => {
                let mut stream = self.new_stream(cx);
                stream.codec_error(error);
                self.stream = Some(stream);
            }
        }
    }

    /// Writes what left the filters; whether there was anything.
    fn encode(&mut self, cx: &mut ConnCx<'_>) -> bool {
        let mut moved = false;
        while let Some(stream) = &mut self.stream
            && let Some(out) = stream.next_out()
        {
            moved = true;
            match out {
                Out::Informational(headers) => {
                    // Unless they are proxied, the client was told to go on by this proxy itself.
                    if self.local.spec.proxy_100_continue {
                        self.encode_1xx(cx, &headers);
                    }
                    self.local.header_pool.with(|pool| pool.give(headers));
                }
                Out::Headers(end) => self.encode_headers(cx, end),
                Out::Data(data, end) => self.encode_data(cx, data, end),
                Out::Trailers => self.encode_trailers(cx),
                Out::Reset(reason) => self.reset_stream(cx, reason),
            }
        }
        if let Some(stream) = &mut self.stream {
            stream.pause_response(cx.write_blocked());
        }
        moved
    }

    fn encode_1xx(&mut self, cx: &mut ConnCx<'_>, headers: &nuncio_base::HeaderMap) {
        let Self { codec, local, .. } = self;
        let out = cx.out();
        local.worker.with_write_block(|block| {
            codec.encode_informational(&local.spec.h1, headers, block, out);
        });
    }

    fn encode_headers(&mut self, cx: &mut ConnCx<'_>, end: End) {
        if !self.draining && self.drain.close(&self.local.worker) {
            self.draining = true;
            self.local.stats.downstream_cx_drain_close().inc();
        }
        self.draining |= self.last_response_next;
        let Self {
            codec,
            local,
            stream: Some(stream),
            ..
        } = self
        else {
            return;
        };
        stream.finalize_response(codec, &mut self.draining);
        let headers = stream.response_headers();
        let out = cx.out();
        let before = out.len();
        local.worker.with_write_block(|block: &mut BytesMut| {
            codec.encode_headers(&local.spec.h1, headers, end, block, out);
        });
        let sent = (out.len() - before) as u64;
        stream.head_sent(sent);
        if end.is_end() {
            stream.response_complete();
        }
    }

    fn encode_data(&mut self, cx: &mut ConnCx<'_>, mut data: Buffer, end: End) {
        let Self {
            codec,
            local,
            stream: Some(stream),
            ..
        } = self
        else {
            return;
        };
        let length = data.len() as u64;
        let out = cx.out();
        let before = out.len();
        local.worker.with_write_block(|block| {
            codec.encode_data(&mut data, end, block, out);
        });
        let sent = (out.len() - before) as u64;
        stream.body_sent(length, sent);
        if end.is_end() {
            stream.response_complete();
        }
    }

    fn encode_trailers(&mut self, cx: &mut ConnCx<'_>) {
        let Self {
            codec,
            local,
            stream: Some(stream),
            ..
        } = self
        else {
            return;
        };
        let out = cx.out();
        local.worker.with_write_block(|block| {
            codec.encode_trailers(&local.spec.h1, stream.response_trailers(), block, out);
        });
        stream.response_complete();
    }

    /// HTTP/1 knows no reset of a stream: the connection ends.
    fn reset_stream(&mut self, cx: &mut ConnCx<'_>, _reason: ResetReason) {
        let stats = &self.local.stats;
        stats.downstream_rq_tx_reset().inc();
        // Envoy counts every reset here, whoever it was.
        stats.downstream_rq_rx_reset().inc();
        self.draining = true;
        if let Some(stream) = self.stream.take() {
            stream.finish(&self.local);
        }
        cx.close(Close::FlushAndDelay);
    }

    /// Ends the stream once both directions are done, and goes on to the next request or closes.
    fn finish_stream(&mut self, cx: &mut ConnCx<'_>) -> bool {
        let Some(stream) = &self.stream else {
            return false;
        };
        if !stream.is_over() {
            return false;
        }
        let incomplete = !stream.request_complete;
        if incomplete {
            self.local.stats.downstream_rq_rx_reset().inc();
        }
        if let Some(stream) = self.stream.take() {
            stream.finish(&self.local);
        }
        self.idle_since = self.local.worker.now();
        if incomplete || self.draining || self.codec.should_close() {
            self.draining = true;
            // A reset can meet the response only where the client is still sending.
            let how = [Close::Flush, Close::FlushAndDelay];
            cx.close(how[usize::from(incomplete)]);
        } else {
            self.codec.begin_next();
        }
        true
    }

    /// Reading stops while what was read can't be decoded.
    fn throttle(&mut self, cx: &mut ConnCx<'_>) {
        let stuck = !self.input.is_empty() && self.stream.is_some() && !self.takes_frames();
        if stuck != self.reading_stopped {
            self.reading_stopped = stuck;
            cx.read_disable(stuck);
            let stats = &self.local.stats;
            if self
                .stream
                .as_ref()
                .is_some_and(|stream| stream.request_paused())
                && stuck
            {
                stats.downstream_flow_control_paused_reading_total().inc();
            }
        }
        // An empty rest, too, would hold its block, for as long as the connection is idle.
        if self.input.len() <= SMALL_REST {
            self.input = Bytes::copy_from_slice(&self.input);
        }
    }

    /// The soonest of this connection's time limits.
    fn deadline(&self, cx: &ConnCx<'_>) -> Option<Instant> {
        let timeouts = &self.local.spec.timeouts;
        let of_connection = timeouts
            .max_connection_duration
            .map(|limit| cx.info().start + limit);
        let of_stream = match &self.stream {
            Some(stream) => stream.deadline(),
            None => timeouts.idle.map(|limit| self.idle_since + limit),
        };
        [
            of_connection.filter(|_| !self.draining && !self.last_response_next),
            of_stream,
            self.drain_until,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// A connection that has lasted long enough tells so with its next response, and is closed if
    /// none comes within the drain timeout.
    fn end_of_connection(&mut self, cx: &mut ConnCx<'_>, now: Instant) -> bool {
        let spec = &self.local.spec;
        let limit = spec.timeouts.max_connection_duration;
        let over = limit.is_some_and(|limit| cx.info().start + limit <= now);
        if over && !self.draining && !self.last_response_next {
            self.local.stats.downstream_cx_max_duration_reached().inc();
            self.last_response_next = true;
            self.drain_until =
                (!spec.safe_max_connection_duration).then(|| now + spec.drain_timeout);
            return true;
        }
        if self.drain_until.is_some_and(|until| until <= now) {
            self.drain_until = None;
            self.draining = true;
            if self.stream.is_none() {
                cx.close(Close::FlushAndDelay);
            }
            return true;
        }
        false
    }

    /// Acts on time limits that have passed, and asks to be woken at the next.
    fn poll_deadlines(&mut self, cx: &mut ConnCx<'_>, task: &mut Context<'_>) -> bool {
        let deadline = self.deadline(cx);
        let worker = Rc::clone(&self.local.worker);
        if self.timer.poll(&worker, deadline, task).is_pending() {
            return false;
        }
        let now = worker.now();
        if self.end_of_connection(cx, now) {
            return true;
        }
        let stats = &self.local.stats;
        match &mut self.stream {
            Some(stream) => stream.on_deadline(now),
            None => {
                stats.downstream_cx_idle_timeout().inc();
                cx.close(Close::FlushAndDelay);
            }
        }
        true
    }
}

impl NetworkFilter for HttpConnectionManager {
    fn on_data(&mut self, _cx: &mut ConnCx<'_>, data: &mut Buffer, _end: bool) -> FilterStatus {
        self.local
            .stats
            .downstream_cx_rx_bytes_total()
            .add(data.len() as u64);
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
        FilterStatus::StopIteration
    }

    fn poll(&mut self, cx: &mut ConnCx<'_>, task: &mut Context<'_>) {
        if self.closed {
            return;
        }
        loop {
            self.decode(cx);
            let mut moved = match &mut self.stream {
                Some(stream) => stream.poll(task),
                None => false,
            };
            self.encode(cx);
            moved |= self.finish_stream(cx);
            if !moved {
                moved = self.poll_deadlines(cx, task);
            }
            if !moved {
                cx.settled();
                break;
            }
            if cx.out().len() >= WRITE_SOON || cx.is_closing() {
                break;
            }
        }
        self.throttle(cx);
    }

    fn on_event(&mut self, cx: &mut ConnCx<'_>, event: ConnectionEvent) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        let stats = &self.local.stats;
        stats.downstream_cx_destroy().inc();
        let active = self.stream.is_some();
        match event {
            ConnectionEvent::RemoteClose => {
                stats.downstream_cx_destroy_remote().inc();
                if active {
                    stats.downstream_cx_destroy_remote_active_rq().inc();
                }
            }
            ConnectionEvent::LocalClose => {
                stats.downstream_cx_destroy_local().inc();
                if active {
                    stats.downstream_cx_destroy_local_active_rq().inc();
                }
            }
        }
        if active {
            stats.downstream_cx_destroy_active_rq().inc();
        }
        if let Some(mut stream) = self.stream.take() {
            stream.connection_closed();
            stream.finish(&self.local);
        }
        let now = self.local.worker.now();
        let length = now.saturating_duration_since(cx.info().start);
        stats.downstream_cx_length_ms().record(millis(length));
        self.timer.disarm(&self.local.worker);
    }
}

impl Drop for HttpConnectionManager {
    fn drop(&mut self) {
        let stats = &self.local.stats;
        stats.downstream_cx_http1_active().dec();
    }
}
