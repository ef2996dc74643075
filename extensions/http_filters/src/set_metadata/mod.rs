//! `envoy.filters.http.set_metadata`: sets dynamic metadata of requests ("Set metadata" in Envoy's
//! docs, `http_filters/set_metadata_filter`).
//!
//! Parity: structs, and the deprecated fields. Not built, and refused: typed metadata, and
//! configuration at routes.

mod config;
mod filter;
#[cfg(test)]
mod tests;

pub use filter::{Entry, SetMetadataFilter, SetMetadataSpec, update};

/// The extension.
pub struct SetMetadata;
