//! Access loggers: where log lines go. One folder each, named as in Envoy.

pub mod file;
pub mod grpc;
pub mod stream;

#[cfg(test)]
mod tests;
