//! One HTTP/1 connection to a host: its transport, codec and buffers. Whoever owns it, the pool
//! while it is idle or a stream, polls it with its own waker.

use super::client_stream::ClientStreamInfo;
use super::connect::Connected;
use super::counted::CountedConnection;
use super::http1_head::{asks_to_close, fields_received, fields_sent};
use super::http1_progress::Progress;
use super::input::read_behind;
use bytes::Bytes;
use nuncio_base::{Buffer, HeaderMap, names};
use nuncio_codec::h1::{H1Client, H1Settings};
use nuncio_codec::{End, Frame, HeaderPool, ResetReason};
use nuncio_net::{Socket, next_connection_id};
use nuncio_stream_info::{BytesMeter, Protocol};
use nuncio_worker::local_slot::LocalSlot;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

/// A connection.
pub(crate) struct Http1Connection {
    transport: nuncio_net::Transport,
    codec: H1Client,
    settings: Arc<H1Settings>,
    headers: Rc<LocalSlot<HeaderPool>>,
    input: Bytes,
    out: Buffer,
    /// The body of a request that waits for another protocol.
    held: Buffer,
    backed_up: bool,
    progress: Progress,
    bytes: BytesMeter,
    pub info: ClientStreamInfo,
    pub counted: CountedConnection,
    /// How many requests it may still take.
    pub requests_left: Option<u32>,
    /// Since when it is idle.
    pub idle_since: Instant,
}

impl Http1Connection {
    pub fn new(connected: Connected, mut counted: CountedConnection) -> Self {
        let core = &counted.core;
        let http = &core.spec().http;
        let (settings, now) = (Arc::clone(&http.http1), core.worker.now());
        let requests_left = http.max_requests_per_connection.map(u32::from);
        let headers = core.worker.services().get_or_default();
        let info = ClientStreamInfo {
            connection_id: next_connection_id(),
            local_address: connected.transport.socket().local_address(),
            remote_address: connected.address,
            protocol: Protocol::Http11,
            streams_before: 0,
            tls: connected.transport.tls().cloned(),
            connect_start: counted.connect_start,
            connect_end: counted.connect_end.unwrap_or(now),
        };
        core.http1_stats();
        counted.requests = Some(0);
        Self {
            transport: connected.transport,
            codec: H1Client::new(),
            settings,
            headers,
            input: Bytes::new(),
            out: Buffer::new(),
            held: Buffer::new(),
            backed_up: false,
            progress: Progress::default(),
            bytes: BytesMeter::default(),
            info,
            counted,
            requests_left,
            idle_since: now,
        }
    }

    /// While idle: ready when the connection has ended, or brought bytes that nobody asked for;
    /// else makes sure that the task is woken when it does.
    pub fn poll_idle(&mut self, task: &mut Context<'_>) -> Poll<()> {
        match self.read(task) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(0) => self.counted.remote_closed = true,
            Poll::Ready(_) => {
                let (codec, settings, input) = (&mut self.codec, &self.settings, &mut self.input);
                let unasked = self.headers.with(|pool| codec.next(settings, input, pool));
                if unasked.is_err_and(|error| error.is_protocol_error()) {
                    let stats = &self.counted.core.stats;
                    stats.upstream_cx_protocol_error().inc();
                }
            }
        }
        Poll::Ready(())
    }

    /// Whether it has ended, or brought bytes that nobody asked for, while nobody looked. `task` is
    /// woken by that only once it has asked for a response.
    pub fn is_gone(&mut self, task: &mut Context<'_>) -> bool {
        !self.transport.is_quiet() && self.poll_idle(task).is_ready()
    }

    /// A stream takes it over.
    pub fn begin(&mut self) {
        let requests = self.counted.requests.get_or_insert(0);
        self.info.streams_before = *requests;
        *requests += 1;
        if let Some(left) = &mut self.requests_left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.counted.core.stats.upstream_cx_max_requests().inc();
            }
        }
        self.progress = Progress::default();
        self.bytes = BytesMeter::default();
    }

    /// A stream gives it back; whether it can take another request.
    pub fn finish(&mut self) -> bool {
        let progress = self.progress;
        let ended = progress.request_ended && progress.response_ended;
        self.counted.with_active_request = progress.started && !ended;
        !progress.broken
            && (ended || !progress.started)
            && self.codec.is_reusable()
            && self.out.is_empty()
            && self.transport.is_flushed()
            && self.input.is_empty()
            && self.requests_left != Some(0)
    }

    pub fn send_headers(&mut self, headers: &HeaderMap, end: End) {
        let (codec, settings, out) = (&mut self.codec, &self.settings, &mut self.out);
        let before = out.len();
        let worker = &self.counted.core.worker;
        let encoded = worker
            .with_write_block(|block| codec.encode_request(settings, headers, end, block, out));
        if encoded.is_err() {
            // The router makes sure of the pseudo-headers.
            nuncio_base::bug!("a request without :method, :path or :authority");
            self.progress.broken = true;
        }
        let progress = &mut self.progress;
        progress.started = true;
        progress.request_ended = end.is_end();
        progress.is_connect = headers.get(names::METHOD) == Some(b"CONNECT".as_slice());
        progress.asks_to_switch = progress.is_connect
            || (headers.contains(names::UPGRADE) && headers.contains(names::CONNECTION));
        self.bytes.header_sent += fields_sent(&self.out, before);
    }

    pub fn send_data(&mut self, data: &mut Buffer, end: End) {
        if self.progress.may_not_switch {
            self.progress.request_ended = end.is_end();
            return data.clear();
        }
        if self.progress.asks_to_switch && !self.codec.is_upgraded() {
            self.held.append(data);
            self.progress.request_ended = end.is_end();
            return self.note_level();
        }
        self.encode_data(data, end);
        self.note_level();
    }

    fn encode_data(&mut self, data: &mut Buffer, end: End) {
        let (codec, out) = (&mut self.codec, &mut self.out);
        let worker = &self.counted.core.worker;
        worker.with_write_block(|block| codec.encode_data(data, end, block, out));
        self.progress.request_ended = end.is_end();
    }

    pub fn send_trailers(&mut self, trailers: &HeaderMap) {
        let (codec, settings, out) = (&mut self.codec, &self.settings, &mut self.out);
        let worker = &self.counted.core.worker;
        worker.with_write_block(|block| codec.encode_trailers(settings, trailers, block, out));
        self.progress.request_ended = true;
        self.note_level();
    }

    /// Whether so much waits to be written that no more should be sent.
    pub fn write_blocked(&self) -> bool {
        self.backed_up
    }

    /// Bytes that wait to be written.
    pub fn unwritten(&self) -> usize {
        self.out.len() + self.held.len()
    }

    pub fn bytes(&self) -> BytesMeter {
        self.bytes
    }

    /// Between its high and low watermark a buffer keeps the state it was in.
    fn note_level(&mut self) {
        let limit = self.counted.core.spec().per_connection_buffer_limit as usize;
        let (waiting, stats) = (self.unwritten(), &self.counted.core.stats);
        if !self.backed_up && limit > 0 && waiting > limit {
            self.backed_up = true;
            stats.upstream_flow_control_backed_up_total().inc();
        } else if self.backed_up && waiting <= limit / 2 {
            self.backed_up = false;
            stats.upstream_flow_control_drained_total().inc();
        }
    }

    /// Writes what waits, then gives the next frame of the response; behind its end, nothing.
    pub fn poll(&mut self, task: &mut Context<'_>) -> Poll<Frame> {
        self.flush(task);
        if self.progress.response_ended || self.progress.broken {
            return Poll::Pending;
        }
        loop {
            let (codec, settings, input) = (&mut self.codec, &self.settings, &mut self.input);
            match self.headers.with(|pool| codec.next(settings, input, pool)) {
                Ok(Some(frame)) => return Poll::Ready(self.on_frame(frame, task)),
                Ok(None) => {}
                Err(_) => return Poll::Ready(self.protocol_error()),
            }
            match self.read(task) {
                Poll::Pending => {
                    self.release_block();
                    return Poll::Pending;
                }
                Poll::Ready(0) => return Poll::Ready(self.on_eof()),
                Poll::Ready(_) => self.progress.response_began = true,
            }
        }
    }

    pub fn bulk_source(&self) -> Option<(u64, &Socket)> {
        let waits = !self.input.is_empty() || self.progress.broken;
        let left = self.codec.length_left().filter(|_| !waits)?;
        Some((left, self.transport.raw()?))
    }

    pub fn bulk_taken(&mut self, bytes: u64) {
        self.codec.pass_by(bytes);
        self.bytes.wire_received += bytes;
        let stats = &self.counted.core.stats;
        stats.upstream_cx_rx_bytes_total().add(bytes);
    }

    fn on_frame(&mut self, frame: Frame, task: &mut Context<'_>) -> Frame {
        match &frame {
            Frame::Headers(headers, end) => {
                self.bytes.header_received += fields_received(headers);
                self.progress.response_headers = true;
                self.progress.response_ended = end.is_end();
                if asks_to_close(headers) {
                    self.counted.core.stats.upstream_cx_close_notify().inc();
                }
                self.switch(task);
            }
            Frame::Informational(headers) => {
                self.bytes.header_received += fields_received(headers);
                self.progress.response_began = !self.input.is_empty();
            }
            Frame::Data(_, end) => self.progress.response_ended = end.is_end(),
            Frame::Trailers(_) => self.progress.response_ended = true,
            Frame::Reset(_) => self.progress.broken = true,
        }
        if self.progress.response_ended && !self.input.is_empty() && !self.progress.broken {
            // More than was asked for. The response stands; the connection does not.
            self.counted.core.stats.upstream_cx_protocol_error().inc();
            self.progress.broken = true;
        }
        frame
    }

    /// The upstream has answered whether it speaks the other protocol: what was held back goes, or
    /// is of no use to anyone.
    fn switch(&mut self, task: &mut Context<'_>) {
        if !self.progress.asks_to_switch {
            return;
        }
        self.progress.asks_to_switch = false;
        let mut held = std::mem::take(&mut self.held);
        self.progress.may_not_switch = !self.codec.is_upgraded();
        if !self.progress.may_not_switch {
            let end = End::when(self.progress.request_ended);
            if !held.is_empty() || end.is_end() {
                self.encode_data(&mut held, end);
                self.flush(task);
            }
        }
        self.note_level();
    }

    fn on_eof(&mut self) -> Frame {
        self.counted.remote_closed = true;
        let codec = &mut self.codec;
        match self.headers.with(|pool| codec.on_eof(pool)) {
            Some(frame @ (Frame::Data(..) | Frame::Trailers(_))) => {
                self.progress.response_ended = true;
                frame
            }
            // Envoy calls a response that is cut short a protocol error.
            Some(_) | None if self.progress.response_began => self.protocol_error(),
            Some(_) | None => {
                self.progress.broken = true;
                Frame::Reset(ResetReason::ConnectionTermination)
            }
        }
    }

    fn protocol_error(&mut self) -> Frame {
        self.counted.core.stats.upstream_cx_protocol_error().inc();
        self.progress.broken = true;
        Frame::Reset(ResetReason::ProtocolError)
    }

    /// Writes what waits, as far as it goes. A peer that reads no more may still have answered:
    /// then its answer counts, else reading finds the end.
    pub fn flush(&mut self, task: &mut Context<'_>) {
        let before = self.out.len();
        let transport = &mut self.transport;
        if before == 0 && !transport.is_stuck() {
            return self.end_write(task);
        }
        let worker = &self.counted.core.worker;
        let result = if before > 0 && transport.write_late(worker, &mut self.out) {
            Poll::Ready(Ok(()))
        } else {
            transport.poll_write(task, &mut self.out)
        };
        let written = before.saturating_sub(self.out.len()) as u64;
        self.bytes.wire_sent += written;
        let stats = &self.counted.core.stats;
        stats.upstream_cx_tx_bytes_total().add(written);
        if let Poll::Ready(Err(_)) = result {
            self.out.clear();
            self.held.clear();
        }
        self.note_level();
        if self.out.is_empty() {
            self.end_write(task);
        }
    }

    /// Ends the sending direction of a connection that speaks HTTP no more, once all is written.
    fn end_write(&mut self, task: &mut Context<'_>) {
        let progress = &self.progress;
        let is_due = progress.is_connect && progress.request_ended && !progress.write_ended;
        if is_due && self.codec.is_upgraded() {
            self.progress.write_ended = self.transport.poll_end_write(task).is_ready();
        }
    }

    /// Reads once, behind what is there; 0: the connection has ended.
    fn read(&mut self, task: &mut Context<'_>) -> Poll<usize> {
        let core = &self.counted.core;
        match read_behind(&core.worker, &mut self.transport, task, &mut self.input) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(read)) => {
                self.bytes.wire_received += read as u64;
                core.stats.upstream_cx_rx_bytes_total().add(read as u64);
                Poll::Ready(read)
            }
            Poll::Ready(Err(_)) => Poll::Ready(0),
        }
    }

    /// What waits for its rest must not pin a whole read block.
    fn release_block(&mut self) {
        if !self.input.is_empty() && self.input.len() < 4096 {
            self.input = Bytes::copy_from_slice(&self.input);
        }
    }
}
