//! `envoy.filters.http.on_demand`: asks for virtual hosts and clusters when a request needs them
//! ("On-demand VHDS, S/RDS and CDS Updates" in Envoy's docs,
//! `http_filters/on_demand_updates_filter`).
//!
//! Parity: none of the asking. Clusters on demand (`odcds`) are refused, and so are route tables
//! with `vhds` beside this filter: their hosts come with the table here. Of a table that has all
//! its hosts the filter asks for nothing in Envoy either; there it may stand.

mod config;
mod filter;
#[cfg(test)]
mod tests;

pub use filter::OnDemandSpec;

/// The extension.
pub struct OnDemand;
