//! `envoy.access_loggers.stdout` and `envoy.access_loggers.stderr`: as the file logger, to a
//! standard stream. Envoy's page: `envoy.extensions.access_loggers.stream.v3`.

mod config;

pub use config::{StderrAccessLogger, StdoutAccessLogger};
