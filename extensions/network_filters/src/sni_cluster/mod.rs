//! `envoy.filters.network.sni_cluster`: the server name that a TLS client asks for names the
//! cluster of a `tcp_proxy` behind this filter.

mod config;
mod filter;

pub use config::SniCluster;
pub use filter::SniClusterFactory;
