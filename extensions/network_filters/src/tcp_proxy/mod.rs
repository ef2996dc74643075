//! `envoy.filters.network.tcp_proxy`: carries bytes between a client and a host of a cluster.
//!
//! Both directions end on their own (half close). A peer that doesn't read stops the other from
//! being read; nothing is kept here but what one read brought. Bulk between plain sockets is moved
//! by `splice`. Envoy's pages: "TCP proxy" (configuration reference) and its API docs.

mod carrier;
mod config;
mod factory;
mod filter;
mod flush;
mod host_request;
mod init_failure;
mod opening;
mod relay;
mod spec;
mod stats;
mod tlvs;
mod tunnel;
mod tunnel_headers;

#[cfg(test)]
mod tests;

/// The filter state that names the cluster of a connection, whatever the configuration says.
pub const CLUSTER_KEY: &str = "envoy.tcp_proxy.cluster";

pub use config::TcpProxy;
pub use factory::TcpProxyFactory;
pub use spec::{ClusterChoice, TcpProxySpec, WeightedCluster};
pub use tunnel::TunnelSpec;
