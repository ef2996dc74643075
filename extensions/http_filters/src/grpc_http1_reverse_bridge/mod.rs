//! `envoy.filters.http.grpc_http1_reverse_bridge`: gRPC for upstreams that speak HTTP/1.1, which
//! get a call as a plain POST ("gRPC HTTP/1.1 reverse bridge" in Envoy's docs,
//! `http_filters/grpc_http1_reverse_bridge_filter`).
//!
//! Parity: all fields. Where frames are withheld the response is held back until it is complete,
//! within the stream's buffer limit, unless a header says its size. As in Envoy the first frame's
//! prefix must come in one piece, and answers that this proxy makes itself are no upstream's.
//!
//! Security: made for untrusted downstreams.

mod config;
mod filter;
#[cfg(test)]
mod tests;

pub use filter::{ReverseBridgeFilter, ReverseBridgeRouteSpec, ReverseBridgeSpec};

/// The extension.
pub struct GrpcHttp1ReverseBridge;
