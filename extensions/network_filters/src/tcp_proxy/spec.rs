//! What a TCP proxy is configured with.

use super::stats::TcpProxyStats;
use super::tlvs::AddedTlvs;
use super::tunnel::TunnelSpec;
use nuncio_base::metadata::Fields;
use nuncio_observe::access_log::AccessLogSpec;
use nuncio_route::hash_policy::HashPolicy;
use nuncio_route::retry_policy::BackOff;
use nuncio_stats::{Group, Scope};
use std::sync::Arc;
use std::time::Duration;

/// A cluster and its share of connections.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightedCluster {
    /// The cluster's name.
    pub name: Arc<str>,
    /// Its weight, of the sum of all.
    pub weight: u32,
    /// What is asked of its hosts' metadata.
    pub metadata_match: Option<Arc<Fields>>,
}

/// Where connections go.
#[derive(Clone, Debug, PartialEq)]
pub enum ClusterChoice {
    /// To one cluster.
    One(Arc<str>),
    /// To one of several, by weight.
    Weighted(Vec<WeightedCluster>),
}

impl ClusterChoice {
    /// A cluster for a connection with this random number, and what is asked of its hosts where
    /// that is of its own.
    pub fn choose(&self, random: u64) -> (&Arc<str>, Option<&Arc<Fields>>) {
        match self {
            Self::One(name) => (name, None),
            Self::Weighted(clusters) => {
                let total: u64 = clusters.iter().map(|c| u64::from(c.weight)).sum();
                let mut at = random % total.max(1);
                for cluster in clusters {
                    match at.checked_sub(u64::from(cluster.weight)) {
                        Some(rest) => at = rest,
                        None => return (&cluster.name, cluster.metadata_match.as_ref()),
                    }
                }
                unreachable!("a number below the sum of the weights falls to one of them")
            }
        }
    }
}

/// A TCP proxy (`envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy`).
pub struct TcpProxySpec {
    /// Where connections go.
    pub cluster: ClusterChoice,
    /// What is asked of hosts' metadata.
    pub metadata_match: Option<Arc<Fields>>,
    /// What connections are hashed by.
    pub hash_policies: Vec<HashPolicy>,
    /// How long nothing may pass in either direction; `None`: for ever.
    pub idle_timeout: Option<Duration>,
    /// How often a host is tried at most, at least once.
    pub max_connect_attempts: u32,
    /// How long is waited before a host is tried again; `None`: not at all.
    pub back_off: Option<BackOff>,
    /// How long a connection may last.
    pub max_downstream_connection_duration: Option<Duration>,
    /// By what share, in percent, that time is made longer at random.
    pub max_duration_jitter_percent: f64,
    /// Whether a listener that drains closes connections whenever something passes.
    pub check_drain_close: bool,
    /// What is logged.
    pub access_logs: Vec<AccessLogSpec>,
    /// How often connections are logged while they last.
    pub access_log_flush_interval: Option<Duration>,
    /// Whether connections are logged when they are accepted.
    pub flush_access_log_on_start: bool,
    /// Whether connections are logged when the upstream connection is there.
    pub flush_access_log_on_connected: bool,
    /// How bytes are carried by HTTP, where they are.
    pub tunnel: Option<TunnelSpec>,
    /// What hosts are told by the PROXY protocol.
    pub tlvs: Option<AddedTlvs>,
    /// The stats.
    pub(crate) stats: Group<TcpProxyStats>,
}

impl TcpProxySpec {
    /// A proxy to `cluster` with Envoy's defaults, whose stats are `tcp.<stat_prefix>.*`.
    pub fn new(stat_prefix: &str, cluster: ClusterChoice, root: &Scope) -> Self {
        Self {
            cluster,
            metadata_match: None,
            hash_policies: Vec::new(),
            idle_timeout: Some(Duration::from_secs(3600)),
            max_connect_attempts: 1,
            back_off: None,
            max_downstream_connection_duration: None,
            max_duration_jitter_percent: 0.0,
            check_drain_close: false,
            access_logs: Vec::new(),
            access_log_flush_interval: None,
            flush_access_log_on_start: false,
            flush_access_log_on_connected: false,
            tunnel: None,
            tlvs: None,
            stats: root.scope(&format!("tcp.{stat_prefix}")).group(),
        }
    }
}
