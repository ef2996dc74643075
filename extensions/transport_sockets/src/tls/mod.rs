//! `envoy.transport_sockets.tls`: TLS 1.2 and 1.3 by rustls, with the algorithms of aws-lc.
//!
//! Unlike Envoy's, it has no suites without forward secrecy, no TLS before 1.2, and chooses among
//! equally preferred suites in the order of the list. `common` is what both sides are configured
//! with, `validation` what peers' certificates are held against, `server` and `client` the sides.

pub mod certificate;
pub mod client;
pub mod common;
pub mod dynamic;
pub mod encrypted_key;
pub mod error;
pub mod facts;
pub mod identity;
pub mod key_log;
pub mod names;
pub mod not_ready;
pub mod params;
pub mod records;
pub mod scratch;
pub mod server;
pub mod session;
pub mod socket;
pub mod stats;
pub mod validation;

pub use client::config::UpstreamTls;
pub use server::config::DownstreamTls;
