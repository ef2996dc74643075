//! `envoy.filters.network.ratelimit`: asks a service whether a connection is one too many
//! ("Rate limit" in Envoy's docs, `network_filters/rate_limit_filter`).
//!
//! Parity: of descriptors only the entries are sent, as in Envoy.

mod config;
mod filter;
mod wire;

pub use config::RateLimit;
pub use filter::RateLimitFactory;
