//! `envoy.filters.network.direct_response`: sends a fixed response to every client, and closes.

mod config;
mod filter;

#[cfg(test)]
mod tests;

pub use config::DirectResponse;
pub use filter::DirectResponseFactory;
