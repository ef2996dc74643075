//! The network filters, a folder each, named as Envoy names them.

pub mod direct_response;
pub mod echo;
pub mod http_connection_manager;
pub mod tcp_proxy;

pub use http_connection_manager::HttpConnectionManager;

#[cfg(test)]
mod testing;
