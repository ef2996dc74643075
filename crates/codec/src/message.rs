//! The version-neutral message: what every codec takes in and gives out.

use nuncio_base::{Buffer, HeaderMap};

/// Numbers a stream on its connection; HTTP/1 counts its requests.
pub type StreamId = u64;

/// One step of an HTTP message in either direction, whatever the wire version.
#[derive(Debug, PartialEq)]
pub enum Frame {
    /// The head of a request, or of a final response (101 included).
    Headers(HeaderMap, End),
    /// The head of an interim response: 100, 102, 103.
    Informational(HeaderMap),
    /// A piece of the body.
    Data(Buffer, End),
    /// Trailers; they end the message.
    Trailers(HeaderMap),
    /// The stream ended before the message did.
    Reset(ResetReason),
}

/// Whether a frame is the last of its message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// It is.
    Stream,
    /// More follows.
    No,
}

impl End {
    /// `End::Stream` where `end` is true.
    pub const fn when(end: bool) -> Self {
        if end { Self::Stream } else { Self::No }
    }

    /// Whether the message ends here.
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Stream)
    }
}

/// Why a stream was reset; the texts are Envoy's, as users see them in details and bodies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResetReason {
    /// We reset it.
    LocalReset,
    /// We refused it; the peer may retry.
    LocalRefusedStreamReset,
    /// The peer reset it.
    RemoteReset,
    /// The peer refused it; it may be retried.
    RemoteRefusedStreamReset,
    /// The connection could not be made: our side failed.
    LocalConnectionFailure,
    /// The connection could not be made: the peer's side failed.
    RemoteConnectionFailure,
    /// The connection was not made in time.
    ConnectionTimeout,
    /// The connection ended.
    ConnectionTermination,
    /// A pool or circuit breaker is full.
    Overflow,
    /// A CONNECT failed.
    ConnectError,
    /// The peer broke the protocol.
    ProtocolError,
    /// The overload manager.
    OverloadManager,
    /// HTTP/1: the message ended before its declared length.
    Http1PrematureUpstreamHalfClose,
}

impl ResetReason {
    /// As Envoy prints it, in `upstream_reset_before_response_started{...}` and reply bodies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LocalReset => "local reset",
            Self::LocalRefusedStreamReset => "local refused stream reset",
            Self::RemoteReset => "remote reset",
            Self::RemoteRefusedStreamReset => "remote refused stream reset",
            Self::LocalConnectionFailure => "local connection failure",
            Self::RemoteConnectionFailure => "remote connection failure",
            Self::ConnectionTimeout => "connection timeout",
            Self::ConnectionTermination => "connection termination",
            Self::Overflow => "overflow",
            Self::ConnectError => "remote error with CONNECT request",
            Self::ProtocolError => "protocol error",
            Self::OverloadManager => "overload manager reset",
            Self::Http1PrematureUpstreamHalfClose => "HTTP/1 premature upstream half close",
        }
    }
}
