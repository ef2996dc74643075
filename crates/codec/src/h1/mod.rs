//! HTTP/1: bytes to frames and back, for servers and clients.
//!
//! The codecs are pulled and do no I/O. They are strict where leniency lets two parsers disagree
//! about where a message ends (RFC 9112 section 11); where Envoy repairs such a message, they
//! refuse it with the error Envoy has for its like. What they accept they present as Envoy does:
//! names in lower case, order kept, repeated headers joined where Envoy joins them, `host` as
//! `:authority`.
//!
//! What is left to the connection manager: `:scheme` where the target has none, a missing host,
//! paths that do not begin with `/`, fragments in paths, hop-by-hop headers (`connection`,
//! `transfer-encoding`, `upgrade` and their like stay in the map; the encoder writes no
//! `transfer-encoding` but its own).

mod body;
mod chunk;
mod client;
mod connection_header;
mod encode;
mod error;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod head;
mod pass_by;
mod reason;
mod request;
mod scan;
mod server;
mod settings;
mod start_line;
mod stats;
pub mod target;

pub use client::H1Client;
pub use error::H1Error;
pub use reason::reason_phrase;
pub use server::H1Server;
pub use settings::{H1Settings, HeaderCase, UnderscoresAction, UpgradeMatcher};
pub use stats::H1Stats;

#[cfg(test)]
mod tests;
