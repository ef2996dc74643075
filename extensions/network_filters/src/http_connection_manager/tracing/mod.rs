//! Which requests are traced.

pub mod config;
