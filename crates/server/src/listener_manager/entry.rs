//! One listener as the manager keeps it.

use nuncio_base::address::Address;
use nuncio_listener::{ListenAddress, ListenSockets, Listener, ListenerSpec};
use nuncio_proto::Packed;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

/// Where a listener comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The static config: it stays as it is.
    Static,
    /// A control plane, in this version.
    Dynamic {
        /// `version_info` of the response.
        version: String,
    },
}

/// How far a listener is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListenerState {
    /// It takes connections.
    Active,
    /// It waits for what it needs.
    Warming,
    /// It was removed or replaced; connections are ending.
    Draining,
}

/// What the admin shows of a listener (`/listeners`, `ListenersConfigDump`).
#[derive(Clone, Debug)]
pub struct ListenerStatus {
    /// The name, made up where the config has none.
    pub name: String,
    /// Where it listens, ports resolved; the first is `address`.
    pub addresses: Vec<Address>,
    /// The configuration as it came.
    pub config: Packed,
    /// Where it comes from.
    pub origin: Origin,
    /// When it was added or changed.
    pub last_updated: SystemTime,
    /// How far it is.
    pub state: ListenerState,
}

/// What a listener was made of.
pub(super) struct Source {
    pub config: Packed,
    pub origin: Origin,
    pub last_updated: SystemTime,
}

/// A listener with its sockets.
pub(super) struct Entry {
    pub source: Source,
    listener: Arc<Listener>,
    sockets: Option<Rc<ListenSockets>>,
    /// Where it listens, as far as that is known: ports are resolved once it is bound.
    addresses: Vec<Address>,
    /// The names of those that go once it runs.
    pub replaced: Vec<String>,
    stopped: bool,
}

impl Entry {
    /// A listener that has its sockets already if an earlier one listens at the same place.
    pub fn new(
        source: Source,
        listener: Arc<Listener>,
        sockets: Option<Rc<ListenSockets>>,
    ) -> Self {
        let addresses = match &sockets {
            Some(sockets) => sockets.local_addresses().cloned().collect(),
            None => {
                let addresses = listener.spec().addresses.iter();
                addresses.map(|at| at.address.clone()).collect()
            }
        };
        Self {
            source,
            listener,
            sockets,
            addresses,
            replaced: Vec::new(),
            stopped: false,
        }
    }

    pub fn name(&self) -> &str {
        &self.listener.spec().name
    }

    pub fn listener(&self) -> &Arc<Listener> {
        &self.listener
    }

    pub fn sockets(&self) -> Option<Rc<ListenSockets>> {
        self.sockets.clone()
    }

    pub fn set_sockets(&mut self, sockets: ListenSockets) {
        self.addresses = sockets.local_addresses().cloned().collect();
        self.sockets = Some(Rc::new(sockets));
    }

    /// The sockets, if a listener like `spec` would have the same.
    pub fn sockets_for(&self, spec: &ListenerSpec) -> Option<Rc<ListenSockets>> {
        let own = self.listener.spec();
        let same = own.addresses == spec.addresses
            && (own.reuse_port, own.bind_to_port) == (spec.reuse_port, spec.bind_to_port)
            && own.backlog == spec.backlog;
        self.sockets().filter(|_| same)
    }

    /// Whether it listens at one of these addresses. Port 0 is another one each time.
    pub fn shares_address(&self, addresses: &[ListenAddress]) -> bool {
        let own = &self.listener.spec().addresses;
        let fixed = |at: &&ListenAddress| at.address.ip().is_none_or(|ip| ip.port() != 0);
        addresses
            .iter()
            .filter(fixed)
            .any(|at| own.iter().any(|other| at.is_place_of(other)))
    }

    /// It listens no more: the sockets, to be closed when the workers don't use them either.
    pub fn stop(&mut self) -> Option<Rc<ListenSockets>> {
        self.stopped = true;
        self.sockets.take()
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    pub fn status(&self, state: ListenerState) -> ListenerStatus {
        ListenerStatus {
            name: self.name().to_owned(),
            addresses: self.addresses.clone(),
            config: self.source.config.clone(),
            origin: self.source.origin.clone(),
            last_updated: self.source.last_updated,
            state,
        }
    }
}
