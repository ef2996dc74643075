//! `envoy.filters.network.local_ratelimit`: how many connections begin at most within a time, over
//! all workers. One too many is closed at once.

mod config;
mod filter;

#[cfg(test)]
mod tests;

pub use config::LocalRateLimit;
pub use filter::LocalRateLimitFactory;
