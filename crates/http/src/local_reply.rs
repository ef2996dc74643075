//! Replies that this proxy makes itself: bodies, details and headers as Envoy's
//! (`Http::Utility::sendLocalReply`).

use crate::chain::state::StreamState;
use crate::route_headers::finalize_response;
use bytes::Bytes;
use nuncio_base::{Buffer, HeaderName, names};
use nuncio_route::mutation::Scratch;
use nuncio_stream_info::{ResponseFlag, ResponseFlags};
use std::borrow::Cow;

/// A reply to be sent in place of a response from upstream.
#[derive(Debug)]
pub struct LocalReply {
    /// The HTTP status.
    pub status: u16,
    /// The body; what a gRPC client gets as `grpc-message`.
    pub body: Bytes,
    /// What `%RESPONSE_CODE_DETAILS%` prints.
    pub details: Cow<'static, str>,
    /// Response flags to set.
    pub flags: ResponseFlags,
    /// The gRPC status, where the one that follows from `status` is not right.
    pub grpc_status: Option<u32>,
    /// Headers to add.
    pub headers: Vec<(HeaderName, Vec<u8>)>,
}

impl LocalReply {
    /// A reply with a status, a body and details.
    pub fn new(status: u16, body: impl Into<Bytes>, details: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            body: body.into(),
            details: details.into(),
            flags: ResponseFlags::NONE,
            grpc_status: None,
            headers: Vec::new(),
        }
    }

    /// With a response flag.
    pub fn flag(mut self, flag: ResponseFlag) -> Self {
        self.flags.set(flag);
        self
    }

    /// With a header.
    pub fn header(mut self, name: impl Into<HeaderName>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// A request's body is larger than a filter may buffer.
    pub fn request_too_large() -> Self {
        Self::new(413, "Payload Too Large", "request_payload_too_large")
    }

    /// A response's body is larger than a filter may buffer.
    pub fn response_too_large() -> Self {
        Self::new(500, "Internal Server Error", "response_payload_too_large")
    }

    /// A request's header got a value that cannot be sent upstream.
    pub fn invalid_value(header: &str) -> Self {
        let details = format!(
            "filter_removed_required_request_headers{{invalid_header_value_for:_{header}}}"
        );
        Self::new(503, format!("invalid header value for: {header}"), details)
            .flag(ResponseFlag::DownstreamProtocolError)
    }

    /// A filter has removed the response's `:status`.
    pub(crate) fn missing_status() -> Self {
        Self::new(
            502,
            "missing required header: :status",
            "filter_removed_required_response_headers{missing_required_header:_:status}",
        )
    }

    /// Writes the reply's headers into the response, and gives its body.
    pub(crate) fn prepare(self, state: &mut StreamState) -> Buffer {
        let content_type = state.request.headers.get(names::CONTENT_TYPE);
        let is_grpc = state.came_as_grpc.unwrap_or_else(|| is_grpc(content_type));
        let is_head = state.request.headers.get(names::METHOD) == Some(b"HEAD");
        state.response.trailers = None;
        let mut digits = itoa::Buffer::new();
        let mut head = std::mem::take(&mut state.response.headers);
        head.clear();
        head.append(names::STATUS, digits.format(self.status).as_bytes());
        // A route that answers by itself has made its changes before.
        if state.route.action().is_some() {
            finalize_response(state, &mut head, &mut Scratch::default());
        }
        for (name, value) in &self.headers {
            head.append(name, value);
        }
        let own_type = head.get(names::CONTENT_TYPE).map(<[u8]>::to_vec);
        state.response.headers = head;
        let config = state.config.local_reply.clone();
        let (mut status, mut body, mut content_type) = (self.status, self.body, None);
        if let Some(config) = &config {
            let original = body.clone();
            let reply = config.rewrite(state, status, body);
            (status, body) = (reply.status, reply.body);
            // A body that has changed has another type, unless a mapper has said which.
            let given = state.response.headers.get(names::CONTENT_TYPE);
            let is_given = given.map(<[u8]>::to_vec) != own_type;
            if body != original && !is_given {
                content_type = Some(reply.content_type.unwrap_or("text/plain"));
            }
        }
        let headers = &mut state.response.headers;
        if is_grpc {
            headers.set(names::STATUS, b"200");
            headers.set(names::CONTENT_TYPE, b"application/grpc");
            let grpc = self.grpc_status.unwrap_or_else(|| grpc_status_of(status));
            if !headers.contains(names::GRPC_STATUS) {
                headers.append(names::GRPC_STATUS, digits.format(grpc).as_bytes());
            }
            if !body.is_empty() && !is_head {
                // JSON ends with a line feed, which a header can't.
                let text = match content_type {
                    Some("application/json") => body.strip_suffix(b"\n").unwrap_or(&body),
                    _ => &body,
                };
                headers.append(names::GRPC_MESSAGE, &percent_encode(text));
            }
            headers.remove(names::CONTENT_LENGTH);
            return Buffer::new();
        }
        if body.is_empty() {
            headers.remove(names::CONTENT_LENGTH);
            headers.remove(names::CONTENT_TYPE);
            return Buffer::new();
        }
        headers.set(names::CONTENT_LENGTH, digits.format(body.len()).as_bytes());
        if let Some(content_type) = content_type {
            headers.set(names::CONTENT_TYPE, content_type.as_bytes());
        } else if !headers.contains(names::CONTENT_TYPE) {
            headers.set(names::CONTENT_TYPE, b"text/plain");
        }
        if is_head {
            return Buffer::new();
        }
        body.into()
    }
}

/// Whether a content type is gRPC's: `application/grpc` or `application/grpc+…`, no parameters.
pub fn is_grpc(content_type: Option<&[u8]>) -> bool {
    content_type
        .and_then(|value| value.strip_prefix(b"application/grpc"))
        .is_some_and(|rest| rest.is_empty() || rest[0] == b'+')
}

/// The gRPC status for an HTTP status (gRPC's `http-grpc-status-mapping.md`).
pub const fn grpc_status_of(status: u16) -> u32 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}

/// The HTTP status for a gRPC status (`Grpc::Utility::grpcToHttpStatus`).
pub const fn http_status_of(status: u32) -> u16 {
    match status {
        0 => 200,
        1 => 499,
        3 | 9 | 11 => 400,
        4 => 504,
        5 => 404,
        6 | 10 => 409,
        7 => 403,
        8 => 429,
        12 => 501,
        14 => 503,
        16 => 401,
        _ => 500,
    }
}

/// Percent-encodes what a `grpc-message` may not hold (gRPC's `PROTOCOL-HTTP2.md`).
fn percent_encode(text: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(text.len());
    for &byte in text {
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            encoded.push(byte);
        } else {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            encoded.extend([
                b'%',
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ]);
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_content_types() {
        for (value, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/GRPC", false),
            ("application/grpc; x=1", false),
            ("application/grpc-web", false),
            ("application/json", false),
            ("", false),
        ] {
            assert_eq!(is_grpc(Some(value.as_bytes())), expected, "{value}");
        }
        assert!(!is_grpc(None));
    }

    #[test]
    fn messages_are_percent_encoded() {
        assert_eq!(
            percent_encode("a b%\n\u{e9}".as_bytes()),
            b"a b%25%0A%C3%A9"
        );
    }
}
