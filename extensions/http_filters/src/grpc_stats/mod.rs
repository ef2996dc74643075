//! `envoy.filters.http.grpc_stats`: counts gRPC calls and their messages at the cluster they go to
//! ("gRPC Statistics" in Envoy's docs, `http_filters/grpc_stats_filter`).
//!
//! Parity: all fields. On each worker, 4096 methods are counted apart; calls of more are counted
//! together. A `grpc-status` that is none of the 17 is a failure without a counter of its own.
//!
//! Security: made for untrusted downstreams, whose paths become names of stats with
//! `stats_for_all_methods`.

mod config;
mod filter;
mod messages;
#[cfg(test)]
mod tests;

pub use filter::{GrpcStatsFilter, GrpcStatsSpec, Methods};

/// The extension.
pub struct GrpcStats;
