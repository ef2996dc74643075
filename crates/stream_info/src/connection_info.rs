//! The facts of one connection, shared by all its streams.

use crate::filter_state::FilterState;
use nuncio_base::address::Address;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// What TLS found out about a connection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TlsInfo {
    /// The protocol version, as `TLSv1.3`.
    pub version: Option<&'static str>,
    /// The cipher suite's name.
    pub cipher: Option<&'static str>,
    /// The application protocol agreed on.
    pub alpn: Option<Vec<u8>>,
    /// Whether the peer showed a certificate that was validated.
    pub peer_certificate_validated: bool,
    /// Whether the peer showed a certificate.
    pub peer_certificate_presented: bool,
}

/// A connection's facts: written while it is set up, then read by its streams and logs.
pub struct ConnectionInfo {
    /// A number unique in this process.
    pub id: u64,
    /// Where the peer connected to; a listener filter may have restored the original.
    pub local_address: Address,
    /// The address that the socket has itself.
    pub direct_local_address: Address,
    /// The peer, as the PROXY protocol may name it.
    pub remote_address: Address,
    /// The peer of the socket itself.
    pub direct_remote_address: Address,
    /// Wall time of the accept.
    pub start_time: SystemTime,
    /// Monotonic time of the accept.
    pub start: Instant,
    /// The listener's name.
    pub listener_name: Arc<str>,
    /// The filter chain's name, empty if it has none.
    pub filter_chain_name: Arc<str>,
    /// SNI, if the client sent it.
    pub requested_server_name: Option<Arc<str>>,
    /// Protocols the client offered by ALPN, as an inspector saw them.
    pub requested_application_protocols: Vec<Vec<u8>>,
    /// TLS facts, once its handshake is done.
    pub tls: Option<TlsInfo>,
    /// Why the connection was ended, if this proxy did it
    /// (`%CONNECTION_TERMINATION_DETAILS%`).
    pub termination_details: Cell<Option<&'static str>>,
    /// Filter state that lives as long as the connection.
    pub filter_state: RefCell<FilterState>,
}
