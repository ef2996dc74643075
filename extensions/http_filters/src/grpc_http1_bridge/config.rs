//! Protos to [`GrpcHttp1BridgeSpec`].

use super::{GrpcHttp1Bridge, GrpcHttp1BridgeSpec};
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::http::grpc_http1_bridge::v3 as proto;

impl HttpFilterExtension for GrpcHttp1Bridge {
    const NAME: &'static str = "envoy.filters.http.grpc_http1_bridge";
    type Proto = proto::Config;
    type RouteProto = proto::Config;
    type Spec = GrpcHttp1BridgeSpec;
    type RouteSpec = ();

    fn parse(
        &self,
        proto: proto::Config,
        _filter: &HttpFilterCx,
        _cx: &mut ParseCx,
    ) -> Parsed<GrpcHttp1BridgeSpec> {
        let proto::Config {
            upgrade_protobuf_to_grpc,
            ignore_query_parameters,
        } = proto;
        Ok(GrpcHttp1BridgeSpec {
            upgrade_protobuf: upgrade_protobuf_to_grpc,
            ignore_query: ignore_query_parameters,
        })
    }

    fn parse_route(&self, _proto: proto::Config, cx: &mut ParseCx) -> Parsed<()> {
        Err(crate::no_route_config(cx, Self::NAME))
    }
}
