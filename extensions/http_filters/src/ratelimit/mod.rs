//! `envoy.filters.http.ratelimit`: asks a service whether there are too many requests ("Global
//! rate limiting" in Envoy's docs, `http_filters/rate_limit_filter`).
//!
//! Parity: a service behind a cluster, rate limits of routes, virtual hosts, the filter and its
//! settings at routes, statuses, headers, stats at the request's cluster. Not built, and refused:
//! rate limits that are asked for when a stream is over.
//!
//! Security: made for untrusted downstreams, with a trusted service, whose answers change
//! requests and replies as it likes.

mod config;
mod filter;
#[cfg(test)]
mod tests;
mod wire;

pub use filter::{RateLimitFilter, RateLimitRouteSpec, RateLimitSpec, RequestType};

/// The extension.
pub struct RateLimit;
