//! A stream on an HTTP/2 connection, and who holds it.

use super::client_stream::ClientStreamInfo;
use super::http2::{ActiveRequest, Seat};
use super::http2_connection::Http2Connection;
use nuncio_base::{Buffer, HeaderMap, names};
use nuncio_codec::{End, Frame, ResetReason};
use nuncio_stream_info::BytesMeter;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// A frame's bytes besides its payload, the payload of a full one, and all of a RST_STREAM.
const FRAME_HEADER: u64 = 9;
const FULL_FRAME: u64 = 16_384;
const RST_STREAM: u64 = 13;

/// What the connection's task gives to one that holds a stream.
#[derive(Default)]
pub(crate) struct Http2Stream {
    /// Data that follows data is one frame: the stream's window bounds what is here.
    frames: RefCell<VecDeque<Frame>>,
    waker: RefCell<Option<Waker>>,
    bytes: Cell<BytesMeter>,
    blocked: Cell<bool>,
}

impl Http2Stream {
    /// Forgets what it was; its memory stays.
    pub fn renew(&self) {
        self.frames.borrow_mut().clear();
        self.waker.take();
        self.bytes.take();
        self.blocked.take();
    }

    pub fn count(&self, add: impl FnOnce(&mut BytesMeter)) {
        let mut bytes = self.bytes.get();
        add(&mut bytes);
        self.bytes.set(bytes);
    }

    pub fn count_received(&self, frame: &Frame, head_bytes: usize) {
        let head = head_bytes as u64;
        self.count(|bytes| match frame {
            Frame::Data(data, _) => bytes.wire_received += data.len() as u64 + FRAME_HEADER,
            Frame::Headers(..) | Frame::Informational(_) | Frame::Trailers(_) => {
                bytes.header_received += head;
                bytes.wire_received += head;
            }
            Frame::Reset(_) => {}
        });
    }

    pub fn count_reset(&self, by_peer: bool) {
        self.count(|bytes| match by_peer {
            true => bytes.wire_received += RST_STREAM,
            false => bytes.wire_sent += RST_STREAM,
        });
    }

    /// Takes a frame in, and wakes who waits for it.
    pub fn receive(&self, frame: Frame) {
        let mut frames = self.frames.borrow_mut();
        match (frames.back_mut(), frame) {
            (Some(Frame::Data(data, end)), Frame::Data(mut more, more_end)) => {
                // It waits for long: it must not pin a read block by every piece.
                data.append(&mut more);
                data.compact();
                *end = more_end;
            }
            (_, frame) => frames.push_back(frame),
        }
        drop(frames);
        self.wake();
    }

    pub fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Whether the last frame that came is the last there will be.
    fn has_ended(&self) -> bool {
        self.frames.borrow().back().is_some_and(|last| match last {
            Frame::Headers(_, end) | Frame::Data(_, end) => end.is_end(),
            Frame::Trailers(_) | Frame::Reset(_) => true,
            Frame::Informational(_) => false,
        })
    }

    fn watch(&self, task: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match &mut *waker {
            Some(waker) => waker.clone_from(task.waker()),
            None => *waker = Some(task.waker().clone()),
        }
    }

    pub fn is_blocked(&self) -> bool {
        self.blocked.get()
    }

    pub fn set_blocked(&self, connection: &Http2Connection, blocked: bool) {
        if self.blocked.replace(blocked) == blocked {
            return;
        }
        let stats = &connection.core.stats;
        let all = connection.blocked.get();
        if blocked {
            connection.blocked.set(all + 1);
            stats.upstream_flow_control_backed_up_total().inc();
        } else {
            connection.blocked.set(all - 1);
            stats.upstream_flow_control_drained_total().inc();
        }
    }

    /// Nobody waits any more.
    fn forget_blocked(&self, connection: &Http2Connection) {
        if self.blocked.take() {
            connection.blocked.set(connection.blocked.get() - 1);
        }
    }
}

/// A stream's hold on its connection.
pub(crate) struct Http2Lease {
    seat: Seat,
    stream: Rc<Http2Stream>,
    /// None before its head was sent.
    id: Option<u32>,
    info: ClientStreamInfo,
    /// The body of a request that waits for another protocol, and whether it ends.
    held: Buffer,
    held_end: bool,
    awaits_switch: bool,
    request_ended: bool,
    response_ended: bool,
    _active: ActiveRequest,
}

impl Http2Lease {
    pub fn new(seat: Seat, active: ActiveRequest) -> Self {
        let connection = seat.connection();
        let stream = connection.new_stream();
        let info = ClientStreamInfo {
            streams_before: connection.carried.get().saturating_sub(1),
            ..connection.info.clone()
        };
        Self {
            seat,
            stream,
            id: None,
            info,
            held: Buffer::new(),
            held_end: false,
            awaits_switch: false,
            request_ended: false,
            response_ended: false,
            _active: active,
        }
    }

    pub fn info(&self) -> &ClientStreamInfo {
        &self.info
    }

    /// The bytes so far, with those of the reset that ends it if it ends now.
    pub fn bytes(&self) -> BytesMeter {
        let mut bytes = self.stream.bytes.get();
        let codec = self.seat.connection().codec.borrow();
        if !self.response_ended && self.id.is_some_and(|id| codec.is_open(id)) {
            bytes.wire_sent += RST_STREAM;
        }
        bytes
    }

    pub fn send_headers(&mut self, headers: &HeaderMap, end: End) {
        let connection = self.seat.connection();
        self.id = connection.open(headers, end, &self.stream);
        if self.id.is_none() {
            let reset = Frame::Reset(ResetReason::ConnectionTermination);
            self.stream.receive(reset);
        }
        self.request_ended = end.is_end();
        self.awaits_switch = headers.get(names::METHOD) == Some(b"CONNECT".as_slice())
            || (headers.contains(names::UPGRADE) && headers.contains(names::CONNECTION));
    }

    pub fn send_data(&mut self, data: &mut Buffer, end: End) {
        if self.awaits_switch {
            self.held.append(data);
            self.held_end = end.is_end();
            return;
        }
        self.request_ended |= end.is_end();
        let Some(id) = self.id else {
            return data.clear();
        };
        let data = std::mem::take(data);
        let len = data.len() as u64;
        let frames = len.div_ceil(FULL_FRAME).max(1);
        self.stream
            .count(|bytes| bytes.wire_sent += len + frames * FRAME_HEADER);
        let connection = self.seat.connection();
        connection.codec.borrow_mut().send_data(id, data, end);
        self.note_level();
        self.seat.connection().wake();
    }

    pub fn send_trailers(&mut self, trailers: &HeaderMap) {
        self.request_ended = true;
        if let Some(id) = self.id {
            let connection = self.seat.connection();
            let mut codec = connection.codec.borrow_mut();
            codec.send_trailers(id, trailers.clone());
            connection.wake();
        }
    }

    /// Whether so much waits to be written that no more should be sent.
    pub fn write_blocked(&self) -> bool {
        self.stream.is_blocked() || self.is_over_limit(self.held.len())
    }

    fn is_over_limit(&self, bytes: usize) -> bool {
        let limit = self
            .seat
            .connection()
            .core
            .spec()
            .per_connection_buffer_limit as usize;
        limit > 0 && bytes > limit
    }

    /// Whether the end of the response waits to be taken, or that of the connection.
    pub fn has_ended(&self) -> bool {
        self.stream.has_ended()
    }

    /// Bytes that wait to be written.
    pub fn unwritten(&self) -> usize {
        let codec = self.seat.connection().codec.borrow();
        self.held.len() + self.id.map_or(0, |id| codec.waiting(id))
    }

    fn note_level(&self) {
        if self.is_over_limit(self.unwritten()) {
            self.stream.set_blocked(self.seat.connection(), true);
        }
    }

    /// Makes sure that the task is woken when there is room to write.
    pub fn flush(&mut self, task: &Context<'_>) {
        self.stream.watch(task);
    }

    /// The next frame of the response; behind its end, nothing.
    pub fn poll(&mut self, task: &Context<'_>) -> Poll<Frame> {
        let frame = self.stream.frames.borrow_mut().pop_front();
        let Some(frame) = frame else {
            self.stream.watch(task);
            return Poll::Pending;
        };
        match &frame {
            Frame::Headers(_, end) => {
                self.response_ended = end.is_end();
                self.switch();
            }
            Frame::Data(_, end) => {
                self.response_ended = end.is_end();
                self.release();
            }
            Frame::Trailers(_) => self.response_ended = true,
            Frame::Reset(reason) => {
                self.response_ended = true;
                self.request_ended = true;
                self.count_reset(*reason);
            }
            Frame::Informational(_) => {}
        }
        Poll::Ready(frame)
    }

    /// What was received is taken on: the host may send as much again.
    fn release(&self) {
        let connection = self.seat.connection();
        let mut codec = connection.codec.borrow_mut();
        if let Some(id) = self.id {
            codec.release(id);
            if codec.has_output() {
                connection.wake();
            }
        }
    }

    /// The host has answered whether it speaks the other protocol: what was held back goes, or is
    /// of no use to anyone.
    fn switch(&mut self) {
        if !std::mem::take(&mut self.awaits_switch) {
            return;
        }
        let mut held = std::mem::take(&mut self.held);
        let end = std::mem::take(&mut self.held_end);
        if !self.response_ended && (!held.is_empty() || end) {
            self.send_data(&mut held, End::when(end));
        }
    }

    /// As Envoy counts the ends of streams that share a connection.
    fn count_reset(&self, reason: ResetReason) {
        let stats = &self.seat.connection().core.stats;
        match reason {
            ResetReason::ConnectionTermination => stats.upstream_rq_pending_failure_eject().inc(),
            ResetReason::LocalReset | ResetReason::ProtocolError => {
                stats.upstream_rq_tx_reset().inc();
            }
            ResetReason::RemoteReset => stats.upstream_rq_rx_reset().inc(),
            _ => {}
        }
    }
}

impl Drop for Http2Lease {
    fn drop(&mut self) {
        let connection = self.seat.connection();
        self.stream.forget_blocked(connection);
        if let Some(id) = self.id
            && connection.leave(id, self.request_ended && self.response_ended)
        {
            connection.core.stats.upstream_rq_tx_reset().inc();
        }
        connection.reuse(&self.stream);
    }
}
