//! Which host, which connection: clusters, load balancing, circuit breakers, connection pools.
//!
//! Main makes a [`ClusterInfo`] and [`PrioritySet`] snapshots of a cluster's hosts and posts them;
//! each worker keeps a [`LocalCluster`] with the balancer's state and the pools, found through its
//! [`ClusterManager`]. Workers share atomics only: circuit breakers and hosts' counts. (Envoy's
//! pages: "Cluster manager", "Load balancing", "Connection pooling", "Circuit breaking".)

pub mod address_order;
pub mod cluster;
pub mod discovery;
pub mod health;
pub mod health_check;
pub mod host;
pub mod host_monitor;
pub mod host_set;
pub mod lb;
pub mod local_cluster;
pub mod manager;
pub mod original_dst;
pub mod outlier;
mod override_host;
pub mod peer_names;
pub mod pool;
pub mod preconnect;
pub mod priority;
pub mod resource;
mod socket_options_of;
pub mod stats;
mod tracked;
pub mod transport;

pub use cluster::{ClusterInfo, ClusterSpec};
pub use health::{Health, HealthFlag};
pub use host::{Host, HostSpec, HostStats, Locality};
pub use host_set::HostSet;
pub use lb::{Choice, LbRequest, LbSpec, LoadBalancer};
pub use local_cluster::LocalCluster;
pub use manager::ClusterManager;
pub use override_host::{HostsByAddress, Overridden};
pub use pool::{
    ClientStream, PoolFailure, StreamRequest, TcpConnection, TcpRequest, TcpStream, UdpStream,
};
pub use priority::{HostsChange, PriorityLoad, PrioritySet};
pub use resource::{Priority, RetryPermit};
pub use tracked::TrackedRequests;
