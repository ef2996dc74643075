//! Access loggers: where log lines go. One file each, named as in Envoy.

pub mod file;
