//! The HTTP filters, a folder each, named as Envoy names them.

pub mod router;

pub use router::Router;
