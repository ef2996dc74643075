//! `envoy.filters.network.ext_authz`: asks a service whether a connection may pass, with its first
//! bytes ("External Authorization" in Envoy's docs, `network_filters/ext_authz_filter`).
//!
//! Not built, and refused: shadow mode, alerts of TLS to who is denied, labels of the bootstrap's
//! metadata, typed metadata.

mod config;
mod filter;
mod wire;

#[cfg(test)]
mod tests;

pub use config::ExtAuthz;
pub use filter::ExtAuthzFactory;
