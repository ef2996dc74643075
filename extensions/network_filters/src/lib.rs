//! The network filters, a folder each, named as Envoy names them.

pub mod direct_response;
pub mod echo;

#[cfg(test)]
mod testing;
