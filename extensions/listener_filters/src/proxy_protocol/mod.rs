//! `envoy.filters.listener.proxy_protocol`: a load balancer in front tells by a header whose
//! connection it hands on; the header is taken off, and its addresses become the connection's.
//!
//! Unlike in Envoy, what a version 2 header carries besides addresses is checked and passed over:
//! the fields that would keep it are refused.

mod config;
mod filter;
mod kept;

pub use config::ProxyProtocol;
