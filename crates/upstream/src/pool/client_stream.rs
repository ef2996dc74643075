//! A stream to a host, whatever HTTP version its connection speaks.

use super::http1::Http1Lease;
use super::http2_stream::Http2Lease;
use nuncio_base::address::Address;
use nuncio_base::{Buffer, HeaderMap};
use nuncio_codec::{End, Frame};
use nuncio_net::Socket;
use nuncio_stream_info::{BytesMeter, Protocol, TlsInfo};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

/// What is known of a stream's connection.
#[derive(Clone, Debug)]
pub struct ClientStreamInfo {
    /// The connection's number, unique in this process.
    pub connection_id: u64,
    /// The connection's own address.
    pub local_address: Option<Address>,
    /// The address that was connected to.
    pub remote_address: Address,
    /// The HTTP version.
    pub protocol: Protocol,
    /// How many streams the connection has carried before this one.
    pub streams_before: u64,
    /// TLS facts.
    pub tls: Option<Arc<TlsInfo>>,
    /// When connecting began.
    pub connect_start: Instant,
    /// When the connection was there.
    pub connect_end: Instant,
}

/// One request and its response on an upstream connection.
///
/// What is sent is written by the next [`poll`](Self::poll). Dropping the stream ends it: where
/// request and response are complete and the connection can take another, that goes back to its
/// pool; else the stream is reset, which closes an HTTP/1 connection.
pub struct ClientStream(Kind);

enum Kind {
    Http1(Http1Lease),
    Http2(Box<Http2Lease>),
}

impl ClientStream {
    pub(super) fn http1(lease: Http1Lease) -> Self {
        Self(Kind::Http1(lease))
    }

    pub(super) fn http2(lease: Http2Lease) -> Self {
        Self(Kind::Http2(Box::new(lease)))
    }

    /// Sends the request's head; `headers` have `:method`, and `:path` or (CONNECT) `:authority`.
    pub fn send_headers(&mut self, headers: &HeaderMap, end: End) {
        match &mut self.0 {
            Kind::Http1(lease) => lease.connection_mut().send_headers(headers, end),
            Kind::Http2(lease) => lease.send_headers(headers, end),
        }
    }

    /// Sends a piece of the body, emptying `data`. It is taken whatever the buffer limit; see
    /// [`write_blocked`](Self::write_blocked).
    pub fn send_data(&mut self, data: &mut Buffer, end: End) {
        match &mut self.0 {
            Kind::Http1(lease) => lease.connection_mut().send_data(data, end),
            Kind::Http2(lease) => lease.send_data(data, end),
        }
    }

    /// Sends trailers, which end the request.
    pub fn send_trailers(&mut self, trailers: &HeaderMap) {
        match &mut self.0 {
            Kind::Http1(lease) => lease.connection_mut().send_trailers(trailers),
            Kind::Http2(lease) => lease.send_trailers(trailers),
        }
    }

    /// Writes what waits, then gives the next frame of the response. Pending while there is none,
    /// and behind the end of the response (then the task is woken for writing only).
    ///
    /// Not polling it is how a slow downstream holds the upstream back.
    pub fn poll(&mut self, task: &mut Context<'_>) -> Poll<Frame> {
        match &mut self.0 {
            Kind::Http1(lease) => lease.connection_mut().poll(task),
            Kind::Http2(lease) => lease.poll(task),
        }
    }

    /// Writes what waits, as far as it goes, and reads nothing: for while the response is held
    /// back.
    pub fn flush(&mut self, task: &mut Context<'_>) {
        match &mut self.0 {
            Kind::Http1(lease) => lease.connection_mut().flush(task),
            Kind::Http2(lease) => lease.flush(task),
        }
    }

    /// How many bytes of the response's body its socket still has to bring, where it is plain, that
    /// is known and none waits here.
    pub fn bulk_source(&self) -> Option<(u64, &Socket)> {
        match &self.0 {
            Kind::Http1(lease) => lease.connection().bulk_source(),
            Kind::Http2(_) => None,
        }
    }

    /// So many of them, fewer than that, were taken from the socket.
    pub fn bulk_taken(&mut self, bytes: u64) {
        match &mut self.0 {
            Kind::Http1(lease) => lease.connection_mut().bulk_taken(bytes),
            Kind::Http2(_) => nuncio_base::bug!("bulk of a connection that has none"),
        }
    }

    /// Whether so much waits to be written that no more should be sent; from the cluster's buffer
    /// limit on until half of it is left.
    pub fn write_blocked(&self) -> bool {
        match &self.0 {
            Kind::Http1(lease) => lease.connection().write_blocked(),
            Kind::Http2(lease) => lease.write_blocked(),
        }
    }

    /// How many bytes wait to be written.
    pub fn unwritten(&self) -> usize {
        match &self.0 {
            Kind::Http1(lease) => lease.connection().unwritten(),
            Kind::Http2(lease) => lease.unwritten(),
        }
    }

    /// Whether the response has not ended, and its end will be heard of without reading on, as over
    /// HTTP/2 only: whoever holds it back need not look for it.
    pub fn tells_its_end(&self) -> bool {
        match &self.0 {
            Kind::Http1(_) => false,
            Kind::Http2(lease) => !lease.has_ended(),
        }
    }

    /// What is known of the connection.
    pub fn info(&self) -> &ClientStreamInfo {
        match &self.0 {
            Kind::Http1(lease) => &lease.connection().info,
            Kind::Http2(lease) => lease.info(),
        }
    }

    /// The bytes of this stream on the wire so far.
    pub fn bytes(&self) -> BytesMeter {
        match &self.0 {
            Kind::Http1(lease) => lease.connection().bytes(),
            Kind::Http2(lease) => lease.bytes(),
        }
    }

    /// Ends the stream; the same as dropping it.
    pub fn reset(self) {}
}
