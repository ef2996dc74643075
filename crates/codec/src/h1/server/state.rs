//! How far a request and its response have come, and what follows them.

use super::{H1Server, Reading, Response};

impl H1Server {
    /// Whether no request is under way; one begins with its first byte given to
    /// [`next`](Self::next), empty lines before it not counted.
    pub fn is_idle(&self) -> bool {
        matches!(self.reading, Reading::Head(None))
    }

    /// Whether the head of the current request was given out.
    pub fn received_head(&self) -> bool {
        matches!(self.reading, Reading::Body(_) | Reading::Ended)
    }

    /// Whether the request was given out to its end.
    pub fn request_ended(&self) -> bool {
        matches!(self.reading, Reading::Ended)
    }

    /// Whether the response's head was written.
    pub fn response_started(&self) -> bool {
        self.response != Response::Awaited
    }

    /// Whether the response was written to its end.
    pub fn response_ended(&self) -> bool {
        self.response == Response::Ended
    }

    /// Whether request and response have ended.
    pub fn is_complete(&self) -> bool {
        self.request_ended() && self.response_ended()
    }

    /// Whether the client waits for a 100 before it sends the body (`expect: 100-continue`).
    pub fn expects_continue(&self) -> bool {
        self.request.expects_continue && !self.request.is_http10
    }

    /// Whether the request is one of HTTP/1.0.
    pub fn is_http10(&self) -> bool {
        self.request.is_http10
    }

    /// Whether the request is a CONNECT or asks for an upgrade: its body is another protocol's
    /// bytes. They must not go upstream before the upgrade is accepted there, or they would be
    /// read as a request.
    pub fn is_upgrade(&self) -> bool {
        self.request.is_upgrade || self.request.is_connect
    }

    /// Makes the connection close behind this response, which says so in its head if that has not
    /// been written.
    pub fn close_after_response(&mut self) {
        self.closes = true;
    }

    /// Whether the connection must be closed behind the response: asked for by the client, the
    /// caller, an error or the framing; or the request was not read to its end.
    pub fn should_close(&self) -> bool {
        self.closes || self.request.closes || self.is_upgrade() || !self.request_ended()
    }

    /// Whether the client wants no other request on this connection.
    pub fn client_closes(&self) -> bool {
        self.request.closes || self.is_upgrade()
    }

    /// Headers dropped for an underscore since the last call
    /// (`http1.dropped_headers_with_underscores`).
    pub fn take_dropped_headers(&mut self) -> u32 {
        std::mem::take(&mut self.dropped)
    }
}
