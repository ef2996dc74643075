//! A cluster's immutable configuration and what all threads share of it.

use crate::address_order::AddressOrder;
use crate::discovery::MembersHandle;
use crate::health::HealthStatuses;
use crate::health_check::HealthCheckSpec;
use crate::host::{Count, Host, Locality};
use crate::lb::LbSpec;
use crate::outlier::OutlierSpec;
use crate::peer_names::PeerNameRules;
use crate::preconnect::PreconnectPolicy;
use crate::resource::{LocalResources, Priority, Resource, ResourceManager, Thresholds};
use crate::stats::{
    ClusterLbStats, ClusterTrafficStats, ClusterUpdateStats, RequestResponseSizeStats,
    TimeoutBudgetStats,
};
use crate::transport::TransportSockets;
use nuncio_base::metadata::Metadata;
use nuncio_base::runtime_flags::RuntimeFlags;
use nuncio_codec::h1::H1Settings;
use nuncio_codec::h2::H2Settings;
use nuncio_net::SocketOptions;
use nuncio_stats::{Group, Scope, SharedCounter};
use std::any::Any;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Which HTTP a cluster speaks to its hosts (`upstream_protocol_options`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UpstreamProtocol {
    /// HTTP/1.
    #[default]
    Http1,
    /// HTTP/2.
    Http2,
    /// What the client speaks.
    Downstream {
        /// Where there is no client: whether HTTP/2.
        http2: bool,
    },
    /// What TLS agrees on.
    Auto,
}

/// How a cluster speaks HTTP to its hosts (`HttpProtocolOptions`).
#[derive(Clone)]
pub struct HttpOptions {
    /// How long a connection without requests is kept; `None`: for ever.
    pub idle_timeout: Option<Duration>,
    /// How long a connection is used at all.
    pub max_connection_duration: Option<Duration>,
    /// How long a request may take in all.
    pub max_stream_duration: Option<Duration>,
    /// After how many requests a connection is closed.
    pub max_requests_per_connection: Option<NonZeroU32>,
    /// Which HTTP is spoken.
    pub protocol: UpstreamProtocol,
    /// What requests say of the host, for the handshake.
    pub peer_names: Option<PeerNameRules>,
    /// What the HTTP/2 codec is set to.
    pub http2: Arc<H2Settings>,
    /// What the HTTP/1 codec is set to; limits on heads are there.
    pub http1: Arc<H1Settings>,
    /// The filters that requests pass on their way here, as routers know them.
    pub filters: Option<Arc<dyn Any + Send + Sync>>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            idle_timeout: Some(Duration::from_secs(3600)),
            max_connection_duration: None,
            max_stream_duration: None,
            max_requests_per_connection: None,
            protocol: UpstreamProtocol::default(),
            peer_names: None,
            http2: Arc::default(),
            http1: Arc::default(),
            filters: None,
        }
    }
}

/// What applies to every load-balancing policy (`CommonLbConfig`); what policies may also say for
/// themselves is in their own settings.
#[derive(Clone, Debug, PartialEq)]
pub struct CommonLb {
    /// Below this share of healthy hosts, in percent, all get traffic.
    pub healthy_panic_threshold: u32,
    /// Whether hosts are left out until their first health check has finished.
    pub ignore_new_hosts_until_first_hc: bool,
    /// Whether every change of the hosts closes all connections.
    pub close_connections_on_host_set_change: bool,
    /// For how long changes of health, weight and metadata are gathered; zero: not at all.
    pub update_merge_window: Duration,
    /// What hosts may be like that filters want requests to go to.
    pub override_host_status: HealthStatuses,
}

impl Default for CommonLb {
    fn default() -> Self {
        Self {
            healthy_panic_threshold: 50,
            ignore_new_hosts_until_first_hc: false,
            close_connections_on_host_set_change: false,
            update_merge_window: Duration::from_secs(1),
            override_host_status: HealthStatuses::default(),
        }
    }
}

/// Which stats are kept besides the usual ones (`track_cluster_stats`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrackedStats {
    /// How much of their time limits requests took.
    pub timeout_budgets: bool,
    /// How large requests and responses are.
    pub request_response_sizes: bool,
    /// The counts of each host, shown with the stats.
    pub per_endpoint_stats: bool,
}

/// A cluster as configured.
#[derive(Clone)]
pub struct ClusterSpec {
    /// The name.
    pub name: Arc<str>,
    /// The name in stats and logs: `alt_stat_name`, else the name.
    pub observability_name: Arc<str>,
    /// How long making a connection may take.
    pub connect_timeout: Duration,
    /// Soft limit of a connection's buffers in bytes.
    pub per_connection_buffer_limit: u32,
    /// Limits per routing priority: default, high.
    pub thresholds: Arc<[Thresholds; 2]>,
    /// How HTTP is spoken.
    pub http: HttpOptions,
    /// What is set on sockets.
    pub socket_options: Arc<SocketOptions>,
    /// In which order the addresses of a host are tried.
    pub address_order: AddressOrder,
    /// What lies over sockets.
    pub transport_sockets: TransportSockets,
    /// Metadata.
    pub metadata: Option<Arc<Metadata>>,
    /// The load-balancing policy.
    pub lb: Arc<dyn LbSpec>,
    /// What applies to every policy.
    pub common_lb: CommonLb,
    /// How hosts' health is checked.
    pub health_check: Option<Arc<HealthCheckSpec>>,
    /// When hosts are ejected.
    pub outlier_detection: Option<Arc<OutlierSpec>>,
    /// Whether a host that discovery no longer finds goes at once, healthy or not.
    pub ignore_health_on_host_removal: bool,
    /// Whether TCP connections to a host that becomes unhealthy are closed.
    pub close_connections_on_host_health_failure: bool,
    /// Whether it came from a control plane.
    pub added_via_api: bool,
    /// Which stats are kept besides the usual ones.
    pub track: TrackedStats,
    /// Whether each client's connection has HTTP connections of its own.
    pub pool_per_downstream_connection: bool,
    /// For how many streams connections are made, where that is not just for those there are.
    pub preconnect: Option<Arc<PreconnectPolicy>>,
    /// How long a TCP connection that nobody uses is kept; `None`: for ever.
    pub tcp_idle_timeout: Option<Duration>,
    /// Where this proxy is, for stats by zone (`node.locality`).
    pub own_locality: Option<Arc<Locality>>,
}

impl ClusterSpec {
    /// A cluster with Envoy's defaults.
    pub fn new(name: &str, lb: Arc<dyn LbSpec>) -> Self {
        Self {
            name: name.into(),
            observability_name: name.into(),
            connect_timeout: Duration::from_secs(5),
            per_connection_buffer_limit: 1024 * 1024,
            thresholds: Arc::default(),
            http: HttpOptions::default(),
            socket_options: Arc::default(),
            address_order: AddressOrder::default(),
            transport_sockets: TransportSockets::default(),
            metadata: None,
            lb,
            common_lb: CommonLb::default(),
            health_check: None,
            outlier_detection: None,
            ignore_health_on_host_removal: false,
            close_connections_on_host_health_failure: false,
            added_via_api: false,
            track: TrackedStats::default(),
            pool_per_downstream_connection: false,
            preconnect: None,
            tcp_idle_timeout: Some(Duration::from_secs(600)),
            own_locality: None,
        }
    }
}

impl ClusterSpec {
    /// For how many streams the cluster's connections are made, for each stream, where those are
    /// more than one.
    pub(crate) fn predictive_preconnect(&self) -> Option<f32> {
        let ratio = self.preconnect.as_ref()?.predictive;
        Some(ratio).filter(|ratio| *ratio > 1.0)
    }
}

/// What all threads share of a cluster.
pub struct ClusterInfo {
    /// The configuration.
    pub spec: ClusterSpec,
    /// What pools and routers count.
    pub traffic_stats: Group<ClusterTrafficStats>,
    /// What load balancers count.
    pub lb_stats: Group<ClusterLbStats>,
    /// What main counts.
    pub update_stats: Group<ClusterUpdateStats>,
    /// Sizes of requests and responses, where they are tracked.
    pub size_stats: Option<Group<RequestResponseSizeStats>>,
    /// Shares of time limits, where they are tracked.
    pub timeout_budget_stats: Option<Group<TimeoutBudgetStats>>,
    /// The scope `cluster.NAME.`, for what more is counted there.
    pub scope: Scope,
    /// Requests that were not even let into a queue, as load reports have them.
    pub dropped: Count,
    /// The share of requests, in percent, that are answered without a host (maintenance mode).
    maintenance: AtomicU32,
    resources: [ResourceManager; 2],
    /// Whether there ever was a connection for traffic: health checks are rarer until then.
    pub(crate) had_connection: AtomicBool,
    /// How often each transport socket match was taken.
    socket_matches: Vec<SharedCounter>,
    /// The hosts on main, where workers find them.
    members: OnceLock<Box<MembersHandle>>,
}

impl ClusterInfo {
    /// Makes the stats and circuit breakers of `spec`; `root` is the scope without prefix.
    pub fn new(spec: ClusterSpec, root: &Scope) -> Arc<Self> {
        let scope = root.scope("cluster").scope(&spec.observability_name);
        let resources = Priority::ALL
            .map(|priority| ResourceManager::new(Arc::clone(&spec.thresholds), priority, &scope));
        let matches = spec.transport_sockets.matches.iter();
        let counter = |name: &str| scope.counter(&format!("{name}.total_match_count"));
        Arc::new(Self {
            had_connection: AtomicBool::new(false),
            socket_matches: matches.map(|one| counter(&one.name)).collect(),
            traffic_stats: scope.group(),
            lb_stats: scope.group(),
            update_stats: scope.group(),
            size_stats: spec.track.request_response_sizes.then(|| scope.group()),
            timeout_budget_stats: spec.track.timeout_budgets.then(|| scope.group()),
            dropped: Count::default(),
            maintenance: AtomicU32::new(0),
            members: OnceLock::new(),
            resources,
            scope,
            spec,
        })
    }

    /// Counts which transport socket match a new host has; whether it has one, not the default.
    pub fn count_socket_match(&self, host: &Host) -> bool {
        let found = self.spec.transport_sockets.find(host);
        let counter = found.and_then(|at| self.socket_matches.get(at));
        counter.map(SharedCounter::inc).is_some()
    }

    /// Counts which transport socket match was taken for something other than a new host.
    pub(crate) fn count_socket_match_at(&self, place: Option<usize>, stats: &ClusterUpdateStats) {
        match place.and_then(|at| self.socket_matches.get(at)) {
            Some(counter) => counter.inc(),
            None => stats.total_match_count().inc(),
        }
    }

    /// Has workers tell main of the hosts that they find.
    pub(crate) fn take_found(&self, members: MembersHandle) {
        self.members.get_or_init(|| Box::new(members));
    }

    /// Whom workers tell of the hosts that they find.
    pub(crate) fn members(&self) -> Option<&MembersHandle> {
        self.members.get().map(|members| &**members)
    }

    /// The share of requests, in percent, that are answered without a host (maintenance mode).
    pub fn maintenance(&self) -> u32 {
        self.maintenance.load(Relaxed)
    }

    /// Takes over what runtime flags say of the cluster: `upstream.maintenance_mode.NAME` and
    /// `circuit_breakers.NAME.PRIORITY.*`. `local` are main's handles to the circuit breakers.
    pub fn apply_runtime(&self, local: &[LocalResources; 2], flags: &RuntimeFlags) {
        let name = &self.spec.name;
        let share = flags.integer(&format!("upstream.maintenance_mode.{name}"), 0);
        self.maintenance.store(share.min(100) as u32, Relaxed);
        for (priority, local) in Priority::ALL.into_iter().zip(local) {
            let prefix = format!("circuit_breakers.{name}.{}", priority.as_str());
            self.resources(priority)
                .apply_runtime(local, flags, &prefix);
        }
    }

    /// How many requests are in flight, over all workers.
    pub fn active_requests(&self) -> u32 {
        let of = |priority| self.resources(priority).used(Resource::Requests);
        Priority::ALL.into_iter().map(of).sum()
    }

    /// The circuit breakers of a routing priority.
    pub fn resources(&self, priority: Priority) -> &ResourceManager {
        &self.resources[priority as usize]
    }
}
