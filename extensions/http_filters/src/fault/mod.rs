//! `envoy.filters.http.fault`: delays and aborts requests and slows responses down, to see what
//! becomes of those who wait for them ("Fault Injection" in Envoy's docs,
//! `http_filters/fault_filter`).
//!
//! What is injected and how often stands in the filter's configuration, or in a route's, which then
//! replaces the filter's; runtime and, where allowed, request headers (`x-envoy-fault-…`)
//! change it.
//!
//! Parity: all fields. Stats by the client's cluster (`fault.<cluster>.…`) are kept for a bounded
//! number of clusters, since clients name them.
//!
//! Security: faults by header are for trusted downstreams only, as in Envoy.

mod config;
mod draw;
mod filter;
mod rate_limit;
mod settings;
mod stats;
#[cfg(test)]
mod tests;

pub use filter::{FaultFilter, FaultSpec};
pub use settings::{Abort, AbortCode, Delay, FaultSettings, RateLimit, RuntimeKeys};
pub use stats::FaultStats;

/// The extension.
pub struct Fault;
