//! `envoy.transport_sockets.upstream_proxy_protocol`: connections to hosts begin with a header that
//! tells whose they are.
//!
//! Where the client has no IP address (a Unix socket, another listener of the process) the header
//! says that nobody is known; Envoy sends none of version 2 then, and ends with one of version 1.

mod config;
mod factory;
mod header;

pub use config::UpstreamProxyProtocol;
