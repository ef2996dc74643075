//! `envoy.filters.listener.local_ratelimit`: how many connections begin at most within a time, over
//! all workers. One too many is closed before anything of it is read.

mod config;
mod filter;

pub use config::LocalRateLimit;
