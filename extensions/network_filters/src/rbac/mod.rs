//! `envoy.filters.network.rbac`: lets connections pass by who opens them and where to ("RBAC" in
//! Envoy's docs, `network_filters/rbac_filter`). Asked with the first bytes, or with all of them;
//! who is denied is closed, at once or after a delay. Shadow rules are only counted and recorded.
//!
//! Not built, and refused: CEL conditions, audit loggers, extensions as permissions and principals,
//! custom matchers.

mod config;
mod filter;

#[cfg(test)]
mod tests;

pub use config::Rbac;
pub use filter::RbacFactory;
