//! The network filters, a folder each, named as Envoy names them.

// Envoy still reads its deprecated fields; so does this.
#![allow(deprecated)]

pub mod direct_response;
pub mod echo;
pub mod http_connection_manager;
pub mod tcp_proxy;

pub use direct_response::DirectResponse;
pub use echo::Echo;
pub use http_connection_manager::HttpConnectionManager;
pub use tcp_proxy::TcpProxy;

#[cfg(test)]
mod testing;
