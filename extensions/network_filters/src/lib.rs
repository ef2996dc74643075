//! The network filters, a folder each, named as Envoy names them.

pub mod direct_response;
pub mod echo;
pub mod tcp_proxy;

#[cfg(test)]
mod testing;
