//! The network filters, a folder each, named as Envoy names them.

// Envoy still reads its deprecated fields; so does this.
#![allow(deprecated)]

pub mod connection_limit;
pub mod direct_response;
pub mod echo;
pub mod ext_authz;
pub mod http_connection_manager;
pub mod local_ratelimit;
pub mod ratelimit;
pub mod rbac;
pub mod set_filter_state;
pub mod sni_cluster;
pub mod tcp_proxy;

pub use connection_limit::ConnectionLimit;
pub use direct_response::DirectResponse;
pub use echo::Echo;
pub use ext_authz::ExtAuthz;
pub use http_connection_manager::HttpConnectionManager;
pub use local_ratelimit::LocalRateLimit;
pub use ratelimit::RateLimit;
pub use rbac::Rbac;
pub use set_filter_state::SetFilterState;
pub use sni_cluster::SniCluster;
pub use tcp_proxy::TcpProxy;

#[cfg(test)]
mod testing;
