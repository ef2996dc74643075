//! `envoy.filters.http.local_ratelimit`: how many requests pass within a time, over all workers or
//! for each connection ("Local rate limit" in Envoy's docs,
//! `http_filters/local_rate_limit_filter`).
//!
//! Parity: the token buckets of filter and routes, for all requests and for descriptors, shares,
//! headers. Not built, and refused: descriptors with values that are any, shares of a cluster.

mod config;
mod filter;
mod limits;
#[cfg(test)]
mod tests;

pub use filter::{Counted, LocalRateLimitFilter, LocalRateLimitSpec, RateLimitStats, Settings};
pub use limits::{Buckets, DescriptorLimit, Limits, Place, Taken};

/// The extension.
pub struct LocalRateLimit;
