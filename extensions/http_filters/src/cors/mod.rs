//! `envoy.filters.http.cors`: answers preflight requests and adds the headers of cross-origin
//! resource sharing to responses ("CORS" in Envoy's docs, `http_filters/cors_filter`).
//!
//! The filter itself has no settings: policies stand in `typed_per_filter_config` of routes,
//! virtual hosts and tables, or, where there is none, in the old `cors` fields of route and virtual
//! host. A setting that the most specific policy leaves open is the next one's.
//!
//! Parity: all fields.
//!
//! Security: made for untrusted downstreams. A preflight from a foreign origin is sent on unless
//! `forward_not_matching_preflights` is false, as in Envoy: browsers refuse what lacks the headers.

mod config;
mod filter;
mod stats;
#[cfg(test)]
mod tests;

pub use filter::{CorsFilter, CorsSpec};
pub use stats::CorsStats;

/// The extension.
pub struct Cors;
