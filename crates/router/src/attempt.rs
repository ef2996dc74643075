//! One attempt to get a response from one host.

use crate::upstream_log::AttemptRecord;
use crate::upstream_stream::{UpstreamRequest, UpstreamStream};
use nuncio_base::{Buffer, HeaderMap};
use nuncio_codec::{End, Frame, ResetReason};
use nuncio_http::bulk::BulkBody;
use nuncio_net::Socket;
use nuncio_stream_info::BytesMeter;
use nuncio_upstream::Host;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

enum Phase {
    /// Waits for a connection.
    Waiting(UpstreamRequest),
    /// Has one.
    Open(UpstreamStream),
    /// Is over.
    Ended,
}

/// What an attempt's turn brought.
pub(crate) enum Step {
    /// The pool gave a connection.
    Ready,
    /// A piece of the response.
    Frame(Frame),
    /// It failed before there was a response, or in the middle of it.
    Reset(ResetReason, Option<Arc<str>>),
}

/// An attempt.
pub(crate) struct Attempt {
    phase: Phase,
    pub host: Arc<Host>,
    pub started: Instant,
    /// When something last came from upstream, or the attempt began.
    pub moved_at: Instant,
    /// Body and trailers that wait for the connection.
    waiting: Buffer,
    waiting_end: Option<End>,
    waiting_trailers: Option<HeaderMap>,
    /// Since when the limits of one try run: there is a connection, and the request is complete.
    pub per_try_from: Option<Instant>,
    /// Whether a failure is the host's.
    pub at_host: bool,
    pub request_sent: bool,
    pub request_ended: bool,
    /// Whether the response's headers report the host's load.
    pub load_reported: bool,
    /// What is logged of it by itself.
    pub record: Option<Box<AttemptRecord>>,
    /// The bytes on the wire, kept when the connection is given back.
    bytes: BytesMeter,
}

impl Attempt {
    pub fn new(request: UpstreamRequest, host: Arc<Host>, now: Instant) -> Self {
        Self {
            phase: Phase::Waiting(request),
            host,
            started: now,
            moved_at: now,
            waiting: Buffer::new(),
            waiting_end: None,
            waiting_trailers: None,
            per_try_from: None,
            at_host: true,
            request_sent: false,
            request_ended: false,
            load_reported: false,
            record: None,
            bytes: BytesMeter::default(),
        }
    }

    /// Replaces the connection's stream by what `wrap` makes of it.
    pub fn wrap(&mut self, wrap: impl FnOnce(UpstreamStream) -> UpstreamStream) {
        self.phase = match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Open(stream) => Phase::Open(wrap(stream)),
            other => other,
        };
    }

    /// Whether body or trailers wait to follow the head.
    pub fn has_waiting(&self) -> bool {
        self.waiting_end.is_some() || self.waiting_trailers.is_some()
    }

    /// The connection's stream, once there is one.
    pub fn stream(&self) -> Option<&UpstreamStream> {
        match &self.phase {
            Phase::Open(stream) => Some(stream),
            Phase::Waiting(_) | Phase::Ended => None,
        }
    }

    /// The attempt's bytes on the wire so far.
    pub fn bytes(&self) -> BytesMeter {
        self.stream().map_or(self.bytes, UpstreamStream::bytes)
    }

    /// Sends the head, and what has waited for it.
    pub fn send_headers(&mut self, headers: &HeaderMap, end: End) {
        let Phase::Open(stream) = &mut self.phase else {
            return;
        };
        self.request_sent = true;
        stream.send_headers(headers, end);
        self.request_ended |= end.is_end();
        let mut waiting = std::mem::take(&mut self.waiting);
        if let Some(end) = self.waiting_end.take() {
            self.request_ended |= end.is_end();
            if let Some(record) = &mut self.record {
                record.info.bytes_sent += waiting.len() as u64;
            }
            stream.send_data(&mut waiting, end);
        }
        if let Some(trailers) = self.waiting_trailers.take() {
            self.request_ended = true;
            stream.send_trailers(&trailers);
        }
    }

    /// Sends a piece of body, or keeps it until there is a connection.
    pub fn send_data(&mut self, mut data: Buffer, end: End) {
        match &mut self.phase {
            Phase::Open(stream) if self.request_sent => {
                self.request_ended |= end.is_end();
                if let Some(record) = &mut self.record {
                    record.info.bytes_sent += data.len() as u64;
                }
                stream.send_data(&mut data, end);
            }
            Phase::Open(_) | Phase::Waiting(_) => {
                self.waiting.append(&mut data);
                self.waiting.compact();
                self.waiting_end = Some(end);
            }
            Phase::Ended => {}
        }
    }

    /// Sends trailers, or keeps them until there is a connection.
    pub fn send_trailers(&mut self, trailers: &HeaderMap) {
        match &mut self.phase {
            Phase::Open(stream) if self.request_sent => {
                self.request_ended = true;
                stream.send_trailers(trailers);
            }
            Phase::Open(_) | Phase::Waiting(_) => self.waiting_trailers = Some(trailers.clone()),
            Phase::Ended => {}
        }
    }

    /// Whether so much waits to be sent that no more should come.
    pub fn write_blocked(&self, limit: usize) -> bool {
        match &self.phase {
            Phase::Open(stream) => stream.write_blocked(),
            Phase::Waiting(_) => limit > 0 && self.waiting.len() >= limit,
            Phase::Ended => false,
        }
    }

    /// The attempt's turn. While the response is `paused`, only sending goes on.
    pub fn poll(&mut self, task: &mut Context<'_>, paused: bool) -> Poll<Step> {
        match &mut self.phase {
            Phase::Waiting(request) => match request.poll(task) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok(stream)) => {
                    self.phase = Phase::Open(stream);
                    Poll::Ready(Step::Ready)
                }
                Poll::Ready(Err(failure)) => {
                    self.phase = Phase::Ended;
                    self.at_host = failure.at_host;
                    Poll::Ready(Step::Reset(
                        failure.reason,
                        Some(failure.transport_failure_reason),
                    ))
                }
            },
            Phase::Open(stream) => {
                if paused {
                    stream.flush(task);
                    return Poll::Pending;
                }
                match stream.poll(task) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(Frame::Reset(reason)) => self.reset(reason),
                    Poll::Ready(frame) => Poll::Ready(Step::Frame(frame)),
                }
            }
            Phase::Ended => Poll::Pending,
        }
    }

    fn reset(&mut self, reason: ResetReason) -> Poll<Step> {
        self.end();
        Poll::Ready(Step::Reset(reason, None))
    }

    /// Ends the attempt; a connection that is not done is closed by this.
    pub fn end(&mut self) {
        self.bytes = self.bytes();
        self.phase = Phase::Ended;
    }
}

impl BulkBody for Attempt {
    fn source(&self) -> Option<(u64, &Socket)> {
        match self.stream()? {
            UpstreamStream::Http(stream) => stream.bulk_source(),
            UpstreamStream::Tcp(_) | UpstreamStream::Udp(_) | UpstreamStream::Filtered(_) => None,
        }
    }

    fn taken(&mut self, bytes: u64, now: Instant) {
        if let Phase::Open(UpstreamStream::Http(stream)) = &mut self.phase {
            self.moved_at = now;
            stream.bulk_taken(bytes);
            if let Some(record) = &mut self.record {
                record.info.bytes_received += bytes;
            }
        }
    }
}
