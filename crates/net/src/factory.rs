//! Where a connection's filters and transport socket come from: a factory on main, its local on
//! each worker, an instance per connection.

use crate::drain::DrainDecision;
use crate::filter::{ConnectionEvent, NetworkFilter};
use crate::socket::Socket;
use crate::transport::Transport;
use crate::transport_socket_options::{SocketWants, TransportSocketOptions};
use nuncio_base::metadata::Metadata;
use nuncio_stream_info::ConnectionInfo;
use nuncio_worker::Worker;
use std::rc::Rc;

/// A connection that filters are being made for.
pub struct NewConnection<'a> {
    /// The worker it lives on.
    pub worker: &'a Rc<Worker>,
    /// Its facts.
    pub info: &'a Rc<ConnectionInfo>,
    /// Tells when it should end because its listener drains.
    pub drain: &'a Rc<DrainDecision>,
}

/// A configured network filter: shared by all workers, made on main.
pub trait NetworkFilterFactory: Send + Sync {
    /// What one worker makes filters with; asked once for each worker and filter chain.
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalNetworkFilterFactory>;
}

/// A configured network filter on one worker.
pub trait LocalNetworkFilterFactory {
    /// The filter of one connection.
    fn create(&self, connection: &NewConnection<'_>) -> Box<dyn NetworkFilter>;

    /// A connection has ended before its transport socket was ready, and had no filters: what
    /// counts connections counts it all the same, as Envoy does.
    fn count_failed_handshake(&self, _event: ConnectionEvent) {}
}

/// A configured transport socket of accepted connections.
pub trait TransportSocketFactory: Send + Sync {
    /// What one worker makes transport sockets with.
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalTransportSocketFactory>;
}

/// What a transport socket is told of a connection to a host.
pub struct UpstreamConnection<'a> {
    /// The host's configured or resolved name; empty if there is none.
    pub host_name: &'a str,
    /// The protocols offered where the configuration names none.
    pub alpn_fallback: AlpnFallback,
    /// The host's metadata.
    pub host_metadata: Option<&'a Metadata>,
    /// What the host's configuration adds to headers of the PROXY protocol.
    pub host_tlvs: &'a [(u8, Vec<u8>)],
    /// What is known of the requests that it is for.
    pub options: &'a TransportSocketOptions,
}

/// Protocols in ALPN's names, the best first.
pub type AlpnFallback = &'static [&'static [u8]];

/// A configured transport socket of connections to hosts.
pub trait UpstreamSocketFactory: Send + Sync {
    /// What one worker makes transport sockets with.
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalUpstreamSocketFactory>;
    /// What it wants to know of the requests that a connection is for.
    fn wants(&self) -> SocketWants {
        SocketWants::default()
    }
}

/// A configured transport socket of connections to hosts, on one worker.
pub trait LocalUpstreamSocketFactory {
    /// The layer over one connected socket.
    fn create(&self, socket: Socket, connection: &UpstreamConnection<'_>) -> Transport;
    /// Whether nobody else can read what goes through it.
    fn is_secure(&self) -> bool;
}

/// A configured transport socket on one worker.
pub trait LocalTransportSocketFactory {
    /// The layer over one accepted socket, of a connection of which this is known.
    fn create(&self, socket: Socket, info: &ConnectionInfo) -> Transport;
}
