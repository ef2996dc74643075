//! `envoy.filters.http.cdn_loop`: notes in each request that it was here, and refuses those that
//! were too often (RFC 8586; "CDN-Loop" in Envoy's docs, `http_filters/cdn_loop_filter`).
//!
//! Parity: all fields.

mod config;
mod filter;
mod parse;
#[cfg(test)]
mod tests;

pub use filter::{CdnLoopFilter, CdnLoopSpec};
pub use parse::{InvalidHeader, count, is_cdn_id};

/// The extension.
pub struct CdnLoop;
