//! `envoy.filters.http.grpc_web`: gRPC-Web, binary and as text, to gRPC and back ("gRPC-Web" in
//! Envoy's docs, `http_filters/grpc_web_filter`; gRPC's `PROTOCOL-WEB.md`).
//!
//! Parity: it has no fields. Of an answer that is no gRPC the trailers are not sent along: Envoy
//! writes them behind the end of the message.
//!
//! Security: made for untrusted downstreams. An answer that is no gRPC is held back for its
//! `grpc-message`, within the stream's buffer limit.

mod base64;
mod config;
mod filter;
#[cfg(test)]
mod tests;

pub use filter::{GrpcWebFilter, GrpcWebSpec};

/// The extension.
pub struct GrpcWeb;
