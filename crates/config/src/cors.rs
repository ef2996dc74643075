//! `envoy.config.route.v3.CorsPolicy`: the CORS filter's policy in its old place.

use crate::common::runtime_fraction;
use crate::matching::string_matcher;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::route::v3 as proto;
use nuncio_proto::envoy::config::route::v3::cors_policy::EnabledSpecifier;
use nuncio_route::cors::CorsPolicy;

/// A CORS policy.
///
/// # Errors
/// A bad matcher.
pub fn cors_policy(cx: &mut ParseCx, proto: proto::CorsPolicy) -> Parsed<CorsPolicy> {
    let proto::CorsPolicy {
        allow_origin_string_match,
        allow_methods,
        allow_headers,
        expose_headers,
        max_age,
        allow_credentials,
        shadow_enabled,
        allow_private_network_access,
        forward_not_matching_preflights,
        enabled_specifier,
    } = proto;
    Ok(CorsPolicy {
        allow_origins: cx.list(
            "allow_origin_string_match",
            allow_origin_string_match,
            string_matcher,
        )?,
        allow_methods,
        allow_headers,
        expose_headers,
        max_age,
        allow_credentials: allow_credentials.map(|value| value.value),
        allow_private_network_access: allow_private_network_access.map(|value| value.value),
        forward_not_matching_preflights: forward_not_matching_preflights.map(|value| value.value),
        filter_enabled: enabled_specifier
            .map(|EnabledSpecifier::FilterEnabled(fraction)| runtime_fraction(fraction)),
        shadow_enabled: shadow_enabled.map(runtime_fraction),
    })
}
