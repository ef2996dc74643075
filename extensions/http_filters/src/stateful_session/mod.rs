//! `envoy.filters.http.stateful_session`: keeps a client's requests with the host that its first
//! one went to ("Stateful session" in Envoy's docs, `http_filters/stateful_session_filter`).
//!
//! Parity: all fields, and the three kinds of session state: cookie, header, envelope. When a
//! cookie expires is told in seconds of the system's clock, where Envoy counts from the machine's
//! start.
//!
//! Security: what a client names as its host is looked up among the cluster's hosts, and leads
//! nowhere else; what it has the service get is refused where it is no header's value.

mod config;
mod filter;
mod session;
mod wire;

#[cfg(test)]
mod tests;

pub use filter::{StatefulSessionFilter, StatefulSessionPolicy, StatefulSessionSpec};
pub use session::{CookieSession, Named, SessionState};

/// The extension.
pub struct StatefulSession;
