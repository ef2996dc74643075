//! What policies share of slow start: its configuration.

mod config;

pub(crate) use config::settings;
