//! Protos to [`BodySizeLimitSpec`].

use super::{BodySizeLimit, BodySizeLimitSpec};
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::http::body_size_limit::v3 as proto;

impl HttpFilterExtension for BodySizeLimit {
    const NAME: &'static str = "envoy.filters.http.body_size_limit";
    type Proto = proto::BodySizeLimit;
    type RouteProto = proto::BodySizeLimit;
    type Spec = BodySizeLimitSpec;
    type RouteSpec = ();

    fn parse(
        &self,
        proto: proto::BodySizeLimit,
        _filter: &HttpFilterCx,
        _cx: &mut ParseCx,
    ) -> Parsed<BodySizeLimitSpec> {
        let proto::BodySizeLimit { max_request_bytes } = proto;
        Ok(BodySizeLimitSpec {
            max_request_bytes: max_request_bytes.map_or(u64::MAX, |bytes| bytes.value),
        })
    }

    fn parse_route(&self, _proto: proto::BodySizeLimit, cx: &mut ParseCx) -> Parsed<()> {
        Err(crate::no_route_config(cx, Self::NAME))
    }
}
