//! Access loggers and sinks of other events.

pub mod access_loggers;
pub mod health_check_sinks;
