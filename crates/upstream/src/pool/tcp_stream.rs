//! A request whose payload goes to a host as plain TCP: a CONNECT that ends here (RFC 9110 section
//! 9.3.6).

use super::tcp::{TcpConnection, TcpConnectionInfo};
use nuncio_base::{Buffer, HeaderMap, names};
use nuncio_codec::{End, Frame, ResetReason};
use nuncio_stream_info::BytesMeter;
use std::task::{Context, Poll};

/// A request and its response on a TCP connection of its own. The response's head is made here as
/// soon as the request's is sent; the connection's end is the response's. Dropping the stream
/// closes the connection.
pub struct TcpStream {
    connection: TcpConnection,
    /// The response's head, until it is given.
    head: Option<HeaderMap>,
    out: Buffer,
    backed_up: bool,
    /// The request is complete: the connection's sending end is closed once all is written.
    request_ended: bool,
    write_ended: bool,
    response_ended: bool,
    bytes: BytesMeter,
}

impl TcpStream {
    /// A stream on a connection that nobody has used.
    pub fn new(connection: TcpConnection) -> Self {
        Self {
            connection,
            head: None,
            out: Buffer::new(),
            backed_up: false,
            request_ended: false,
            write_ended: false,
            response_ended: false,
            bytes: BytesMeter::default(),
        }
    }

    /// The request's head is there; nothing of it is sent.
    pub fn send_headers(&mut self, end: End) {
        let mut head = HeaderMap::default();
        head.set(names::STATUS, b"200");
        self.head = Some(head);
        self.request_ended = end.is_end();
    }

    /// Sends a piece of the body, emptying `data`.
    pub fn send_data(&mut self, data: &mut Buffer, end: End) {
        self.out.append(data);
        self.request_ended |= end.is_end();
        self.note_level();
    }

    /// The request ends with trailers, of which nothing is sent.
    pub fn send_trailers(&mut self) {
        self.request_ended = true;
    }

    /// Whether so much waits to be written that no more should be sent.
    pub fn write_blocked(&self) -> bool {
        self.backed_up
    }

    /// What is known of the connection.
    pub fn info(&self) -> &TcpConnectionInfo {
        &self.connection.info
    }

    /// The bytes of this stream on the wire so far.
    pub fn bytes(&self) -> BytesMeter {
        self.bytes
    }

    /// Writes what waits, then gives the next frame of the response.
    pub fn poll(&mut self, task: &mut Context<'_>) -> Poll<Frame> {
        self.flush(task);
        if let Some(head) = self.head.take() {
            return Poll::Ready(Frame::Headers(head, End::No));
        }
        if self.response_ended {
            return Poll::Pending;
        }
        if self.connection.guard.poll_host_failed(task) {
            self.response_ended = true;
            return Poll::Ready(Frame::Reset(ResetReason::ConnectionTermination));
        }
        let mut data = Buffer::new();
        let transport = &mut self.connection.transport;
        let read = self.connection.guard.worker().with_read_block(|block| {
            let read = transport.poll_read(task, block);
            if !block.is_empty() {
                data.push(block.split().freeze());
            }
            read
        });
        let end = match std::task::ready!(read) {
            Ok(0) => {
                self.response_ended = true;
                if self.write_ended {
                    self.connection.guard.complete();
                }
                End::Stream
            }
            Ok(read) => {
                self.bytes.wire_received += read as u64;
                self.connection.guard.received(read as u64);
                End::No
            }
            Err(_) => {
                self.response_ended = true;
                self.connection.guard.closed_by_peer();
                return Poll::Ready(Frame::Reset(ResetReason::ConnectionTermination));
            }
        };
        Poll::Ready(Frame::Data(data, end))
    }

    /// Writes what waits, as far as it goes. That the peer takes no more is noticed by reading.
    pub fn flush(&mut self, task: &mut Context<'_>) {
        let before = self.out.len();
        let transport = &mut self.connection.transport;
        if before > 0 {
            let written = transport.poll_write(task, &mut self.out);
            let sent = (before - self.out.len()) as u64;
            self.bytes.wire_sent += sent;
            self.connection.guard.sent(sent);
            if matches!(written, Poll::Ready(Err(_))) {
                self.out.clear();
            }
            self.note_level();
        }
        let transport = &mut self.connection.transport;
        if self.request_ended && self.out.is_empty() && !self.write_ended {
            self.write_ended = transport.poll_end_write(task).is_ready();
        }
    }

    /// Between its high and low watermark a buffer keeps the state it was in.
    fn note_level(&mut self) {
        let limit = self.connection.guard.buffer_limit();
        let waiting = self.out.len();
        if !self.backed_up && limit > 0 && waiting > limit {
            self.backed_up = true;
        } else if self.backed_up && waiting <= limit / 2 {
            self.backed_up = false;
        }
    }
}
