//! What the requests that a connection to a host is for say of themselves and of the host (Envoy's
//! `TransportSocketOptions`).

use nuncio_base::address::Address;
use nuncio_stream_info::filter_state::SharedObject;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;

/// What transport sockets are told; empty where nothing is said, or asked for. Requests share a
/// connection where it is the same to them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TransportSocketOptions {
    /// The name that is asked for (SNI), whatever the configuration says.
    pub server_name: Option<Arc<str>>,
    /// A subject alternative name that the host's certificate must have.
    pub subject_alt_name: Option<Arc<str>>,
    /// The downstream connection.
    pub downstream: Option<Downstream>,
    /// Filter state that the connection gets.
    pub shared: SharedState,
}

/// What a transport socket asks for: what it doesn't is not gathered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketWants {
    /// The downstream connection.
    pub downstream: bool,
    /// Filter state.
    pub shared_state: bool,
}

impl SocketWants {
    /// What either wants.
    pub const fn or(self, other: Self) -> Self {
        Self {
            downstream: self.downstream || other.downstream,
            shared_state: self.shared_state || other.shared_state,
        }
    }

    /// Whether it wants anything.
    pub const fn any(self) -> bool {
        self.downstream || self.shared_state
    }
}

/// A downstream connection, as hosts are told of it (the PROXY protocol).
#[derive(Clone, Debug)]
pub struct Downstream {
    /// The client.
    pub source: Address,
    /// Where it connected to.
    pub destination: Address,
    /// What the PROXY protocol's header that it came with brought along: types and values. As in
    /// Envoy requests share a connection even where these differ.
    pub tlvs: Option<Rc<[(u8, Vec<u8>)]>>,
}

impl PartialEq for Downstream {
    fn eq(&self, other: &Self) -> bool {
        (&self.source, &self.destination) == (&other.source, &other.destination)
    }
}

impl Eq for Downstream {}

impl Hash for Downstream {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.source, &self.destination).hash(state);
    }
}

/// Filter state for a connection. Objects that don't say what tells them from others tell no
/// connections apart.
#[derive(Clone, Default)]
pub struct SharedState(pub Vec<SharedObject>);

impl SharedState {
    fn keys(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let keyed = |shared: &'_ SharedObject| shared.object.pool_key().is_some();
        let shared = self.0.iter().filter(move |shared| keyed(shared));
        shared.map(|shared| (&*shared.name, shared.object.pool_key().unwrap_or_default()))
    }
}

impl PartialEq for SharedState {
    fn eq(&self, other: &Self) -> bool {
        self.keys().eq(other.keys())
    }
}

impl Eq for SharedState {}

impl Hash for SharedState {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.keys().for_each(|key| key.hash(state));
    }
}

impl std::fmt::Debug for SharedState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.keys().map(|(name, _)| name))
            .finish()
    }
}
