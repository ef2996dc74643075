//! `envoy.transport_sockets.raw_buffer`: nothing lies over the socket.

mod config;

pub use config::{DownstreamRawBuffer, UpstreamRawBuffer};
