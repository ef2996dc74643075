//! What is wrong with a message, and what Envoy tells the peer and the log about it.

/// A message that breaks HTTP/1, or a limit. Nothing more is read from its connection.
///
/// A server answers a request it has not answered yet with `status`, `connection: close` and the
/// status's reason phrase as the body; the flag is `DPE` (a client: `UPE`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct H1Error {
    /// The status to answer with; for a client's own use where a response is at fault.
    pub status: u16,
    /// Envoy's response code details, as in `%RESPONSE_CODE_DETAILS%`.
    pub details: &'static str,
    /// What Envoy logs of it.
    pub message: &'static str,
}

macro_rules! errors {
    ($($(#[$meta:meta])* $name:ident = $status:literal $details:literal $message:literal,)*) => {
        impl H1Error {
            $($(#[$meta])*
            pub const $name: Self =
                Self { status: $status, details: $details, message: $message };)*
        }
    };
}

errors! {
    /// The request line's method is none Envoy knows.
    INVALID_METHOD = 400 "http1.codec_error" "http/1.1 protocol error: HPE_INVALID_METHOD",
    /// The request line is no request line, or its target cannot be one.
    INVALID_TARGET = 400 "http1.codec_error" "http/1.1 protocol error: HPE_INVALID_URL",
    /// The version is written wrongly.
    INVALID_VERSION = 400 "http1.codec_error" "http/1.1 protocol error: HPE_INVALID_VERSION",
    /// A response does not begin with a status line.
    INVALID_STATUS = 400 "http1.codec_error" "http/1.1 protocol error: HPE_INVALID_CONSTANT",
    /// A header name that is no token, a line without a colon, a folded line.
    INVALID_HEADER = 400 "http1.codec_error" "http/1.1 protocol error: HPE_INVALID_HEADER_TOKEN",
    /// A line that does not end in CR and LF.
    INVALID_LINE_END = 400 "http1.codec_error" "http/1.1 protocol error: HPE_LF_EXPECTED",
    /// A control byte in a value.
    INVALID_CHARACTERS = 400 "http1.invalid_characters"
        "http/1.1 protocol error: header value contains invalid chars",
    /// A content-length that is repeated or no number.
    INVALID_CONTENT_LENGTH = 400 "http1.codec_error"
        "http/1.1 protocol error: HPE_UNEXPECTED_CONTENT_LENGTH",
    /// A chunk's size, extension or end is wrong.
    INVALID_CHUNK = 400 "http1.codec_error" "http/1.1 protocol error: HPE_INVALID_CHUNK_SIZE",
    /// Framing or routing fields among the trailers (RFC 9110 section 6.5.1).
    INVALID_TRAILER = 400 "http1.codec_error" "http/1.1 protocol error: trailer not allowed",
    /// Both ways to say where the body ends (RFC 9112 section 6.3).
    CHUNKED_AND_LENGTH = 400 "http1.content_length_and_chunked_not_allowed"
        "http/1.1 protocol error: both 'Content-Length' and 'Transfer-Encoding' are set.",
    /// A transfer coding other than `chunked`.
    INVALID_TRANSFER_ENCODING = 501 "http1.invalid_transfer_encoding"
        "http/1.1 protocol error: unsupported transfer encoding",
    /// Transfer-encoding where there can be none: HTTP/1.0 requests, 1xx and 204 responses.
    TRANSFER_ENCODING_NOT_ALLOWED = 400 "http1.transfer_encoding_not_allowed"
        "http/1.1 protocol error: transfer encoding not allowed in 1xx or 204",
    /// A content-length in a 1xx or 204 response.
    CONTENT_LENGTH_NOT_ALLOWED = 400 "http1.content_length_not_allowed"
        "http/1.1 protocol error: content length not allowed in 1xx or 204",
    /// A CONNECT with a body.
    BODY_DISALLOWED = 400 "http1.body_disallowed"
        "http/1.1 protocol error: unsupported content length",
    /// `connection` names fields that it must not.
    CONNECTION_HEADER_REJECTED = 400 "http1.connection_header_rejected"
        "Invalid nominated headers in Connection.",
    /// A target in absolute or authority form that is wrong.
    INVALID_URL = 400 "http1.invalid_url" "http/1.1 protocol error: invalid url in request line",
    /// An absolute target that is neither http nor https.
    INVALID_SCHEME = 400 "http1.invalid_scheme"
        "http/1.1 protocol error: invalid scheme in request line",
    /// Host or authority with bytes that cannot be there, or given twice.
    INVALID_AUTHORITY = 400 "http.invalid_authority"
        "http/1.1 protocol error: request headers failed spec compliance checks",
    /// A header name with an underscore, where those are rejected.
    UNDERSCORE = 400 "http1.unexpected_underscore"
        "http/1.1 protocol error: header name contains underscores",
    /// A version before HTTP/1.1 that is not accepted.
    LOW_VERSION = 426 "low_version" "Upgrade required for HTTP/1.0 or HTTP/0.9",
    /// More header bytes than allowed.
    HEADERS_TOO_LARGE = 431 "http1.headers_too_large"
        "http/1.1 protocol error: headers size exceeds limit",
    /// More header fields than allowed.
    TOO_MANY_HEADERS = 431 "http1.too_many_headers"
        "http/1.1 protocol error: headers count exceeds limit",
    /// More trailer bytes than allowed.
    TRAILERS_TOO_LARGE = 431 "http1.headers_too_large"
        "http/1.1 protocol error: trailers size exceeds limit",
    /// More trailer fields than allowed.
    TOO_MANY_TRAILERS = 431 "http1.too_many_headers"
        "http/1.1 protocol error: trailers count exceeds limit",
    /// Bytes on a connection that asked for none: behind a response, or without a request.
    PREMATURE_RESPONSE = 502 "http1.codec_error" "http/1.1 protocol error: premature response",
    /// A 408 on an idle connection: the peer's way to say that it closes. Envoy does not count it
    /// as a protocol error.
    IDLE_TIMEOUT_RESPONSE = 408 "http1.codec_error" "http/1.1 protocol error: premature response",
}

impl H1Error {
    /// Whether `upstream_cx_protocol_error` counts it.
    pub fn is_protocol_error(self) -> bool {
        self != Self::IDLE_TIMEOUT_RESPONSE
    }

    /// Whether `requests_rejected_with_underscores_in_headers` counts it.
    pub fn is_underscore(self) -> bool {
        self == Self::UNDERSCORE
    }
}

impl std::fmt::Display for H1Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message)
    }
}

impl std::error::Error for H1Error {}
