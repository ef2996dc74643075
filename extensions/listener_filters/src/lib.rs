//! Listener filters: what looks at a connection before its filter chain is chosen.

pub mod tls_inspector;

pub use tls_inspector::TlsInspector;
