//! Protos to [`CsrfSpec`] and [`CsrfPolicy`].

use super::{Csrf, CsrfPolicy, CsrfSpec};
use nuncio_config::common::runtime_fraction;
use nuncio_config::matching::string_matcher;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::http::csrf::v3 as proto;
use std::sync::Arc;

impl HttpFilterExtension for Csrf {
    const NAME: &'static str = "envoy.filters.http.csrf";
    type Proto = proto::CsrfPolicy;
    type RouteProto = proto::CsrfPolicy;
    type Spec = CsrfSpec;
    type RouteSpec = CsrfPolicy;

    fn parse(
        &self,
        proto: proto::CsrfPolicy,
        filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<CsrfSpec> {
        let scope = cx.env().scope();
        let scope = scope.scope(&format!("{}csrf", filter.stat_prefix));
        Ok(CsrfSpec {
            policy: Arc::new(self.parse_route(proto, cx)?),
            stats: scope.group(),
        })
    }

    fn parse_route(&self, proto: proto::CsrfPolicy, cx: &mut ParseCx) -> Parsed<CsrfPolicy> {
        let proto::CsrfPolicy {
            filter_enabled,
            shadow_enabled,
            additional_origins,
        } = proto;
        let enabled = cx.required("filter_enabled", filter_enabled, |_, enabled| {
            Ok(runtime_fraction(enabled))
        });
        let origins = cx.list("additional_origins", additional_origins, string_matcher);
        Ok(CsrfPolicy {
            enabled: enabled?,
            shadow: shadow_enabled.map(runtime_fraction),
            additional_origins: origins?,
        })
    }
}
