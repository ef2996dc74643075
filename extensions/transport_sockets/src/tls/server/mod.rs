//! The server's side: what accepted connections are met with (`DownstreamTlsContext`).

mod choice;
pub mod config;
mod context;
mod handshaker;
mod staple;
pub mod tickets;

pub use context::{ServerContext, ServerSocketFactory, ServerSpec};
pub use staple::StapleAction;
