//! Handshakes of websockets that an upstream over HTTP/1 answers otherwise than by 101.

use crate::router::Router;
use nuncio_base::{HeaderMap, HeaderName, names};
use nuncio_http::{Cx, LocalReply};
use nuncio_stream_info::Protocol;

impl Router {
    /// Answers in place of an upstream whose status may not be taken for an upgrade
    /// (CVE-2024-23326): with its head, and without a body. Errors are passed on.
    pub(crate) fn refuse_websocket(
        &mut self,
        cx: &mut Cx<'_>,
        status: u16,
        headers: &HeaderMap,
    ) -> bool {
        let asked = cx.request_headers_ref().get(names::UPGRADE);
        let is_websocket = asked.is_some_and(|name| name.eq_ignore_ascii_case(b"websocket"));
        if !is_websocket || status == 101 || status >= 400 {
            return false;
        }
        if cx.info().upstream_mut().protocol == Some(Protocol::Http2) {
            return false;
        }
        let mut reply = LocalReply::new(status, "", "websocket_handshake_unsuccessful");
        for field in headers.fields() {
            let is_left = matches!(
                field.known(),
                Some(names::STATUS | names::CONTENT_LENGTH | names::TRANSFER_ENCODING)
            );
            if !is_left && let Ok(name) = std::str::from_utf8(field.name()) {
                reply = reply.header(HeaderName::new(name), field.value);
            }
        }
        self.fail(cx, reply);
        true
    }
}
