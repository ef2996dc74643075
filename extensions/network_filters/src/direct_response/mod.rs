//! `envoy.filters.network.direct_response`: sends a fixed response to every client, and closes.

mod filter;

#[cfg(test)]
mod tests;

pub use filter::DirectResponseFactory;
