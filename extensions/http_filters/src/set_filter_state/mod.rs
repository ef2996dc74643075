//! `envoy.filters.http.set_filter_state`: leaves objects for others in the filter state of requests
//! ("Set filter state" in Envoy's docs, `http_filters/set_filter_state`).
//!
//! Parity: objects that are text or addresses. Not built, and refused: other objects of Envoy's,
//! configuration at routes.

mod config;
mod filter;
#[cfg(test)]
mod tests;

pub use filter::{SetFilterStateFilter, SetFilterStateSpec};

/// The extension.
pub struct SetFilterState;
