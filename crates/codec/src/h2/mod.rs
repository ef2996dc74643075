//! HTTP/2 (RFC 9113): bytes to frames and back, many streams on one connection.
//!
//! The codec is pulled and does no I/O. Heads are checked as section 8 wants them; what breaks a
//! rule costs its connection, as in Envoy, or with `override_stream_error_on_invalid_http_message`
//! its stream alone. What a stream sends waits in the codec for its windows, and everything that is
//! written in a turn is taken at once ([`H2Connection::take_output`]).
//!
//! Upgrades look as they do in HTTP/1: an extended CONNECT (RFC 8441) comes out as a GET with
//! `upgrade`, and the 101 that answers it is sent as a 200; a client does the reverse.

mod client;
mod connection;
mod error;
mod flood;
mod flow;
mod frame;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod head;
mod hpack;
mod keep_alive;
mod output;
mod receive;
mod receive_data;
mod receive_head;
mod receive_settings;
mod repeated;
mod send;
mod settings;
mod stats;
mod stream;
mod streams;
mod upgrade;

pub use connection::{H2Connection, H2Event, H2Local};
pub use error::{ErrorCode, H2Error};
pub use frame::PREFACE;
pub use keep_alive::{KeepAlive, KeepAliveDue, KeepAliveTimer};
pub use settings::H2Settings;
pub use stats::H2Stats;

#[cfg(test)]
mod tests;
