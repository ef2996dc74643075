//! `envoy.filters.http.api_key_auth`: lets requests pass that bring a known key ("API key auth" in
//! Envoy's docs, `http_filters/api_key_auth_filter`).
//!
//! Parity: all fields. What a route leaves open of keys and their sources is the filter's; what is
//! forwarded is the route's alone, where it has a configuration.
//!
//! Security: made for untrusted downstreams. Keys are found by a hash with a random seed, so that
//! how long it takes tells nothing of them.

mod config;
mod filter;
#[cfg(test)]
mod tests;

pub use filter::{ApiKeyAuthFilter, ApiKeyAuthSpec, Credentials, Forwarding, KeySource, Settings};

/// The extension.
pub struct ApiKeyAuth;
