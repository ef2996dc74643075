//! `envoy.filters.http.local_ratelimit`: how many requests pass within a time, over all workers or
//! for each connection ("Local rate limit" in Envoy's docs,
//! `http_filters/local_rate_limit_filter`).
//!
//! Parity: the token bucket of filter and routes, shares, headers. Not built, and refused:
//! descriptors, rate limits of its own, shares of a cluster.

mod config;
mod filter;
#[cfg(test)]
mod tests;

pub use filter::{LocalRateLimitFilter, LocalRateLimitSpec, RateLimitStats, Settings};

/// The extension.
pub struct LocalRateLimit;
