//! `envoy.filters.network.connection_limit`: how many connections a filter chain has at most, over
//! all workers. One too many is closed, at once or after a delay.

mod config;
mod filter;

#[cfg(test)]
mod tests;

pub use config::ConnectionLimit;
pub use filter::ConnectionLimitFactory;
