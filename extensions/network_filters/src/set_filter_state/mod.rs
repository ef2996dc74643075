//! `envoy.filters.network.set_filter_state`: leaves objects for others in the filter state of
//! connections.

mod config;
mod filter;

pub use config::SetFilterState;
pub use filter::SetFilterStateSpec;
