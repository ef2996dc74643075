//! Protos to [`ReverseBridgeSpec`] and [`ReverseBridgeRouteSpec`].

use super::{GrpcHttp1ReverseBridge, ReverseBridgeRouteSpec, ReverseBridgeSpec};
use nuncio_base::HeaderName;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::http::grpc_http1_reverse_bridge::v3 as proto;
use std::sync::Arc;

impl HttpFilterExtension for GrpcHttp1ReverseBridge {
    const NAME: &'static str = "envoy.filters.http.grpc_http1_reverse_bridge";
    type Proto = proto::FilterConfig;
    type RouteProto = proto::FilterConfigPerRoute;
    type Spec = ReverseBridgeSpec;
    type RouteSpec = ReverseBridgeRouteSpec;

    fn parse(
        &self,
        proto: proto::FilterConfig,
        _filter: &HttpFilterCx,
        _cx: &mut ParseCx,
    ) -> Parsed<ReverseBridgeSpec> {
        let proto::FilterConfig {
            content_type,
            withhold_grpc_frames,
            response_size_header,
        } = proto;
        let has_size = !response_size_header.is_empty();
        Ok(ReverseBridgeSpec(Arc::new(super::filter::Settings {
            content_type,
            withholds_frames: withhold_grpc_frames,
            size_header: has_size.then(|| HeaderName::new(&response_size_header)),
        })))
    }

    fn parse_route(
        &self,
        proto: proto::FilterConfigPerRoute,
        _cx: &mut ParseCx,
    ) -> Parsed<ReverseBridgeRouteSpec> {
        let proto::FilterConfigPerRoute { disabled } = proto;
        Ok(ReverseBridgeRouteSpec { disabled })
    }
}
