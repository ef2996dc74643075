//! What is wrong with a connection or a stream, on the wire and in Envoy's words.

/// An error code on the wire (RFC 9113 section 7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// NO_ERROR.
    pub const NONE: Self = Self(0);
    /// PROTOCOL_ERROR.
    pub const PROTOCOL: Self = Self(1);
    /// INTERNAL_ERROR.
    pub const INTERNAL: Self = Self(2);
    /// FLOW_CONTROL_ERROR.
    pub const FLOW_CONTROL: Self = Self(3);
    /// STREAM_CLOSED.
    pub const STREAM_CLOSED: Self = Self(5);
    /// FRAME_SIZE_ERROR.
    pub const FRAME_SIZE: Self = Self(6);
    /// REFUSED_STREAM.
    pub const REFUSED_STREAM: Self = Self(7);
    /// CANCEL.
    pub const CANCEL: Self = Self(8);
    /// COMPRESSION_ERROR.
    pub const COMPRESSION: Self = Self(9);
    /// CONNECT_ERROR.
    pub const CONNECT: Self = Self(10);
    /// ENHANCE_YOUR_CALM.
    pub const ENHANCE_YOUR_CALM: Self = Self(11);
}

/// Envoy's details of what a head does wrong.
pub(super) const INVALID_FIELD: &str = "http2.invalid.header.field";
pub(super) const MESSAGING: &str = "http2.violation.of.messaging.rule";
pub(super) const CODEC_ERROR: &str = "codec_error:The_user_callback_function_failed";

/// The connection must end. Where the peer is to be told why, the GOAWAY is in the output already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct H2Error {
    /// What the GOAWAY says; `None` where the peer is told nothing.
    pub code: Option<ErrorCode>,
    /// The response code details of the streams that are open.
    pub details: &'static str,
    /// The stream that is at fault, and its own details.
    pub stream: Option<(u32, &'static str)>,
    /// It is a flood, which Envoy does not count as a protocol error.
    pub is_flood: bool,
}

impl H2Error {
    /// The peer broke the framing.
    pub(super) const fn connection(code: ErrorCode) -> Self {
        Self {
            code: Some(code),
            details: CODEC_ERROR,
            stream: None,
            is_flood: false,
        }
    }

    /// The peer does not speak HTTP/2.
    pub(super) const PREFACE: Self = Self {
        code: None,
        ..Self::connection(ErrorCode::PROTOCOL)
    };

    /// A message broke the rules, and no stream errors are wanted.
    pub(super) const fn message(stream: u32, details: &'static str) -> Self {
        Self {
            code: None,
            details: CODEC_ERROR,
            stream: Some((stream, details)),
            is_flood: false,
        }
    }

    /// Of what is open, this stream is at fault.
    pub(super) const fn on_stream(mut self, stream: u32, details: &'static str) -> Self {
        self.stream = Some((stream, details));
        self
    }

    pub(super) const fn flood(details: &'static str) -> Self {
        Self {
            code: None,
            details,
            stream: None,
            is_flood: true,
        }
    }
}
