//! What a route is chosen by.

use nuncio_base::header_map::HeaderMap;
use nuncio_base::header_name::names;
use nuncio_base::runtime_flags::RuntimeFlags;
use nuncio_stream_info::{FilterStateObject, StreamInfo};
use std::rc::Rc;

/// A request as routing looks at it.
#[derive(Clone, Copy)]
pub struct RequestView<'a> {
    /// The request's headers, pseudo-headers included.
    pub headers: &'a HeaderMap,
    /// The stream's facts: TLS, dynamic metadata, filter state.
    pub info: &'a StreamInfo,
    /// The stream's random number: one for all decisions of a stream, so that they stay the same
    /// when a route is looked up again.
    pub random: u64,
    /// The runtime flags.
    pub flags: &'a RuntimeFlags,
}

impl<'a> RequestView<'a> {
    /// The `:path` header, if there is one: a CONNECT of HTTP/1.1 has none.
    pub fn path(&self) -> Option<&'a [u8]> {
        self.headers.get(names::PATH)
    }

    /// Whether a `connect_matcher` means this request: CONNECT, or an upgrade to CONNECT-UDP
    /// (RFC 9298).
    pub fn is_connect(&self) -> bool {
        self.headers.get(names::METHOD) == Some(b"CONNECT") || is_connect_udp(self.headers)
    }

    /// Whether this is a gRPC request, by its content type: `application/grpc` or
    /// `application/grpc+…`, and it has a path.
    pub fn is_grpc(&self) -> bool {
        self.path().is_some() && has_grpc_content_type(self.headers)
    }

    /// A filter state object of the stream or of its connection.
    pub fn filter_state(&self, key: &str) -> Option<Rc<dyn FilterStateObject>> {
        if let Some(object) = self.info.filter_state.get(key) {
            return Some(object.clone());
        }
        self.info.connection.filter_state.borrow().get(key).cloned()
    }
}

/// Whether a request asks for an upgrade to CONNECT-UDP (RFC 9298).
pub fn is_connect_udp(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(names::UPGRADE);
    upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case(b"connect-udp"))
}

/// Whether a message's content type is gRPC's: `application/grpc` or `application/grpc+…`.
pub fn has_grpc_content_type(headers: &HeaderMap) -> bool {
    headers
        .get(names::CONTENT_TYPE)
        .and_then(|value| value.strip_prefix(b"application/grpc"))
        .is_some_and(|rest| rest.is_empty() || rest[0] == b'+')
}
