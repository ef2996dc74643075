//! `envoy.filters.http.connect_grpc_bridge`: Connect's protocol for clients of gRPC services
//! ("Connect-gRPC Bridge" in Envoy's docs, `http_filters/connect_grpc_bridge_filter`; the protocol:
//! <https://connectrpc.com/docs/protocol>).
//!
//! Parity: calls of one message by POST and by GET, and streams. A call of one message is held back
//! until it is complete, request or response, within the stream's buffer limit. Unlike with Envoy
//! only a GET without a body is a call by its query, whose Base64 may be padded.
//!
//! Security: made for untrusted downstreams.

mod config;
mod filter;
mod outcome;
mod request;
#[cfg(test)]
mod tests;
mod wire;

pub use filter::{ConnectGrpcBridgeFilter, ConnectGrpcBridgeSpec};

/// The extension.
pub struct ConnectGrpcBridge;
