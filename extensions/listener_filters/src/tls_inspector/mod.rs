//! `envoy.filters.listener.tls_inspector`: finds out whether a connection begins with TLS, and what
//! name and protocols the client asks for, and, where that is asked, its fingerprints. Nothing is
//! taken off the socket.

mod config;
mod filter;
mod fingerprint;
mod md5;
#[cfg(test)]
mod tests;

pub use config::TlsInspector;
