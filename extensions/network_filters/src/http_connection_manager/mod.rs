//! `envoy.filters.network.http_connection_manager`: ends a connection in HTTP streams. The
//! machinery is the crate `nuncio-http`; this is its configuration.

mod client_cert;
mod config;
mod refused;
mod tracing;

pub use config::HttpConnectionManager;
