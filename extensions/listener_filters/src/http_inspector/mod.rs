//! `envoy.filters.listener.http_inspector`: finds out which HTTP a connection without TLS speaks,
//! for filter chains that match by `application_protocols`. Nothing is taken off the socket.

mod config;
mod filter;

pub use config::HttpInspector;
