//! Protos to [`CdnLoopSpec`].

use super::{CdnLoop, CdnLoopSpec, is_cdn_id};
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::http::cdn_loop::v3 as proto;

impl HttpFilterExtension for CdnLoop {
    const NAME: &'static str = "envoy.filters.http.cdn_loop";
    type Proto = proto::CdnLoopConfig;
    type RouteProto = proto::CdnLoopConfig;
    type Spec = CdnLoopSpec;
    type RouteSpec = ();

    fn parse(
        &self,
        proto: proto::CdnLoopConfig,
        _filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<CdnLoopSpec> {
        let proto::CdnLoopConfig {
            cdn_id,
            max_allowed_occurrences,
        } = proto;
        if !is_cdn_id(cdn_id.as_bytes()) {
            let message = format!("Provided cdn_id \"{cdn_id}\" is not a valid CDN identifier");
            return Err(cx.error_at("cdn_id", message));
        }
        Ok(CdnLoopSpec {
            cdn_id: cdn_id.into_bytes().into(),
            max_occurrences: max_allowed_occurrences,
        })
    }

    fn parse_route(&self, _proto: proto::CdnLoopConfig, cx: &mut ParseCx) -> Parsed<()> {
        Err(crate::no_route_config(cx, Self::NAME))
    }
}
