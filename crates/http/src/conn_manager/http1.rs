//! HTTP/1 on a connection: one stream at a time.

use crate::chain::Out;
use crate::conn_manager::bulk::{LONG_BODY, move_body};
use crate::conn_manager::connection::Connection;
use crate::conn_manager::stream::ActiveStream;
use bytes::{Bytes, BytesMut};
use nuncio_base::{Buffer, HeaderMap, names};
use nuncio_codec::h1::{H1Error, H1Server, reason_phrase};
use nuncio_codec::{End, Frame};
use nuncio_net::{Close, ConnCx};
use nuncio_stream_info::{Protocol, ResponseFlag};
use std::rc::Rc;
use std::task::Context;
use std::time::Instant;

/// The codec and its stream.
#[derive(Default)]
pub(super) struct Http1Session {
    codec: H1Server,
    stream: Option<Box<ActiveStream>>,
    reading_stopped: bool,
    /// It stopped because the request was held up, and was counted.
    pause_counted: bool,
    /// The connection has lasted long enough: the next response tells the client to close.
    pub last_response_next: bool,
}

impl Http1Session {
    /// Pulls frames until the stream can take no more; whether there was any.
    fn decode(&mut self, conn: &mut Connection, cx: &mut ConnCx<'_>) -> bool {
        let mut moved = false;
        while !conn.closed && !cx.is_closing() && self.takes_frames(conn) {
            let local = Rc::clone(&conn.local);
            let before = conn.input.len();
            let frame = local
                .header_pool
                .with(|pool| self.codec.next(&local.spec.h1, &mut conn.input, pool));
            let taken = (before - conn.input.len()) as u64;
            local.h1_stats.count_dropped(&mut self.codec);
            match frame {
                Ok(Some(frame)) => {
                    self.on_frame(conn, cx, frame);
                    if let Some(stream) = &mut self.stream {
                        stream.received(taken);
                        if stream.is_answered() {
                            // The answer goes out before the rest of the request comes in.
                            return true;
                        }
                    }
                }
                Ok(None) => {
                    self.expect_head(conn, cx);
                    self.received(taken);
                    break;
                }
                Err(error) => {
                    self.on_codec_error(conn, cx, &error);
                    self.received(before as u64);
                }
            }
            moved = true;
        }
        moved
    }

    fn received(&mut self, bytes: u64) {
        if let Some(stream) = &mut self.stream {
            stream.received(bytes);
        }
    }

    /// A request lives from its first byte on: its time limits run, and its end is told.
    fn expect_head(&mut self, conn: &Connection, cx: &ConnCx<'_>) {
        if self.stream.is_none() && self.codec.is_in_head() {
            self.stream = Some(conn.new_stream(cx, Protocol::Http11));
        }
    }

    fn takes_frames(&self, conn: &Connection) -> bool {
        match &self.stream {
            None => !conn.draining && !conn.input.is_empty(),
            Some(stream) => !stream.request_complete && !stream.request_paused(),
        }
    }

    fn on_frame(&mut self, conn: &mut Connection, cx: &mut ConnCx<'_>, frame: Frame) {
        match (frame, &mut self.stream) {
            (Frame::Headers(headers, end), stream)
                if stream.as_ref().is_none_or(|stream| stream.awaits_head()) =>
            {
                conn.draining |= conn.count_request();
                let expected = self.stream.take();
                let mut stream = expected.unwrap_or_else(|| conn.new_stream(cx, Protocol::Http11));
                stream.take_head(headers);
                self.answer_expectation(conn, cx, &mut stream);
                if self.codec.is_http10() {
                    stream.info().protocol = Some(Protocol::Http10);
                }
                stream.begin(end);
                self.stream = Some(stream);
            }
            (Frame::Data(data, end), Some(stream)) => stream.request_data(data, end),
            (Frame::Trailers(trailers), Some(stream)) => stream.request_trailers(trailers),
            (_, _) => nuncio_base::bug!("a frame out of turn from the HTTP/1 codec"),
        }
    }

    /// A client that waits for it is told to send the body, unless upstream is to be asked (RFC
    /// 9110 section 10.1.1).
    fn answer_expectation(
        &mut self,
        conn: &Connection,
        cx: &mut ConnCx<'_>,
        stream: &mut ActiveStream,
    ) {
        if self.codec.expects_continue() && !conn.local.spec.proxy_100_continue {
            self.codec.encode_continue(cx.out());
            stream.count_status(100);
            stream.request_headers().remove(names::EXPECT);
        }
    }

    /// The peer broke the protocol: it is answered where that is possible, and the connection ends.
    fn on_codec_error(&mut self, conn: &mut Connection, cx: &mut ConnCx<'_>, error: &H1Error) {
        conn.local.stats.downstream_cx_protocol_error().inc();
        conn.local.h1_stats.count_error(*error);
        conn.draining = true;
        conn.input = Bytes::new();
        match &mut self.stream {
            Some(stream) if stream.response_started() => {
                stream
                    .info()
                    .set_flag(ResponseFlag::DownstreamProtocolError);
                cx.close(Close::FlushAndDelay);
            }
            Some(stream) => stream.codec_error(error.status, error.details),
            None => {
                let mut stream = conn.new_stream(cx, Protocol::Http11);
                stream.codec_error(error.status, error.details);
                self.stream = Some(stream);
            }
        }
    }

    /// Writes what left the filters; whether the response may go on that was held up: nothing else
    /// may come to wake the task.
    fn encode(&mut self, conn: &mut Connection, cx: &mut ConnCx<'_>) -> bool {
        while let Some(stream) = &mut self.stream
            && let Some(out) = stream.next_out()
        {
            match out {
                Out::Informational(headers) => {
                    // Unless they are proxied, the client was told to go on by this proxy itself.
                    if conn.local.spec.proxy_100_continue {
                        stream.count_interim(&headers);
                        self.encode_1xx(conn, cx, &headers);
                    }
                    conn.local.header_pool.with(|pool| pool.give(headers));
                }
                Out::Headers(end) => self.encode_headers(conn, cx, end),
                Out::Data(data, end) => self.encode_data(conn, cx, data, end),
                Out::Trailers => self.encode_trailers(conn, cx),
                Out::Reset(_) => self.reset_stream(conn, cx),
            }
        }
        let Some(stream) = &mut self.stream else {
            return false;
        };
        stream.pause_response(cx.write_blocked() || stream.bulk.holds_bytes())
    }

    fn encode_1xx(&mut self, conn: &Connection, cx: &mut ConnCx<'_>, headers: &HeaderMap) {
        let (codec, local, out) = (&mut self.codec, &conn.local, cx.out());
        local.worker.with_write_block(|block| {
            codec.encode_informational(&local.spec.h1, headers, block, out);
        });
    }

    fn encode_headers(&mut self, conn: &mut Connection, cx: &mut ConnCx<'_>, end: End) {
        conn.draining = conn.draining || conn.is_asked_to_drain() || self.last_response_next;
        let Self {
            codec,
            stream: Some(stream),
            ..
        } = self
        else {
            return;
        };
        let local = &conn.local;
        stream.finalize_response();
        conn.draining |= stream.leaves_doubt();
        if conn.draining {
            codec.close_after_response();
        }
        let headers = stream.response_headers();
        let out = cx.out();
        let before = out.len();
        local.worker.with_write_block(|block: &mut BytesMut| {
            codec.encode_headers(&local.spec.h1, headers, end, block, out);
        });
        if codec.length_owed().is_some_and(|owed| owed >= LONG_BODY) {
            stream.bulk.expect();
        }
        let sent = (out.len() - before) as u64;
        let reason = stream.info().response_code.map_or("", reason_phrase);
        let line = "HTTP/1.1 200 \r\n\r\n".len() + reason.len();
        stream.head_sent(sent.saturating_sub(line as u64), sent);
        if end.is_end() {
            stream.response_complete();
        }
    }

    fn encode_data(
        &mut self,
        conn: &mut Connection,
        cx: &mut ConnCx<'_>,
        mut data: Buffer,
        end: End,
    ) {
        let Self {
            codec,
            stream: Some(stream),
            ..
        } = self
        else {
            return;
        };
        let local = &conn.local;
        let length = data.len() as u64;
        stream.bulk.on_read(length);
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

    fn encode_trailers(&mut self, conn: &mut Connection, cx: &mut ConnCx<'_>) {
        let Self {
            codec,
            stream: Some(stream),
            ..
        } = self
        else {
            return;
        };
        let local = &conn.local;
        let out = cx.out();
        local.worker.with_write_block(|block| {
            codec.encode_trailers(&local.spec.h1, stream.response_trailers(), block, out);
        });
        stream.response_complete();
    }

    /// HTTP/1 knows no reset of a stream: the connection ends.
    fn reset_stream(&mut self, conn: &mut Connection, cx: &mut ConnCx<'_>) {
        let stats = &conn.local.stats;
        stats.downstream_rq_tx_reset().inc();
        // Envoy counts every reset here, whoever it was.
        stats.downstream_rq_rx_reset().inc();
        conn.draining = true;
        if let Some(stream) = self.stream.take() {
            conn.finish(*stream);
        }
        cx.close(Close::FlushAndDelay);
    }

    /// Ends the stream once both directions are done, and closes or goes on to the next request;
    /// whether there may be one.
    fn finish_stream(&mut self, conn: &mut Connection, cx: &mut ConnCx<'_>) -> bool {
        let Some(stream) = &self.stream else {
            return false;
        };
        if !stream.is_over() {
            return false;
        }
        let incomplete = !stream.request_complete;
        if incomplete {
            conn.local.stats.downstream_rq_rx_reset().inc();
        }
        if let Some(stream) = self.stream.take() {
            conn.finish(*stream);
        }
        conn.idle_since = conn.local.worker.now();
        if incomplete || conn.draining || self.codec.should_close() {
            conn.draining = true;
            // A client that wanted an end sends no more: no reset can meet the response.
            let awaited = self.codec.client_closes() || conn.had_last_request();
            let awaited = awaited && !incomplete;
            cx.close(if awaited {
                Close::Flush
            } else {
                Close::FlushAndDelay
            });
        } else {
            self.codec.begin_next();
        }
        !conn.input.is_empty()
    }

    /// Reading stops while what was read can't be decoded.
    pub fn throttle(&mut self, conn: &mut Connection, cx: &mut ConnCx<'_>) {
        let stuck = !conn.input.is_empty() && self.stream.is_some() && !self.takes_frames(conn);
        if stuck != self.reading_stopped {
            self.reading_stopped = stuck;
            cx.read_disable(stuck);
            let stream = self.stream.as_ref();
            let stats = &conn.local.stats;
            if stuck && stream.is_some_and(|stream| stream.request_paused()) {
                self.pause_counted = true;
                stats.downstream_flow_control_paused_reading_total().inc();
            } else if std::mem::take(&mut self.pause_counted) {
                stats.downstream_flow_control_resumed_reading_total().inc();
            }
        }
        conn.release_block();
    }

    /// The streams' turn; whether anything moved.
    pub fn poll(
        &mut self,
        conn: &mut Connection,
        cx: &mut ConnCx<'_>,
        task: &mut Context<'_>,
    ) -> bool {
        self.decode(conn, cx);
        let mut moved = false;
        if let Some(stream) = &mut self.stream {
            move_body(stream, &mut self.codec, conn, cx, task);
            let was_paused = stream.request_paused();
            moved = stream.poll(task);
            // What waits is decoded, or read, now: nothing else may come to wake the task.
            moved |= was_paused && !stream.request_paused();
        }
        moved |= self.encode(conn, cx);
        moved |= self.finish_stream(conn, cx);
        moved
    }

    /// Whether no request is under way.
    pub fn is_idle(&self) -> bool {
        self.stream.is_none()
    }

    /// The soonest of the stream's time limits.
    pub fn deadline(&self) -> Option<Instant> {
        self.stream.as_ref().and_then(|stream| stream.deadline())
    }

    /// A time limit of the stream has passed, or of the connection without one, which then ends as
    /// one that has lasted long enough.
    pub fn on_deadline(&mut self, conn: &mut Connection, now: Instant) {
        match &mut self.stream {
            Some(stream) => stream.on_deadline(now),
            None => {
                conn.local.stats.downstream_cx_idle_timeout().inc();
                self.last_response_next = true;
                conn.drain_until = Some(now + conn.drain_time());
            }
        }
    }

    /// The connection has lasted long enough: it tells so with its next response, and is closed if
    /// none comes within the drain timeout.
    pub fn start_drain(&mut self, conn: &mut Connection, now: Instant) {
        let spec = &conn.local.spec;
        self.last_response_next = true;
        conn.drain_until = (!spec.safe_max_connection_duration).then(|| now + conn.drain_time());
    }

    /// The connection is gone.
    pub fn close(&mut self, conn: &Connection) {
        if let Some(mut stream) = self.stream.take() {
            stream.connection_closed();
            conn.finish(*stream);
        }
    }
}
