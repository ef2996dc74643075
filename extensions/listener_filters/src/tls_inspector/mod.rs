//! `envoy.filters.listener.tls_inspector`: finds out whether a connection begins with TLS, and what
//! name and protocols the client asks for. Nothing is taken off the socket.

mod config;
mod filter;

pub use config::TlsInspector;
