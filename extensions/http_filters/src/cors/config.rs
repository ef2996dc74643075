//! Protos to [`CorsSpec`] and [`CorsPolicy`].

use super::{Cors, CorsSpec};
use nuncio_config::cors::cors_policy;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::config::route::v3 as route_proto;
use nuncio_proto::envoy::config::route::v3::cors_policy::EnabledSpecifier;
use nuncio_proto::envoy::extensions::filters::http::cors::v3 as proto;
use nuncio_route::cors::CorsPolicy;

impl HttpFilterExtension for Cors {
    const NAME: &'static str = "envoy.filters.http.cors";
    type Proto = proto::Cors;
    type RouteProto = proto::CorsPolicy;
    type Spec = CorsSpec;
    type RouteSpec = CorsPolicy;

    fn parse(
        &self,
        _proto: proto::Cors,
        filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<CorsSpec> {
        let scope = cx
            .env()
            .scope()
            .scope(&format!("{}cors", filter.stat_prefix));
        Ok(CorsSpec {
            stats: scope.group(),
        })
    }

    fn parse_route(&self, proto: proto::CorsPolicy, cx: &mut ParseCx) -> Parsed<CorsPolicy> {
        let proto::CorsPolicy {
            allow_origin_string_match,
            allow_methods,
            allow_headers,
            expose_headers,
            max_age,
            allow_credentials,
            filter_enabled,
            shadow_enabled,
            allow_private_network_access,
            forward_not_matching_preflights,
        } = proto;
        // The old message has the same fields.
        let old = route_proto::CorsPolicy {
            allow_origin_string_match,
            allow_methods,
            allow_headers,
            expose_headers,
            max_age,
            allow_credentials,
            shadow_enabled,
            allow_private_network_access,
            forward_not_matching_preflights,
            enabled_specifier: filter_enabled.map(EnabledSpecifier::FilterEnabled),
        };
        cors_policy(cx, old)
    }
}
