//! Protos to [`ConnectGrpcBridgeSpec`].

use super::{ConnectGrpcBridge, ConnectGrpcBridgeSpec};
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::http::connect_grpc_bridge::v3 as proto;

impl HttpFilterExtension for ConnectGrpcBridge {
    const NAME: &'static str = "envoy.filters.http.connect_grpc_bridge";
    type Proto = proto::FilterConfig;
    type RouteProto = proto::FilterConfig;
    type Spec = ConnectGrpcBridgeSpec;
    type RouteSpec = ();

    fn parse(
        &self,
        proto: proto::FilterConfig,
        _filter: &HttpFilterCx,
        _cx: &mut ParseCx,
    ) -> Parsed<ConnectGrpcBridgeSpec> {
        let proto::FilterConfig {} = proto;
        Ok(ConnectGrpcBridgeSpec)
    }

    fn parse_route(&self, _proto: proto::FilterConfig, cx: &mut ParseCx) -> Parsed<()> {
        Err(crate::no_route_config(cx, Self::NAME))
    }
}
