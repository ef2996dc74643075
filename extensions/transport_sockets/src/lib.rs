//! Transport sockets: what lies between a connection and its socket.

// Envoy still reads its deprecated fields, and warns; so does this.
#![allow(deprecated)]

pub mod internal_upstream;
pub mod raw_buffer;
pub mod tls;
pub mod upstream_proxy_protocol;

pub use internal_upstream::InternalUpstream;
pub use raw_buffer::{DownstreamRawBuffer, UpstreamRawBuffer};
pub use tls::{DownstreamTls, UpstreamTls};
pub use upstream_proxy_protocol::UpstreamProxyProtocol;
