//! `envoy.filters.http.upstream_codec`: ends a chain of upstream filters by sending the request to
//! the connection. The machinery is the crate `nuncio-router`; this is its configuration.

mod config;

pub use config::UpstreamCodec;
