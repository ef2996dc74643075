//! Where events of health checks go. One folder each, named as in Envoy.

pub mod file;
