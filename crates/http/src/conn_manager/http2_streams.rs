//! The streams of an HTTP/2 connection: their turns, and what leaves their filters.

use crate::chain::Out;
use crate::conn_manager::connection::Connection;
use crate::conn_manager::http2::Http2Session;
use crate::conn_manager::stream::ActiveStream;
use crate::conn_manager::stream_waker::StreamWaker;
use nuncio_codec::h2::ErrorCode;
use nuncio_codec::{End, ResetReason};
use nuncio_net::ConnCx;
use std::task::Context;
use std::time::Instant;

/// How many wakers are kept for the next streams.
const SPARE_WAKERS: usize = 128;
/// The bytes of a frame besides its payload.
const FRAME_HEADER: u64 = 9;

/// A stream that is not answered to its end.
pub(super) struct Entry {
    pub id: u32,
    /// Its response is held back.
    is_paused: bool,
    /// Its response is complete.
    is_over: bool,
    /// Some of the request's body came, and of the response's went.
    pub has_received: bool,
    has_sent: bool,
    pub stream: Box<ActiveStream>,
    /// None before its first turn.
    waker: Option<StreamWaker>,
    pub deadline: Option<Instant>,
}

impl Http2Session {
    /// A stream's turn, if it is due; whether the stream is over.
    pub(super) fn poll_stream(
        &mut self,
        conn: &mut Connection,
        cx: &ConnCx<'_>,
        task: &Context<'_>,
        at: usize,
        moved: &mut bool,
    ) -> bool {
        if self.streams[at].is_paused && !self.holds_back(conn, cx, at) {
            let entry = &mut self.streams[at];
            entry.is_paused = false;
            entry.stream.pause_response(false);
            entry.wake();
        }
        let (entry, spare) = (&mut self.streams[at], &mut self.spare_wakers);
        let waker = entry.waker.get_or_insert_with(|| {
            let spare = spare.pop();
            spare
                .inspect(StreamWaker::set)
                .unwrap_or_else(|| StreamWaker::new(task.waker()))
        });
        if !waker.take() {
            return false;
        }
        let mut task = Context::from_waker(waker.waker());
        let mut goes_on = entry.stream.poll(&mut task);
        if goes_on && entry.stream.begins_answer() {
            // A short body is there with its head, mostly.
            goes_on = entry.stream.poll(&mut task);
        }
        if goes_on {
            *moved = true;
            waker.set();
        }
        self.encode(conn, at);
        let entry = &mut self.streams[at];
        if entry.has_received && !entry.stream.request_paused() {
            entry.has_received = false;
            self.codec.release(entry.id);
        }
        entry.is_over = entry.stream.is_over();
        if entry.is_over {
            return true;
        }
        let is_held = self.holds_back(conn, cx, at);
        let entry = &mut self.streams[at];
        entry.is_paused = is_held;
        entry.stream.pause_response(is_held);
        entry.deadline = entry.stream.deadline();
        let deadline = entry.deadline;
        self.note_deadline(deadline);
        false
    }

    /// Whether a response must wait until more of it is sent.
    fn holds_back(&self, conn: &Connection, cx: &ConnCx<'_>, at: usize) -> bool {
        let entry = &self.streams[at];
        let limit = conn.local.spec.buffer_limit.max(1);
        cx.write_blocked() || (entry.has_sent && self.codec.waiting(entry.id) >= limit)
    }

    fn note_deadline(&mut self, deadline: Option<Instant>) {
        if let Some(at) = deadline
            && self.soonest.is_none_or(|soonest| at < soonest)
        {
            self.soonest = deadline;
        }
    }

    /// Sends what left the filters of a stream.
    fn encode(&mut self, conn: &mut Connection, at: usize) {
        while let Some(out) = self.streams[at].stream.next_out() {
            if matches!(out, Out::Headers(_)) && !conn.draining && conn.is_asked_to_drain() {
                self.start_drain(conn);
            }
            let Entry {
                id,
                stream,
                has_sent,
                ..
            } = &mut self.streams[at];
            let id = *id;
            match out {
                Out::Informational(headers) => {
                    // As with HTTP/1.
                    if conn.local.spec.proxy_100_continue {
                        stream.count_interim(&headers);
                        self.codec.send_head(id, &headers, End::No);
                    }
                    conn.local.header_pool.with(|pool| pool.give(headers));
                }
                Out::Headers(end) => {
                    stream.finalize_response();
                    let headers = stream.response_headers();
                    let bytes = headers.byte_size() as u64;
                    self.codec.send_head(id, headers, end);
                    stream.head_sent(bytes + FRAME_HEADER, bytes + FRAME_HEADER);
                    stream.complete_when(end);
                }
                Out::Data(data, end) => {
                    let length = data.len() as u64;
                    self.codec.send_data(id, data, end);
                    *has_sent = true;
                    stream.body_sent(length, length + FRAME_HEADER);
                    stream.complete_when(end);
                }
                Out::Trailers => {
                    self.codec
                        .send_trailers(id, stream.copy_response_trailers());
                    stream.complete_when(End::Stream);
                }
                Out::Reset(reason) => {
                    let reason = stream.reason_of_reset(reason);
                    self.codec.reset(id, code_of(reason));
                    let stats = &conn.local.stats;
                    stats.downstream_rq_tx_reset().inc();
                    // Envoy counts every reset here, whoever it was.
                    stats.downstream_rq_rx_reset().inc();
                    stream.complete_when(End::Stream);
                }
            }
        }
    }

    /// Ends the streams that are answered.
    pub(super) fn finish_streams(&mut self, conn: &mut Connection) {
        let mut streams = std::mem::take(&mut self.streams);
        for entry in streams.extract_if(.., |entry| entry.is_over) {
            self.finish(conn, entry);
        }
        self.streams = streams;
        self.note_idle(conn);
    }

    /// A stream is answered: what is still to come of its request is of no use.
    fn finish(&mut self, conn: &Connection, entry: Entry) {
        let id = entry.id;
        let stream = self.take_stream(entry);
        if !stream.request_complete && self.codec.is_open(id) {
            let stats = &conn.local.stats;
            stats.downstream_rq_response_before_rq_complete().inc();
            stats.downstream_rq_rx_reset().inc();
            self.codec.end_early(id);
        }
        self.premature.count();
        if self.codec.is_open(id) {
            let until = self.flushing.add(conn, id, stream);
            return self.note_deadline(until);
        }
        conn.finish(*stream);
    }

    pub(super) fn take(&mut self, at: usize) -> Box<ActiveStream> {
        let entry = self.streams.remove(at);
        self.take_stream(entry)
    }

    fn take_stream(&mut self, entry: Entry) -> Box<ActiveStream> {
        if let Some(waker) = entry.waker
            && self.spare_wakers.len() < SPARE_WAKERS
        {
            self.spare_wakers.push(waker);
        }
        entry.stream
    }

    pub(super) fn note_idle(&self, conn: &mut Connection) {
        if self.is_idle() {
            conn.idle_since = conn.local.worker.now();
        }
    }
}

impl Entry {
    pub fn new(id: u32, stream: Box<ActiveStream>) -> Self {
        Self {
            id,
            is_paused: false,
            is_over: false,
            has_received: false,
            has_sent: false,
            stream,
            waker: None,
            deadline: None,
        }
    }

    pub fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.set();
        }
    }
}

/// What a client is told of a stream that is reset here.
const fn code_of(reason: ResetReason) -> ErrorCode {
    match reason {
        ResetReason::LocalRefusedStreamReset => ErrorCode::REFUSED_STREAM,
        ResetReason::ConnectError => ErrorCode::CONNECT,
        _ => ErrorCode::INTERNAL,
    }
}
