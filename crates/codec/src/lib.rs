//! Sans-I/O HTTP codecs: bytes to frames and back. No sockets, no clocks, no policy.
//!
//! A codec is pulled: `next` gives one frame at a time, so that a read full of pipelined requests
//! stays under the connection manager's control.

pub mod capsule;
mod chars;
pub mod client_hello;
pub mod h1;
pub mod h2;
pub mod header_pool;
pub mod http_preface;
pub mod message;
mod methods;
pub mod proxy_protocol;

pub use header_pool::HeaderPool;
pub use message::{End, Frame, ResetReason, StreamId};
