//! `UpstreamCodec`, which has no fields.

use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::http::upstream_codec::v3 as proto;
use nuncio_proto::google::protobuf::Empty;
use nuncio_router::UpstreamCodecSpec;

/// The extension.
pub struct UpstreamCodec;

impl HttpFilterExtension for UpstreamCodec {
    const NAME: &'static str = "envoy.filters.http.upstream_codec";
    const TERMINAL: bool = true;
    const DOWNSTREAM: bool = false;
    const UPSTREAM: bool = true;
    type Proto = proto::UpstreamCodec;
    type RouteProto = Empty;
    type Spec = UpstreamCodecSpec;
    type RouteSpec = ();

    fn parse(
        &self,
        _proto: proto::UpstreamCodec,
        _filter: &HttpFilterCx,
        _cx: &mut ParseCx,
    ) -> Parsed<UpstreamCodecSpec> {
        Ok(UpstreamCodecSpec)
    }

    fn parse_route(&self, _proto: Empty, cx: &mut ParseCx) -> Parsed<()> {
        Err(cx.error("the upstream codec has no configuration at routes"))
    }
}
