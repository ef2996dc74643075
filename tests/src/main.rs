//! The integration tests: a proxy by command, in front of upstreams of the test's own.
//!
//! `NUNCIO_TEST_PROXY=envoy cargo test -p nuncio-tests` holds the tests themselves against Envoy.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests, whose clock is the real one"
)]

mod admin;
mod clients;
mod config;
mod cve;
mod dynamic;
mod harness;
mod http;
mod robustness;
mod tcp;
mod tls;
mod upstream;
