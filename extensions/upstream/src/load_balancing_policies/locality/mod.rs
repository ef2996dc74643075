//! What policies share of localities: their configuration.

mod config;

pub(crate) use config::settings;
