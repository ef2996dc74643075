//! `envoy.filters.http.rbac`: lets requests pass by who makes them and what they ask for ("RBAC" in
//! Envoy's docs, `http_filters/rbac_filter`). Shadow rules are only counted and recorded.
//!
//! Parity: policies and the unified matcher with its inputs, per-route rules, stats by policy,
//! dynamic metadata. Not built, and refused: CEL conditions, audit loggers, extensions as
//! permissions and principals, custom matchers.
//!
//! Security: made for untrusted downstreams. What matches no rule of an `ALLOW` list, or nothing of
//! a matcher, is denied.

mod config;
mod filter;
#[cfg(test)]
mod tests;

pub use filter::{RbacFilter, RbacRouteSpec, RbacSpec, Rules};

/// The extension.
pub struct Rbac;
