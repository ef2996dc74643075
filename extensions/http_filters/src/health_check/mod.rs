//! `envoy.filters.http.health_check`: answers health checks of this proxy, and tells those who wait
//! in front of it that it is failing ("Health check" in Envoy's docs,
//! `http_filters/health_check_filter`).
//!
//! Parity: all fields.

mod cache;
mod config;
mod filter;
mod stats;
#[cfg(test)]
mod tests;

pub use filter::{HealthCheckFilter, HealthCheckSpec};

/// The extension.
pub struct HealthCheck;
