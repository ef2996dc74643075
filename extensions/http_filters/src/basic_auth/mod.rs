//! `envoy.filters.http.basic_auth`: lets requests pass that name a user and his password (RFC 7617;
//! "Basic Auth" in Envoy's docs, `http_filters/basic_auth_filter`).
//!
//! Parity: all fields; as in Envoy users are lines of `htpasswd` in the SHA form.
//!
//! Security: made for untrusted downstreams. Hashes are compared in constant time; which of user
//! and password was wrong is not told. SHA-1 without salt is all that the format has.

mod config;
mod filter;
#[cfg(test)]
mod tests;
mod users;

pub use filter::{BasicAuthFilter, BasicAuthRouteSpec, BasicAuthSpec, Settings};
pub use users::{InvalidUsers, Users};

/// The extension.
pub struct BasicAuth;
