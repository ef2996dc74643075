//! The server's side: what accepted connections are met with (`DownstreamTlsContext`).

mod choice;
pub mod config;
mod context;
pub mod first_flight;
mod handshaker;
pub mod tickets;

pub use context::{ServerContext, ServerSocketFactory, ServerSpec};
