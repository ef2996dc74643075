//! Health checks as configured (`envoy.config.core.v3.HealthCheck`).

use super::event::HealthEventSink;
use super::grpc::GrpcProbe;
use super::http::HttpProbe;
use super::interval::Intervals;
use super::tcp::TcpProbe;
use nuncio_base::address::Address;
use nuncio_base::metadata::Fields;
use std::sync::Arc;
use std::time::Duration;

/// A cluster's health check.
#[derive(Clone)]
pub struct HealthCheckSpec {
    /// How long an answer may take, connecting included.
    pub timeout: Duration,
    /// How long a check waits for the next.
    pub intervals: Intervals,
    /// After how many failures a host is unhealthy.
    pub unhealthy_threshold: u32,
    /// After how many successes a host is healthy again; the very first counts at once.
    pub healthy_threshold: u32,
    /// Whether a connection is kept for the next check.
    pub reuse_connection: bool,
    /// By what the transport socket is chosen, in the place of the hosts' metadata.
    pub transport_socket_match_criteria: Option<Fields>,
    /// What is asked.
    pub probe: Probe,
    /// Where events are logged.
    pub sinks: Vec<Arc<dyn HealthEventSink>>,
    /// Whether every failure is an event, not the first alone.
    pub always_log_failures: bool,
    /// Whether every success is an event.
    pub always_log_successes: bool,
}

/// What is asked of a host.
#[derive(Clone)]
pub enum Probe {
    /// An HTTP request.
    Http(Box<HttpProbe>),
    /// A call of gRPC's health service.
    Grpc(Box<GrpcProbe>),
    /// A connection, perhaps bytes, perhaps an answer.
    Tcp(TcpProbe),
}

impl Probe {
    /// `envoy.data.core.v3.HealthCheckerType`, as event logs print it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Http(_) => "HTTP",
            Self::Grpc(_) => "GRPC",
            Self::Tcp(_) => "TCP",
        }
    }
}

/// Status codes, the end not among them (`envoy.type.v3.Int64Range`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StatusRange {
    /// The first.
    pub start: u16,
    /// The first behind.
    pub end: u16,
}

impl StatusRange {
    /// Whether `status` is among them.
    pub fn contains(self, status: u16) -> bool {
        (self.start..self.end).contains(&status)
    }
}

/// What an endpoint says of its own health checks (`Endpoint.HealthCheckConfig`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointCheck {
    /// Checked in place of the endpoint's address.
    pub address: Option<Address>,
    /// The port in place of the address's.
    pub port: Option<u16>,
    /// The `host` of HTTP checks; empty for the cluster's.
    pub hostname: Arc<str>,
    /// It is not checked.
    pub disabled: bool,
}

impl EndpointCheck {
    /// Where an endpoint at `address` is checked.
    pub fn target(&self, address: Address) -> Address {
        let address = self.address.clone().unwrap_or(address);
        match (address, self.port) {
            (Address::Ip(mut ip), Some(port)) => {
                ip.set_port(port);
                Address::Ip(ip)
            }
            (address, _) => address,
        }
    }
}
