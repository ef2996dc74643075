//! `envoy.filters.http.bandwidth_limit`: bodies no faster than a rate, that of all streams together
//! ("Bandwidth limit" in Envoy's docs, `http_filters/bandwidth_limit_filter`).
//!
//! Parity: both directions, routes, trailers that tell of delays, stats. As in Envoy, the rate is
//! over all workers; what waits for it is buffered, and its sender held back.

mod config;
mod filter;
mod limiter;
mod settings;
#[cfg(test)]
mod tests;

pub use filter::{BandwidthLimitFilter, BandwidthLimitSpec};
pub use settings::{BandwidthStats, Settings, Trailers};

/// The extension.
pub struct BandwidthLimit;
