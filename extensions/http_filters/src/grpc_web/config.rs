//! Protos to [`GrpcWebSpec`].

use super::{GrpcWeb, GrpcWebSpec};
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::http::grpc_web::v3 as proto;

impl HttpFilterExtension for GrpcWeb {
    const NAME: &'static str = "envoy.filters.http.grpc_web";
    type Proto = proto::GrpcWeb;
    type RouteProto = proto::GrpcWeb;
    type Spec = GrpcWebSpec;
    type RouteSpec = ();

    fn parse(
        &self,
        _proto: proto::GrpcWeb,
        _filter: &HttpFilterCx,
        _cx: &mut ParseCx,
    ) -> Parsed<GrpcWebSpec> {
        Ok(GrpcWebSpec)
    }

    fn parse_route(&self, _proto: proto::GrpcWeb, cx: &mut ParseCx) -> Parsed<()> {
        Err(crate::no_route_config(cx, Self::NAME))
    }
}
