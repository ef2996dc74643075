//! `envoy.filters.http.grpc_http1_bridge`: gRPC for clients of HTTP/1, which get its status as
//! headers ("gRPC HTTP/1.1 bridge" in Envoy's docs, `http_filters/grpc_http1_bridge_filter`).
//!
//! Parity: all fields. A call is held back until it is complete, request or response, within the
//! stream's buffer limit.
//!
//! Security: made for untrusted downstreams.

mod config;
mod filter;
#[cfg(test)]
mod tests;

pub use filter::{GrpcHttp1BridgeFilter, GrpcHttp1BridgeSpec};

/// The extension.
pub struct GrpcHttp1Bridge;
