//! gRPC to services that this process asks, through its own clusters (Envoy's `Grpc::AsyncClient`;
//! the wire is gRPC's `PROTOCOL-HTTP2.md`).
//!
//! Messages are bytes here: who asks knows what is in them. [`GrpcClient::unary`] sends one and
//! waits for one; [`GrpcClient::open`] gives a stream both ways.

mod client;
mod google_grpc;
mod message;
mod status;
mod stream;

pub use client::{GrpcClient, GrpcService};
pub use google_grpc::{CallCredentials, GoogleGrpc, GoogleGrpcStats, Token};
pub use message::{MessageError, Messages, frame};
pub use status::Status;
pub use stream::{GrpcEvent, GrpcStream};

#[cfg(test)]
mod tests;
