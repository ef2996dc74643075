//! What is built in: every extension is one line here, sorted by its name.

use nuncio_ext_http_filters as http_filters;
use nuncio_ext_listener_filters as listener_filters;
use nuncio_ext_network_filters as network_filters;
use nuncio_ext_observability::access_loggers::{file, grpc, stream};
use nuncio_ext_observability::health_check_sinks;
use nuncio_ext_transport_sockets as transport_sockets;
use nuncio_ext_upstream::load_balancing_policies as lb_policies;
use nuncio_extension::{
    AccessLoggerFactory, DownstreamSocketFactory, HealthCheckSinkFactory, HttpFilterFactory,
    ListenerFilterFactory, LoadBalancerFactory, NetworkFilterFactory, Registry,
    UpstreamSocketFactory,
};

static ACCESS_LOGGERS: &[&dyn AccessLoggerFactory] = &[
    &file::FileAccessLogger,
    &grpc::HttpGrpcAccessLogger,
    &grpc::TcpGrpcAccessLogger,
    &stream::StderrAccessLogger,
    &stream::StdoutAccessLogger,
];

static DOWNSTREAM_SOCKETS: &[&dyn DownstreamSocketFactory] = &[
    &transport_sockets::DownstreamRawBuffer,
    &transport_sockets::DownstreamTls,
];

static HEALTH_CHECK_SINKS: &[&dyn HealthCheckSinkFactory] = &[&health_check_sinks::file::FileSink];

static HTTP_FILTERS: &[&dyn HttpFilterFactory] = &[
    &http_filters::AdmissionControl,
    &http_filters::ApiKeyAuth,
    &http_filters::BandwidthLimit,
    &http_filters::BasicAuth,
    &http_filters::BodySizeLimit,
    &http_filters::Buffer,
    &http_filters::CdnLoop,
    &http_filters::Compressor,
    &http_filters::ConnectGrpcBridge,
    &http_filters::Cors,
    &http_filters::Csrf,
    &http_filters::Decompressor,
    &http_filters::ExtAuthz,
    &http_filters::Fault,
    &http_filters::GrpcHttp1Bridge,
    &http_filters::GrpcHttp1ReverseBridge,
    &http_filters::GrpcStats,
    &http_filters::GrpcWeb,
    &http_filters::HeaderMutation,
    &http_filters::HeaderToMetadata,
    &http_filters::HealthCheck,
    &http_filters::LocalRateLimit,
    &http_filters::OnDemand,
    &http_filters::RateLimit,
    &http_filters::Rbac,
    &http_filters::Router,
    &http_filters::SetFilterState,
    &http_filters::SetMetadata,
    &http_filters::StatefulSession,
    &http_filters::UpstreamCodec,
];

static LISTENER_FILTERS: &[&dyn ListenerFilterFactory] = &[
    &listener_filters::HttpInspector,
    &listener_filters::LocalRateLimit,
    &listener_filters::OriginalDst,
    &listener_filters::ProxyProtocol,
    &listener_filters::TlsInspector,
];

static LOAD_BALANCERS: &[&dyn LoadBalancerFactory] = &[
    &lb_policies::client_side_weighted_round_robin::Policy,
    &lb_policies::least_request::Policy,
    &lb_policies::maglev::Policy,
    &lb_policies::override_host::Policy,
    &lb_policies::random::Policy,
    &lb_policies::ring_hash::Policy,
    &lb_policies::round_robin::Policy,
    &lb_policies::subset::Policy,
    &lb_policies::wrr_locality::Policy,
];

static NETWORK_FILTERS: &[&dyn NetworkFilterFactory] = &[
    &network_filters::ConnectionLimit,
    &network_filters::DirectResponse,
    &network_filters::Echo,
    &network_filters::ExtAuthz,
    &network_filters::HttpConnectionManager,
    &network_filters::LocalRateLimit,
    &network_filters::RateLimit,
    &network_filters::Rbac,
    &network_filters::SetFilterState,
    &network_filters::SniCluster,
    &network_filters::TcpProxy,
];

static UPSTREAM_SOCKETS: &[&dyn UpstreamSocketFactory] = &[
    &transport_sockets::InternalUpstream,
    &transport_sockets::UpstreamProxyProtocol,
    &transport_sockets::UpstreamRawBuffer,
    &transport_sockets::UpstreamTls,
];

/// Everything that is built in.
pub static REGISTRY: Registry = Registry {
    access_loggers: ACCESS_LOGGERS,
    downstream_sockets: DOWNSTREAM_SOCKETS,
    health_check_sinks: HEALTH_CHECK_SINKS,
    http_filters: HTTP_FILTERS,
    listener_filters: LISTENER_FILTERS,
    load_balancers: LOAD_BALANCERS,
    network_filters: NETWORK_FILTERS,
    upstream_sockets: UPSTREAM_SOCKETS,
};
