//! What the server shows the admin, as plain data.

use std::time::Duration;

use nuncio_base::address::Address;

/// `envoy.admin.v3.ServerInfo.State`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerState {
    /// Serving.
    Live,
    /// Health checks are failed on purpose.
    Draining,
    /// Waiting for clusters.
    PreInitializing,
    /// Waiting for listeners and what they need.
    Initializing,
}

impl ServerState {
    /// The name that `/ready` and `/server_info` print.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "LIVE",
            Self::Draining => "DRAINING",
            Self::PreInitializing => "PRE_INITIALIZING",
            Self::Initializing => "INITIALIZING",
        }
    }

    /// The number in the proto and in the gauge `server.state`.
    pub fn number(self) -> i32 {
        match self {
            Self::Live => 0,
            Self::Draining => 1,
            Self::PreInitializing => 2,
            Self::Initializing => 3,
        }
    }
}

/// How long the process runs.
#[derive(Clone, Copy, Debug)]
pub struct Uptime {
    /// Since its start.
    pub current_epoch: Duration,
    /// Since the start of the first that was restarted hot.
    pub all_epochs: Duration,
}

/// A cluster in `/clusters`.
#[derive(Clone, Debug)]
pub struct ClusterView {
    /// Its name.
    pub name: String,
    /// Its name in stats.
    pub observability_name: String,
    /// Its name in EDS, empty for none.
    pub eds_service_name: String,
    /// Whether it came from a control plane.
    pub added_via_api: bool,
    /// What outlier detection knows, where it is on.
    pub outlier: Option<OutlierView>,
    /// The limits of the default and of the high priority.
    pub thresholds: [ThresholdsView; 2],
    /// Its hosts, of all priorities.
    pub hosts: Vec<HostView>,
}

/// Success rates of a cluster; below zero where there is none.
#[derive(Clone, Copy, Debug)]
pub struct OutlierView {
    /// The average over the hosts, in percent.
    pub success_rate_average: f64,
    /// The rate below which a host is ejected.
    pub success_rate_ejection_threshold: f64,
    /// The same of errors of local origin.
    pub local_origin_success_rate_average: f64,
    /// The same of errors of local origin.
    pub local_origin_success_rate_ejection_threshold: f64,
}

/// Limits of circuit breakers.
#[derive(Clone, Copy, Debug)]
pub struct ThresholdsView {
    /// Connections.
    pub max_connections: u32,
    /// Requests that wait for a connection.
    pub max_pending_requests: u32,
    /// Requests in flight.
    pub max_requests: u32,
    /// Retries in flight.
    pub max_retries: u32,
}

/// A host in `/clusters`.
#[derive(Clone, Debug)]
pub struct HostView {
    /// Its address.
    pub address: Address,
    /// Its name, empty for none.
    pub hostname: String,
    /// Its counters, sorted by name.
    pub counters: Vec<(&'static str, u64)>,
    /// Its gauges, sorted by name.
    pub gauges: Vec<(&'static str, u64)>,
    /// Its health flags, named as in `/clusters`, in Envoy's order.
    pub health_flags: Vec<&'static str>,
    /// Its weight.
    pub weight: u32,
    /// Where it is.
    pub locality: LocalityView,
    /// Whether its metadata calls it a canary.
    pub canary: bool,
    /// Its priority.
    pub priority: u32,
    /// Its success rate in percent; below zero where there is none.
    pub success_rate: f64,
    /// The same of errors of local origin.
    pub local_origin_success_rate: f64,
}

/// Where a host is.
#[derive(Clone, Debug, Default)]
pub struct LocalityView {
    /// The region.
    pub region: String,
    /// The zone in it.
    pub zone: String,
    /// The part of the zone.
    pub sub_zone: String,
}

/// A listener in `/listeners`.
#[derive(Clone, Debug)]
pub struct ListenerView {
    /// Its name.
    pub name: String,
    /// The address it listens on, with the port that it really has.
    pub address: Address,
    /// Its `additional_addresses`.
    pub additional_addresses: Vec<Address>,
}

/// A part of `/config_dump`.
#[derive(Clone, Debug)]
pub struct ConfigSection {
    /// The message's full name, as `envoy.admin.v3.ClustersConfigDump`.
    pub message: &'static str,
    /// The message, encoded; secrets are redacted when it is printed.
    pub bytes: Vec<u8>,
}

/// `envoy.admin.v3.Memory`, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryView {
    /// In use.
    pub allocated: u64,
    /// Taken from the system.
    pub heap_size: u64,
    /// Given back, but still mapped.
    pub pageheap_unmapped: u64,
    /// Free in the heap.
    pub pageheap_free: u64,
    /// Held by threads' caches.
    pub total_thread_cache: u64,
    /// Resident.
    pub total_physical_bytes: u64,
}

/// What one init manager waits for.
#[derive(Clone, Debug)]
pub struct UnreadyTargets {
    /// The manager's name.
    pub name: String,
    /// The targets' names.
    pub targets: Vec<String>,
}

/// `/drain_listeners`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainRequest {
    /// Only listeners with `traffic_direction: INBOUND`.
    pub inbound_only: bool,
    /// Drain over the drain time before the listeners stop.
    pub graceful: bool,
    /// Drain, but never stop the listeners.
    pub skip_exit: bool,
}
