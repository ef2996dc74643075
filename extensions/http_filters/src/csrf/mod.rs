//! `envoy.filters.http.csrf`: refuses requests that change something and come from another origin
//! ("CSRF" in Envoy's docs, `http_filters/csrf_filter`).
//!
//! Parity: all fields.
//!
//! Security: made for untrusted downstreams. A request that changes something and names neither
//! `origin` nor `referer` is refused.

mod config;
mod filter;
#[cfg(test)]
mod tests;

pub use filter::{CsrfFilter, CsrfPolicy, CsrfSpec};

/// The extension.
pub struct Csrf;
