//! All extensions, by kind; found by the type of their configuration.

use crate::access_logger::AccessLoggerFactory;
use crate::health_check_sink::HealthCheckSinkFactory;
use crate::http_filter::HttpFilterFactory;
use crate::listener_filter::ListenerFilterFactory;
use crate::load_balancer::LoadBalancerFactory;
use crate::network_filter::NetworkFilterFactory;
use crate::transport_socket::{DownstreamSocketFactory, UpstreamSocketFactory};
use nuncio_proto::google::protobuf::Any;

/// What is built in. The one list is in the binary; tests may use a smaller one.
pub struct Registry {
    /// Access loggers.
    pub access_loggers: &'static [&'static dyn AccessLoggerFactory],
    /// Transport sockets of accepted connections.
    pub downstream_sockets: &'static [&'static dyn DownstreamSocketFactory],
    /// Sinks of health check events.
    pub health_check_sinks: &'static [&'static dyn HealthCheckSinkFactory],
    /// HTTP filters, downstream and upstream.
    pub http_filters: &'static [&'static dyn HttpFilterFactory],
    /// Listener filters.
    pub listener_filters: &'static [&'static dyn ListenerFilterFactory],
    /// Load-balancing policies.
    pub load_balancers: &'static [&'static dyn LoadBalancerFactory],
    /// Network filters.
    pub network_filters: &'static [&'static dyn NetworkFilterFactory],
    /// Transport sockets of connections to hosts.
    pub upstream_sockets: &'static [&'static dyn UpstreamSocketFactory],
}

impl Registry {
    /// The access logger whose configuration this is.
    pub fn access_logger(&self, config: &Any) -> Option<&'static dyn AccessLoggerFactory> {
        let name = nuncio_proto::any::type_name(config);
        self.access_loggers
            .iter()
            .copied()
            .find(|factory| factory.type_name() == name)
    }

    /// The transport socket of accepted connections whose configuration this is.
    pub fn downstream_socket(&self, config: &Any) -> Option<&'static dyn DownstreamSocketFactory> {
        let name = nuncio_proto::any::type_name(config);
        self.downstream_sockets
            .iter()
            .copied()
            .find(|factory| factory.type_name() == name)
    }

    /// The transport socket of connections to hosts whose configuration this is.
    pub fn upstream_socket(&self, config: &Any) -> Option<&'static dyn UpstreamSocketFactory> {
        let name = nuncio_proto::any::type_name(config);
        self.upstream_sockets
            .iter()
            .copied()
            .find(|factory| factory.type_name() == name)
    }

    /// The sink of health check events whose configuration this is.
    pub fn health_check_sink(&self, config: &Any) -> Option<&'static dyn HealthCheckSinkFactory> {
        let name = nuncio_proto::any::type_name(config);
        self.health_check_sinks
            .iter()
            .copied()
            .find(|factory| factory.type_name() == name)
    }

    /// The listener filter whose configuration this is.
    pub fn listener_filter(&self, config: &Any) -> Option<&'static dyn ListenerFilterFactory> {
        let name = nuncio_proto::any::type_name(config);
        self.listener_filters
            .iter()
            .copied()
            .find(|factory| factory.type_name() == name)
    }

    /// The HTTP filter whose configuration this is.
    pub fn http_filter(&self, config: &Any) -> Option<&'static dyn HttpFilterFactory> {
        let name = nuncio_proto::any::type_name(config);
        self.http_filters
            .iter()
            .copied()
            .find(|factory| factory.type_name() == name)
    }

    /// The HTTP filter whose route configuration this is.
    pub fn http_filter_of_route(&self, config: &Any) -> Option<&'static dyn HttpFilterFactory> {
        let name = nuncio_proto::any::type_name(config);
        self.http_filters
            .iter()
            .copied()
            .find(|factory| factory.route_type_name() == name || factory.type_name() == name)
    }

    /// The load-balancing policy whose configuration this is.
    pub fn load_balancer(&self, config: &Any) -> Option<&'static dyn LoadBalancerFactory> {
        let name = nuncio_proto::any::type_name(config);
        self.load_balancers
            .iter()
            .copied()
            .find(|factory| factory.type_name() == name)
    }

    /// The network filter whose configuration this is.
    pub fn network_filter(&self, config: &Any) -> Option<&'static dyn NetworkFilterFactory> {
        let name = nuncio_proto::any::type_name(config);
        self.network_filters
            .iter()
            .copied()
            .find(|factory| factory.type_name() == name)
    }
}
