//! One connection: its socket, its buffers and its network filters.

pub mod connection;
pub mod filter;
pub mod pending_calls;
pub mod socket;
pub mod socket_options;
pub mod transport;

pub use connection::{Connection, ConnectionSettings};
pub use filter::{Close, ConnCx, ConnectionEvent, FilterStatus, NetworkFilter};
pub use socket::Socket;
pub use socket_options::{Keepalive, SocketOption, SocketOptions};
pub use transport::{Transport, TransportSocket};
