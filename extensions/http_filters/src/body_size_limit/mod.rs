//! `envoy.filters.http.body_size_limit`: refuses requests whose body is too large, without
//! gathering it.
//!
//! Parity: all fields.
//!
//! Security: made for untrusted downstreams. A body without a length is counted as it comes.

mod config;
mod filter;
#[cfg(test)]
mod tests;

pub use filter::{BodySizeLimitFilter, BodySizeLimitSpec};

/// The extension.
pub struct BodySizeLimit;
