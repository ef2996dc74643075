//! A connection as it comes in.

use nuncio_base::address::Address;
use nuncio_base::metadata::Metadata;
use nuncio_net::Socket;
use nuncio_stream_info::FilterState;
use std::sync::Arc;

/// A connection as it comes in: from a listening socket, another worker, or another listener.
pub struct Incoming {
    /// The socket.
    pub socket: Socket,
    /// Where the peer connected to.
    pub local_address: Address,
    /// The peer.
    pub remote_address: Address,
    /// What was passed along with it.
    pub filter_state: FilterState,
    /// The file of the network namespace that it came from, where that is another.
    pub network_namespace: Option<Arc<str>>,
    /// Where the peer wanted to go, and who it is, as another listener has found out.
    pub restored: Option<(Address, Address)>,
    /// Dynamic metadata that was passed along with it.
    pub metadata: Metadata,
}

impl Incoming {
    /// A connection with nothing passed along.
    pub fn new(socket: Socket, local_address: Address, remote_address: Address) -> Self {
        Self {
            socket,
            local_address,
            remote_address,
            filter_state: FilterState::default(),
            metadata: Metadata::default(),
            network_namespace: None,
            restored: None,
        }
    }
}
