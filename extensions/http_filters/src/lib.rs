//! The HTTP filters, a folder each, named as Envoy names them.

// Envoy still reads its deprecated fields; so does this.
#![allow(deprecated)]

pub mod admission_control;
pub mod api_key_auth;
pub mod bandwidth_limit;
pub mod basic_auth;
pub mod body_size_limit;
pub mod buffer;
pub mod cdn_loop;
mod cluster_counters;
pub mod compressor;
pub mod connect_grpc_bridge;
mod content_coding;
pub mod cors;
pub mod csrf;
pub mod decompressor;
pub mod ext_authz;
pub mod fault;
mod grpc_calls;
pub mod grpc_http1_bridge;
pub mod grpc_http1_reverse_bridge;
pub mod grpc_stats;
pub mod grpc_web;
pub mod header_mutation;
pub mod header_to_metadata;
pub mod health_check;
pub mod local_ratelimit;
pub mod on_demand;
mod rate_limits;
pub mod ratelimit;
pub mod rbac;
pub mod router;
pub mod set_filter_state;
pub mod set_metadata;
pub mod stateful_session;
mod stats_of;
pub mod upstream_codec;

#[cfg(test)]
mod per_route_tests;
#[cfg(test)]
mod testing;

pub use admission_control::AdmissionControl;
pub use api_key_auth::ApiKeyAuth;
pub use bandwidth_limit::BandwidthLimit;
pub use basic_auth::BasicAuth;
pub use body_size_limit::BodySizeLimit;
pub use buffer::Buffer;
pub use cdn_loop::CdnLoop;
pub use compressor::Compressor;
pub use connect_grpc_bridge::ConnectGrpcBridge;
pub use cors::Cors;
pub use csrf::Csrf;
pub use decompressor::Decompressor;
pub use ext_authz::ExtAuthz;
pub use fault::Fault;
pub use grpc_http1_bridge::GrpcHttp1Bridge;
pub use grpc_http1_reverse_bridge::GrpcHttp1ReverseBridge;
pub use grpc_stats::GrpcStats;
pub use grpc_web::GrpcWeb;
pub use header_mutation::HeaderMutation;
pub use header_to_metadata::HeaderToMetadata;
pub use health_check::HealthCheck;
pub use local_ratelimit::LocalRateLimit;
pub use on_demand::OnDemand;
pub use ratelimit::RateLimit;
pub use rbac::Rbac;
pub use router::Router;
pub use set_filter_state::SetFilterState;
pub use set_metadata::SetMetadata;
pub use stateful_session::StatefulSession;

/// A filter has no configuration at routes, in Envoy's words.
fn no_route_config(cx: &mut nuncio_extension::ParseCx, name: &str) -> nuncio_extension::Invalid {
    cx.error(format!(
        "The filter {name} doesn't support virtual host or route specific configurations"
    ))
}
pub use upstream_codec::UpstreamCodec;
