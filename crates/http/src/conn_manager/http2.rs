//! HTTP/2 on a connection: many streams at a time, all in the connection's task.

use crate::conn_manager::connection::Connection;
use crate::conn_manager::http2_flushing::Flushing;
use crate::conn_manager::http2_streams::Entry;
use crate::conn_manager::premature::PrematureResets;
use crate::conn_manager::stream::ActiveStream;
use crate::conn_manager::stream_waker::StreamWaker;
use nuncio_base::{HeaderMap, names};
use nuncio_codec::h2::{H2Connection, H2Error, H2Event, KeepAliveDue, KeepAliveTimer};
use nuncio_codec::{End, Frame, ResetReason};
use nuncio_net::{Close, ConnCx};
use nuncio_stream_info::{Protocol, ResponseFlag};
use std::rc::Rc;
use std::task::Context;
use std::time::Instant;

/// The codec and its streams.
pub(super) struct Http2Session {
    pub(super) codec: H2Connection,
    pub(super) streams: Vec<Entry>,
    pub(super) flushing: Flushing,
    pub(super) spare_wakers: Vec<StreamWaker>,
    /// None of the streams' time limits ends before this; one that is over may have set it.
    pub(super) soonest: Option<Instant>,
    keep_alive: KeepAliveTimer,
    pub(super) premature: PrematureResets,
}

impl Http2Session {
    pub fn new(conn: &Connection) -> Self {
        let local = conn.local.http2();
        let (keep_alive, worker) = (local.settings.keep_alive, &conn.local.worker);
        Self {
            keep_alive: KeepAliveTimer::new(keep_alive, worker.now(), worker.random()),
            codec: H2Connection::server(local),
            streams: Vec::new(),
            flushing: Flushing::default(),
            soonest: None,
            spare_wakers: Vec::new(),
            premature: PrematureResets::default(),
        }
    }

    /// The streams' turn; whether anything moved.
    pub fn poll(
        &mut self,
        conn: &mut Connection,
        cx: &mut ConnCx<'_>,
        task: &mut Context<'_>,
    ) -> bool {
        if let Err(error) = self.codec.note_unwritten(cx.out().len()) {
            self.on_error(conn, cx, &error);
        }
        let mut moved = self.decode(conn, cx);
        let mut is_any_over = false;
        for at in 0..self.streams.len() {
            is_any_over |= self.poll_stream(conn, cx, task, at, &mut moved);
        }
        let limit = cx.buffer_limit();
        let before = cx.out().len();
        self.codec.take_output(cx.out(), limit);
        let written = (cx.out().len() - before) as u64;
        let stats = &conn.local.stats;
        stats.downstream_cx_tx_bytes_total().add(written);
        if is_any_over {
            self.finish_streams(conn);
        }
        if !self.flushing.is_empty() {
            self.flushing.finish(conn, &self.codec);
            self.note_idle(conn);
        }
        if conn.draining && self.streams.is_empty() && self.codec.open_streams() == 0 {
            cx.close(Close::FlushAndDelay);
        }
        // What found no room is sent once there is some.
        moved | (self.codec.has_more() && !cx.write_blocked())
    }

    /// Takes events as they come.
    fn decode(&mut self, conn: &mut Connection, cx: &mut ConnCx<'_>) -> bool {
        let mut moved = false;
        let local = Rc::clone(&conn.local);
        while !conn.input.is_empty() && !cx.is_closing() {
            let (codec, input) = (&mut self.codec, &mut conn.input);
            let event = local.header_pool.with(|pool| codec.next(input, pool));
            let taken = codec.event_bytes() as u64;
            match event {
                Ok(Some(event)) => self.on_event(conn, cx, event, taken),
                Ok(None) => break,
                Err(error) => self.on_error(conn, cx, &error),
            }
            moved = true;
        }
        if moved {
            self.keep_alive.received(conn.local.worker.now());
        }
        conn.release_block();
        moved
    }

    fn on_event(&mut self, conn: &mut Connection, cx: &mut ConnCx<'_>, event: H2Event, taken: u64) {
        match event {
            H2Event::Frame(id, frame) => {
                let Some(at) = self.find(id) else {
                    if let Frame::Headers(headers, end) = frame {
                        return self.begin(conn, cx, id, headers, end, taken);
                    }
                    // The stream was answered already.
                    return self.codec.release(id);
                };
                let entry = &mut self.streams[at];
                entry.stream.received(taken);
                match frame {
                    Frame::Data(data, end) => {
                        entry.has_received = true;
                        entry.stream.request_data(data, end);
                    }
                    Frame::Trailers(trailers) => entry.stream.request_trailers(trailers),
                    Frame::Headers(..) | Frame::Informational(_) | Frame::Reset(_) => {
                        nuncio_base::bug!("a frame out of turn from the HTTP/2 codec");
                    }
                }
                entry.wake();
            }
            H2Event::Reset {
                stream,
                reason,
                details,
                ..
            } => self.on_reset(conn, cx, stream, reason, details),
            H2Event::Pong => {
                let worker = &conn.local.worker;
                self.keep_alive.answered(worker.now(), worker.random());
            }
            // It concerns streams that this side would open.
            H2Event::GoAway { .. } => {}
        }
    }

    fn begin(
        &mut self,
        conn: &mut Connection,
        cx: &ConnCx<'_>,
        id: u32,
        headers: HeaderMap,
        end: End,
        taken: u64,
    ) {
        if conn.count_request() {
            self.start_drain(conn);
        }
        let mut stream = conn.new_stream(cx, Protocol::Http2);
        stream.take_head(headers);
        stream.received(taken);
        self.answer_expectation(conn, id, &mut stream);
        stream.begin(end);
        self.streams.push(Entry::new(id, stream));
    }

    /// As with HTTP/1: a client that waits for it is told to send the body.
    fn answer_expectation(&mut self, conn: &Connection, id: u32, stream: &mut ActiveStream) {
        let expect = stream.request_headers().get(names::EXPECT);
        let expects = expect.is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"));
        if expects && !conn.local.spec.proxy_100_continue {
            let mut head = HeaderMap::new();
            head.append(names::STATUS, b"100");
            self.codec.send_head(id, &head, End::No);
            stream.count_status(100);
            stream.request_headers().remove(names::EXPECT);
        }
    }

    fn find(&self, id: u32) -> Option<usize> {
        // Streams are added in the order of their numbers.
        self.streams
            .binary_search_by_key(&id, |entry| entry.id)
            .ok()
    }

    /// A stream has ended by what the client did, perhaps with its head.
    fn on_reset(
        &mut self,
        conn: &mut Connection,
        cx: &mut ConnCx<'_>,
        id: u32,
        reason: ResetReason,
        details: &'static str,
    ) {
        let mut stream = self.take_or_begin(conn, cx, id);
        let flag = match reason {
            ResetReason::ProtocolError => ResponseFlag::DownstreamProtocolError,
            _ => ResponseFlag::DownstreamRemoteReset,
        };
        stream.end_by_peer(flag, details);
        let now = conn.local.worker.now();
        let is_bad = stream.info().response_code.is_none();
        let flags = conn.local.worker.flags();
        let unanswered = is_bad.then(|| stream.age(now));
        let is_flood = self.premature.count_reset(unanswered, &flags);
        drop(flags);
        conn.finish(*stream);
        self.note_idle(conn);
        if is_flood {
            let stats = &conn.local.stats;
            stats.downstream_rq_too_many_premature_resets().inc();
            cx.close(Close::NoFlush);
        }
    }

    /// The client broke the protocol: no stream is answered any more.
    fn on_error(&mut self, conn: &mut Connection, cx: &mut ConnCx<'_>, error: &H2Error) {
        if !error.is_flood {
            conn.local.stats.downstream_cx_protocol_error().inc();
        }
        conn.draining = true;
        let flag = ResponseFlag::DownstreamProtocolError;
        if let Some((id, details)) = error.stream {
            let mut stream = self.take_or_begin(conn, cx, id);
            stream.end_by_peer(flag, details);
            conn.finish(*stream);
        }
        while let Some(mut stream) = self.take_any() {
            stream.end_by_peer(flag, error.details);
            conn.finish(*stream);
        }
        cx.close(Close::FlushAndDelay);
    }

    /// Whether no request is under way.
    pub fn is_idle(&self) -> bool {
        self.streams.is_empty() && self.flushing.is_empty()
    }

    /// The stream of a number, which ends; perhaps one that has never begun.
    fn take_or_begin(&mut self, conn: &Connection, cx: &ConnCx<'_>, id: u32) -> Box<ActiveStream> {
        let known = match self.find(id) {
            Some(at) => Some(self.take(at)),
            None => self.flushing.take(id),
        };
        known.unwrap_or_else(|| conn.new_stream(cx, Protocol::Http2))
    }

    fn take_any(&mut self) -> Option<Box<ActiveStream>> {
        match self.streams.is_empty() {
            false => Some(self.take(0)),
            true => self.flushing.pop(),
        }
    }

    /// Begins to end the connection: the client is told, and given time to hear it.
    pub fn start_drain(&mut self, conn: &mut Connection) {
        if !conn.draining && conn.drain_until.is_none() {
            self.codec.announce_goaway();
            conn.drain_until = Some(conn.local.worker.now() + conn.drain_time());
        }
    }

    /// Takes no new streams any more.
    pub fn goaway(&mut self) {
        self.codec.goaway();
    }

    /// When to look at the streams' time limits again: to find the soonest each time would cost
    /// more than to look in vain sometimes.
    pub fn deadline(&self) -> Option<Instant> {
        let of_streams = self.soonest.filter(|_| !self.is_idle());
        match (of_streams, self.keep_alive.deadline()) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    fn find_soonest(&mut self) {
        let streams = self.streams.iter().filter_map(|entry| entry.deadline);
        self.soonest = streams.chain(self.flushing.deadlines()).min();
    }

    /// Time limits have passed.
    pub fn on_deadline(&mut self, conn: &mut Connection, cx: &mut ConnCx<'_>, now: Instant) {
        for entry in &mut self.streams {
            if entry.deadline.is_some_and(|at| at <= now) {
                entry.stream.on_deadline(now);
                entry.wake();
            }
        }
        if !self.flushing.is_empty() {
            self.flushing.on_time(conn, &mut self.codec, now);
            self.note_idle(conn);
        }
        self.find_soonest();
        match self.keep_alive.on_time(now) {
            Some(KeepAliveDue::Timeout) => {
                conn.local.http2().stats.keepalive_timeout().inc();
                return cx.close(Close::NoFlush);
            }
            Some(KeepAliveDue::Ping) => self.codec.ping(0),
            None => {}
        }
        let idle = conn.local.spec.timeouts.idle;
        let is_over = idle.is_some_and(|limit| conn.idle_since + limit <= now);
        if self.is_idle() && is_over && conn.drain_until.is_none() && !conn.draining {
            conn.local.stats.downstream_cx_idle_timeout().inc();
            self.start_drain(conn);
        }
    }

    /// The end of the connection's turn.
    pub fn end_turn(&mut self, conn: &mut Connection, cx: &mut ConnCx<'_>) {
        let limit = cx.buffer_limit();
        self.codec.take_output(cx.out(), limit);
        if self.streams.is_empty() && conn.input.is_empty() {
            self.codec.rest();
        }
    }

    /// The connection is gone.
    pub fn close(&mut self, conn: &Connection) {
        while let Some(mut stream) = self.take_any() {
            stream.connection_closed();
            conn.finish(*stream);
        }
    }
}
