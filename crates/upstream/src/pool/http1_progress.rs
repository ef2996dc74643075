//! How far an exchange over HTTP/1 is.

/// How far the request on a connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Progress {
    /// Its head was sent.
    pub started: bool,
    pub request_ended: bool,
    pub response_ended: bool,
    /// Bytes of the response came, and no whole interim response ended with them.
    pub response_began: bool,
    /// The final head came.
    pub response_headers: bool,
    /// It asks for another protocol: its body is held back until the upstream agrees.
    pub asks_to_switch: bool,
    /// The upstream has not agreed: what still comes of the body would be requests to it.
    pub may_not_switch: bool,
    /// It asks for a tunnel, whose ends are the connection's; those of an upgrade are not, as in
    /// Envoy.
    pub is_connect: bool,
    /// The sending end is closed: how what replaced HTTP says that its request has ended.
    pub write_ended: bool,
    /// The connection is of no more use.
    pub broken: bool,
}
