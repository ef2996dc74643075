//! What an attempt waits for and sends through: an HTTP stream, or, for the payload of a CONNECT
//! that ends here, a TCP connection or a UDP socket.

use crate::upstream_filters::FilteredStream;
use nuncio_base::{Buffer, HeaderMap};
use nuncio_codec::{End, Frame, ResetReason};
use nuncio_stream_info::{BytesMeter, UpstreamInfo};
use nuncio_upstream::{ClientStream, PoolFailure, StreamRequest, TcpRequest, TcpStream, UdpStream};
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// A connection that was asked for.
pub(crate) enum UpstreamRequest {
    Http(StreamRequest),
    Tcp(TcpRequest),
    /// A socket that is there at once; `None` once it is taken, or where there is none.
    Udp(Option<Box<UdpStream>>),
}

impl UpstreamRequest {
    /// Whether there may be no pool for it.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Http(request) if request.is_refused())
    }

    pub fn poll(&mut self, task: &mut Context<'_>) -> Poll<Result<UpstreamStream, PoolFailure>> {
        Poll::Ready(match self {
            Self::Http(request) => ready!(request.poll(task)).map(UpstreamStream::Http),
            Self::Tcp(request) => ready!(request.poll(task))
                .map(|connection| UpstreamStream::Tcp(Box::new(TcpStream::new(connection)))),
            Self::Udp(stream) => stream.take().map(UpstreamStream::Udp).ok_or_else(no_socket),
        })
    }
}

/// There is no socket for packets to a host.
fn no_socket() -> PoolFailure {
    PoolFailure {
        reason: ResetReason::LocalConnectionFailure,
        transport_failure_reason: "".into(),
        at_host: true,
    }
}

/// A connection that is there.
pub(crate) enum UpstreamStream {
    Http(ClientStream),
    Tcp(Box<TcpStream>),
    Udp(Box<UdpStream>),
    /// With filters before it.
    Filtered(Box<FilteredStream>),
}

impl UpstreamStream {
    pub fn send_headers(&mut self, headers: &HeaderMap, end: End) {
        match self {
            Self::Http(stream) => stream.send_headers(headers, end),
            Self::Tcp(stream) => stream.send_headers(end),
            Self::Udp(stream) => stream.send_headers(),
            Self::Filtered(stream) => stream.send_headers(headers, end),
        }
    }

    pub fn send_data(&mut self, data: &mut Buffer, end: End) {
        match self {
            Self::Http(stream) => stream.send_data(data, end),
            Self::Tcp(stream) => stream.send_data(data, end),
            Self::Udp(stream) => stream.send_data(data),
            Self::Filtered(stream) => stream.send_data(data, end),
        }
    }

    pub fn send_trailers(&mut self, trailers: &HeaderMap) {
        match self {
            Self::Http(stream) => stream.send_trailers(trailers),
            Self::Tcp(stream) => stream.send_trailers(),
            Self::Udp(_) => {}
            Self::Filtered(stream) => stream.send_trailers(trailers),
        }
    }

    pub fn poll(&mut self, task: &mut Context<'_>) -> Poll<Frame> {
        match self {
            Self::Http(stream) => stream.poll(task),
            Self::Tcp(stream) => stream.poll(task),
            Self::Udp(stream) => stream.poll(task),
            Self::Filtered(stream) => stream.poll(task),
        }
    }

    pub fn flush(&mut self, task: &mut Context<'_>) {
        match self {
            Self::Http(stream) => stream.flush(task),
            Self::Tcp(stream) => stream.flush(task),
            Self::Udp(_) => {}
            Self::Filtered(stream) => stream.flush(task),
        }
    }

    pub fn write_blocked(&self) -> bool {
        match self {
            Self::Http(stream) => stream.write_blocked(),
            Self::Tcp(stream) => stream.write_blocked(),
            Self::Udp(_) => false,
            Self::Filtered(stream) => stream.write_blocked(),
        }
    }

    pub fn bytes(&self) -> BytesMeter {
        match self {
            Self::Http(stream) => stream.bytes(),
            Self::Tcp(stream) => stream.bytes(),
            Self::Udp(stream) => stream.bytes(),
            Self::Filtered(stream) => stream.bytes(),
        }
    }

    /// Records which connection it is.
    pub fn describe(&self, upstream: &mut UpstreamInfo) {
        match self {
            Self::Http(stream) => {
                let connection = stream.info();
                upstream.set_remote_address(&connection.remote_address);
                upstream.local_address = connection.local_address.clone();
                upstream.connection_id = Some(connection.connection_id);
                upstream.protocol = Some(connection.protocol);
                upstream.streams_before = connection.streams_before;
                upstream.tls.clone_from(&connection.tls);
                upstream.connect_start = Some(connection.connect_start);
                upstream.connect_end = Some(connection.connect_end);
            }
            Self::Filtered(stream) => stream.describe(upstream),
            Self::Udp(stream) => upstream.local_address = stream.local_address(),
            Self::Tcp(stream) => {
                let connection = stream.info();
                upstream.set_remote_address(&connection.remote_address);
                upstream.local_address = connection.local_address.clone();
                upstream.connection_id = Some(connection.connection_id);
                upstream.tls.clone_from(&connection.tls);
                upstream.connect_start = Some(connection.connect_start);
                upstream.connect_end = Some(connection.connect_end);
            }
        }
    }
    /// The request's headers where filters may have changed them.
    pub fn request_headers(&self) -> Option<&HeaderMap> {
        match self {
            Self::Http(_) | Self::Tcp(_) | Self::Udp(_) => None,
            Self::Filtered(stream) => stream.request_headers(),
        }
    }

    /// When it wants its turn at the latest.
    pub fn wake_at(&self) -> Option<Instant> {
        match self {
            Self::Http(_) | Self::Tcp(_) | Self::Udp(_) => None,
            Self::Filtered(stream) => stream.wake_at(),
        }
    }
}
