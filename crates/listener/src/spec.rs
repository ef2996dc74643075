//! What a listener is configured with: made on main, shared by all workers, never changed.

use crate::chain_match::{ChainChoice, ChainMatchError, ChainMatcher, ChainTree, FilterChainMatch};
use crate::listener_filter::ListenerFilterFactory;
use nuncio_base::address::Address;
use nuncio_base::metadata::Metadata;
use nuncio_net::{Keepalive, NetworkFilterFactory, SocketOption, TransportSocketFactory};
use nuncio_observe::AccessLogSpec;
use nuncio_stream_info::ConnectionInfo;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// One address to listen on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListenAddress {
    /// IP and port, where port 0 lets the system choose, or a Unix socket's path.
    pub address: Address,
    /// An IPv6 wildcard takes IPv4 too.
    pub ipv4_compat: bool,
    /// The Unix socket's file mode, if it is set.
    pub mode: Option<u32>,
    /// The file of the network namespace that its sockets are in; `None`: the process's.
    pub network_namespace: Option<Arc<str>>,
    /// Raw options.
    pub options: ListenSocketOptions,
    /// TCP keep-alive of accepted connections, if it is on.
    pub keepalive: Option<Keepalive>,
}

impl ListenAddress {
    /// An address without options.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            ipv4_compat: false,
            mode: None,
            network_namespace: None,
            options: ListenSocketOptions::default(),
            keepalive: None,
        }
    }

    /// Whether nobody else can listen there when this one does.
    pub fn is_place_of(&self, other: &Self) -> bool {
        (&self.address, &self.network_namespace) == (&other.address, &other.network_namespace)
    }

    /// What stands for it in stat names.
    pub fn stat_name(&self) -> String {
        match &self.address {
            Address::Internal(internal) => format!("envoy_internal_{}", internal.listener),
            address => address.to_string(),
        }
    }
}

/// Raw socket options by when they are set (`SocketOption.state`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListenSocketOptions {
    /// Before the socket is bound.
    pub prebind: Vec<SocketOption>,
    /// Once it is bound.
    pub bound: Vec<SocketOption>,
    /// Once it listens.
    pub listening: Vec<SocketOption>,
}

/// How accepted connections are spread over workers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ConnectionBalance {
    /// The worker that accepted a connection keeps it.
    #[default]
    None,
    /// The worker with the fewest connections gets it.
    Exact,
}

/// The direction of a listener's traffic.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TrafficDirection {
    /// Not said.
    #[default]
    Unspecified,
    /// From outside to this host's service.
    Inbound,
    /// From this host's service to others.
    Outbound,
}

/// When connections are asked to close (`Listener.DrainType`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DrainType {
    /// On changes, and while health checks are failed by the admin.
    #[default]
    Default,
    /// On changes only.
    ModifyOnly,
}

/// One filter chain.
pub struct FilterChainSpec {
    /// Its name, empty if it has none.
    pub name: Arc<str>,
    /// Its metadata.
    pub metadata: Option<Arc<Metadata>>,
    /// When it is chosen; of no meaning for the default chain.
    pub criteria: FilterChainMatch,
    /// What lies between the socket and the filters; `None`: nothing.
    pub transport_socket: Option<Arc<dyn TransportSocketFactory>>,
    /// How long the transport socket's handshake may take; `None`: for ever.
    pub transport_socket_connect_timeout: Option<Duration>,
    /// The network filters in order.
    pub filters: Vec<Arc<dyn NetworkFilterFactory>>,
    /// Set once an update of the listener left this chain out: connections on it are asked to
    /// close, and closed in the end.
    pub draining: Arc<AtomicBool>,
}

impl fmt::Debug for FilterChainSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilterChainSpec")
            .field("name", &self.name)
            .field("criteria", &self.criteria)
            .field("filters", &self.filters.len())
            .finish_non_exhaustive()
    }
}

/// A listener's filter chains with the index that chooses among them. An update that changes
/// nothing else replaces only this.
#[derive(Debug)]
pub struct FilterChains {
    chains: Vec<Arc<FilterChainSpec>>,
    /// The last of `chains` is the default.
    has_default: bool,
    choice: ChainChoice,
}

impl FilterChains {
    /// Chains in order, and the one for connections that match none of them.
    ///
    /// # Errors
    /// Where two chains could not be told apart.
    pub fn new(
        chains: Vec<Arc<FilterChainSpec>>,
        default: Option<Arc<FilterChainSpec>>,
    ) -> Result<Self, ChainMatchError> {
        let criteria: Vec<_> = chains.iter().map(|chain| &chain.criteria).collect();
        let matcher = ChainMatcher::new(&criteria)?;
        Ok(Self::with(
            chains,
            default,
            ChainChoice::Criteria(Box::new(matcher)),
        ))
    }

    /// Chains that a tree chooses among, whatever their criteria, and the one for connections that
    /// it leads nowhere.
    pub fn with_tree(
        chains: Vec<Arc<FilterChainSpec>>,
        default: Option<Arc<FilterChainSpec>>,
        tree: ChainTree,
    ) -> Self {
        Self::with(chains, default, ChainChoice::Tree(tree))
    }

    fn with(
        mut chains: Vec<Arc<FilterChainSpec>>,
        default: Option<Arc<FilterChainSpec>>,
        choice: ChainChoice,
    ) -> Self {
        let has_default = default.is_some();
        chains.extend(default);
        Self {
            chains,
            has_default,
            choice,
        }
    }

    /// All chains; the default one is the last.
    pub fn chains(&self) -> &[Arc<FilterChainSpec>] {
        &self.chains
    }

    /// The place of the default chain.
    pub fn default_chain(&self) -> Option<usize> {
        self.has_default.then(|| self.chains.len() - 1)
    }

    /// The place of the chain for a connection; see [`ChainChoice::find`].
    pub fn find(&self, info: &ConnectionInfo, transport_protocol: &str) -> Option<usize> {
        let default = self.default_chain();
        self.choice.find(info, transport_protocol, default)
    }
}

/// A listener (`envoy.config.listener.v3.Listener`).
#[derive(Clone)]
pub struct ListenerSpec {
    /// Its name, unique among listeners.
    pub name: Arc<str>,
    /// Its metadata.
    pub metadata: Option<Arc<Metadata>>,
    /// Where it listens; the first is `address`, the others `additional_addresses`.
    pub addresses: Vec<ListenAddress>,
    /// What names its stats instead of the first address, if not empty.
    pub stat_prefix: String,
    /// Its filter chains.
    pub filter_chains: Arc<FilterChains>,
    /// Filters that look at a connection before a chain is chosen.
    pub listener_filters: Vec<Arc<dyn ListenerFilterFactory>>,
    /// How long listener filters may take; `None`: for ever.
    pub listener_filters_timeout: Option<Duration>,
    /// After that time the connection goes on instead of being closed.
    pub continue_on_listener_filters_timeout: bool,
    /// Soft limit of a connection's buffers in bytes.
    pub per_connection_buffer_limit: usize,
    /// The length of the queue of connections not yet accepted; `None`: the system's.
    pub backlog: Option<u32>,
    /// Each worker has a socket of its own.
    pub reuse_port: bool,
    /// Whether it listens itself; else other listeners hand connections to it.
    pub bind_to_port: bool,
    /// Whether connections that wanted to go elsewhere go to the listener that is there.
    pub hands_over: bool,
    /// Where it takes connections from inside the process alone: how many bytes may wait in one
    /// direction of a connection.
    pub internal_buffer_limit: Option<usize>,
    /// How connections are spread over workers.
    pub connection_balance: ConnectionBalance,
    /// How many connections are accepted at most before others get their turn.
    pub max_connections_to_accept_per_socket_event: Option<u32>,
    /// Not counted against the global limit of connections.
    pub ignore_global_conn_limit: bool,
    /// Left alone by overload actions.
    pub bypass_overload_manager: bool,
    /// The direction of its traffic.
    pub traffic_direction: TrafficDirection,
    /// When connections are asked to close.
    pub drain_type: DrainType,
    /// What is logged when a connection ends, or finds no filter chain.
    pub access_logs: Vec<AccessLogSpec>,
}

impl ListenerSpec {
    /// A listener with Envoy's defaults.
    pub fn new(name: &str, addresses: Vec<ListenAddress>, chains: Arc<FilterChains>) -> Self {
        Self {
            name: name.into(),
            metadata: None,
            addresses,
            stat_prefix: String::new(),
            filter_chains: chains,
            listener_filters: Vec::new(),
            listener_filters_timeout: Some(Duration::from_secs(15)),
            continue_on_listener_filters_timeout: false,
            per_connection_buffer_limit: 1024 * 1024,
            backlog: None,
            reuse_port: true,
            bind_to_port: true,
            hands_over: false,
            internal_buffer_limit: None,
            connection_balance: ConnectionBalance::None,
            max_connections_to_accept_per_socket_event: None,
            ignore_global_conn_limit: false,
            bypass_overload_manager: false,
            traffic_direction: TrafficDirection::Unspecified,
            drain_type: DrainType::Default,
            access_logs: Vec::new(),
        }
    }

    /// What stands for this listener in stat names: `listener.<this>.`.
    pub fn stat_name(&self) -> String {
        match (self.stat_prefix.as_str(), self.addresses.first()) {
            ("", Some(first)) => first.stat_name(),
            (prefix, _) => prefix.to_owned(),
        }
    }
}
