//! `envoy.filters.listener.original_dst`: a connection that the system has sent here (iptables)
//! belongs to the address that its peer connected to.

mod config;
mod filter;

pub use config::OriginalDst;
