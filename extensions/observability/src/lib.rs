//! Access loggers and formatters.

pub mod access_loggers;
