//! `envoy.filters.network.echo`: sends back what it receives. For tests and health checks.
//!
//! As in Envoy a client that ends its direction is not answered any more. Unlike Envoy's, a client
//! that doesn't read is not read from either once the buffer limit is reached.

mod config;
mod filter;

#[cfg(test)]
mod tests;

pub use config::Echo;
pub use filter::EchoFactory;
