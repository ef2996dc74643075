//! The configuration, which has no fields.

use nuncio_extension::network_filter::NetworkFilterCx;
use nuncio_extension::transport_socket::UpstreamSocketCx;
use nuncio_extension::{DownstreamSocketExtension, ParseCx, Parsed, UpstreamSocketExtension};
use nuncio_net::{TransportSocketFactory, UpstreamSocketFactory};
use nuncio_proto::envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer as Proto;
use std::sync::Arc;

/// The extension, for accepted connections.
pub struct DownstreamRawBuffer;

impl DownstreamSocketExtension for DownstreamRawBuffer {
    const NAME: &'static str = "envoy.transport_sockets.raw_buffer";
    type Proto = Proto;

    fn parse(
        &self,
        proto: Proto,
        _listener: &NetworkFilterCx,
        _cx: &mut ParseCx,
    ) -> Parsed<Option<Arc<dyn TransportSocketFactory>>> {
        let Proto {} = proto;
        Ok(None)
    }
}

/// The extension, for connections to hosts.
pub struct UpstreamRawBuffer;

impl UpstreamSocketExtension for UpstreamRawBuffer {
    const NAME: &'static str = "envoy.transport_sockets.raw_buffer";
    type Proto = Proto;

    fn parse(
        &self,
        proto: Proto,
        _cluster: &UpstreamSocketCx,
        _cx: &mut ParseCx,
    ) -> Parsed<Option<Arc<dyn UpstreamSocketFactory>>> {
        let Proto {} = proto;
        Ok(None)
    }
}
