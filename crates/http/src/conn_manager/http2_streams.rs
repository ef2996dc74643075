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
    pub stream: Box<ActiveStream>,
    /// None before its first turn.
    pub waker: Option<StreamWaker>,
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
        let limit = conn.local.spec.buffer_limit;
        let entry = &mut self.streams[at];
        if entry.stream.is_response_paused() {
            let pause = cx.write_blocked() || self.codec.waiting(entry.id) >= limit.max(1);
            entry.stream.pause_response(pause);
            if !pause {
                entry.wake();
            }
        }
        let spare = &mut self.spare_wakers;
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
        if entry.stream.poll(&mut task) {
            *moved = true;
            waker.set();
        }
        self.encode(conn, at);
        let Some(entry) = self.streams.get_mut(at) else {
            return false;
        };
        if !entry.stream.request_paused() {
            self.codec.release(entry.id);
        }
        let pause = cx.write_blocked() || self.codec.waiting(entry.id) >= limit.max(1);
        entry.stream.pause_response(pause);
        entry.deadline = entry.stream.deadline();
        let is_over = entry.stream.is_over();
        let deadline = entry.deadline.filter(|_| !is_over);
        self.note_deadline(deadline);
        is_over
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
            let Entry { id, stream, .. } = &mut self.streams[at];
            let id = *id;
            match out {
                Out::Informational(headers) => {
                    // As with HTTP/1.
                    if conn.local.spec.proxy_100_continue {
                        self.codec.send_head(id, &headers, End::No);
                    }
                    conn.local.header_pool.with(|pool| pool.give(headers));
                }
                Out::Headers(end) => {
                    stream.finalize_response();
                    let headers = stream.response_headers();
                    let bytes = headers.byte_size() as u64;
                    self.codec.send_head(id, headers, end);
                    stream.head_sent(bytes, bytes + FRAME_HEADER);
                    stream.complete_when(end);
                }
                Out::Data(data, end) => {
                    let length = data.len() as u64;
                    self.codec.send_data(id, data, end);
                    stream.body_sent(length, length + FRAME_HEADER);
                    stream.complete_when(end);
                }
                Out::Trailers => {
                    self.codec
                        .send_trailers(id, stream.copy_response_trailers());
                    stream.complete_when(End::Stream);
                }
                Out::Reset(reason) => {
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

    /// A stream is answered: what is still to come of its request is of no use.
    pub(super) fn finish(&mut self, conn: &mut Connection, at: usize) {
        let id = self.streams[at].id;
        let stream = self.take(at);
        if !stream.request_complete && self.codec.is_open(id) {
            let stats = &conn.local.stats;
            stats.downstream_rq_response_before_rq_complete().inc();
            stats.downstream_rq_rx_reset().inc();
            self.codec.end_early(id);
        }
        if self.codec.waiting(id) > 0
            && let Some(limit) = stream.flush_limit()
        {
            let until = conn.local.worker.now() + limit;
            self.flushing.push((id, until));
            self.note_deadline(Some(until));
        }
        self.premature.count(None);
        stream.finish(&conn.local);
        self.note_idle(conn);
    }

    pub(super) fn take(&mut self, at: usize) -> Box<ActiveStream> {
        let entry = self.streams.remove(at);
        if let Some(waker) = entry.waker
            && self.spare_wakers.len() < SPARE_WAKERS
        {
            self.spare_wakers.push(waker);
        }
        entry.stream
    }

    pub(super) fn note_idle(&self, conn: &mut Connection) {
        if self.streams.is_empty() {
            conn.idle_since = conn.local.worker.now();
        }
    }

    pub(super) fn forget_flushing(&mut self, id: u32) -> bool {
        let before = self.flushing.len();
        self.flushing.retain(|(other, _)| *other != id);
        before != self.flushing.len()
    }
}

impl Entry {
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
