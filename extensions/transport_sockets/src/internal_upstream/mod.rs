//! `envoy.transport_sockets.internal_upstream`: what connections to internal listeners pass along
//! to them.

mod config;
mod socket;

pub use config::InternalUpstream;
