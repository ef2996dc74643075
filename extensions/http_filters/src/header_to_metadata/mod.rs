//! `envoy.filters.http.header_to_metadata`: dynamic metadata from headers and cookies
//! ("Envoy Header-To-Metadata Filter" in Envoy's docs, `http_filters/header_to_metadata_filter`).
//!
//! Parity: rules of requests and responses, of the filter and of routes, and the stats of the
//! filter's. Not built, and refused: stats of routes' rules.
//!
//! Security: made for untrusted downstreams: values beyond 8 KiB are not taken.

mod config;
mod filter;
mod rule;
#[cfg(test)]
mod tests;

pub use filter::{HeaderToMetadataFilter, HeaderToMetadataSpec, HeaderToMetadataStats, Rules};
pub use rule::{KeyValue, Rule, Selector, ValueType};

/// The extension.
pub struct HeaderToMetadata;
