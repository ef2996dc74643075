//! Active health checks: what is asked of each host, how often, and what its answers mean
//! (Envoy's "Health checking"). They run on main; workers see the outcome as health flags.

mod checker;
mod connection;
mod event;
mod exchange;
mod grpc;
mod host_health;
mod http;
mod http1;
mod http2;
mod interval;
mod session;
mod spec;
mod tcp;

pub(crate) use checker::HealthChecker;
pub use event::{HealthEvent, HealthEventKind, HealthEventSink};
pub use grpc::GrpcProbe;
pub use host_health::Failure;
pub use http::HttpProbe;
pub use interval::Intervals;
pub use spec::{EndpointCheck, HealthCheckSpec, Probe, StatusRange};
pub use tcp::{Payload, TcpProbe};

use nuncio_stats::stat_group;

stat_group! {
    /// What health checks count (`cluster.NAME.health_check.`).
    pub(crate) struct HealthCheckStats {
        counters { attempt, failure, network_failure, passive_failure, success, verify_cluster }
        gauges { degraded, healthy }
    }
}
