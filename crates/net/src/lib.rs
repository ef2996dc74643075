//! One connection: its socket, its buffers and its network filters.

pub mod connection;
pub mod drain;
pub mod factory;
pub mod filter;
pub mod host_address;
pub mod internal_listeners;
pub mod internal_socket;
pub mod overload;
mod peek;
pub mod pending_calls;
pub mod socket;
pub mod socket_options;
pub mod splice;
mod tcp_socket;
pub mod transport;
pub mod transport_socket_options;
mod udp_socket;

pub use connection::{Connection, ConnectionSettings};
pub use drain::{DrainDecision, DrainScope, DrainSettings, DrainStrategy};
pub use drain::{ListenerDrain, ServerDrain};
pub use factory::{
    AlpnFallback, LocalUpstreamSocketFactory, UpstreamConnection, UpstreamSocketFactory,
};
pub use factory::{LocalNetworkFilterFactory, NetworkFilterFactory, NewConnection};
pub use factory::{LocalTransportSocketFactory, TransportSocketFactory};
pub use filter::{Close, ConnCx, ConnectionEvent, FilterStatus, NetworkFilter};
pub use internal_listeners::{InternalAcceptor, InternalListeners};
pub use internal_socket::{InternalSocket, Passthrough};
pub use socket::{DetachedSocket, Socket, next_connection_id};
pub use socket_options::{Keepalive, SocketOption, SocketOptions};
pub use tcp_socket::TcpSocket;
pub use transport::{Transport, TransportSocket};
pub use transport_socket_options::TransportSocketOptions;
pub use transport_socket_options::{Downstream, SharedState, SocketWants};
pub use udp_socket::UdpSocket;
