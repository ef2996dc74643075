//! `envoy.filters.http.router`: ends a chain by sending the request upstream. The machinery is the
//! crate `nuncio-router`; this is its configuration.

mod config;

pub use config::Router;
