//! Protos to [`LocalRateLimitSpec`] and [`Settings`].

use super::{LocalRateLimit, LocalRateLimitSpec, RateLimitStats, Settings};
use nuncio_config::common::runtime_fraction;
use nuncio_config::header_mutation::{HeaderFields, header_mutations};
use nuncio_config::token_bucket;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::config::core::v3::HeaderValueOption;
use nuncio_proto::envoy::extensions::common::ratelimit::v3::XRateLimitHeadersRfcVersion;
use nuncio_proto::envoy::extensions::filters::http::local_ratelimit::v3 as proto;
use nuncio_route::HeaderMutations;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// `Too Many Requests`.
const TOO_MANY: u16 = 429;

impl HttpFilterExtension for LocalRateLimit {
    const NAME: &'static str = "envoy.filters.http.local_ratelimit";
    type Proto = proto::LocalRateLimit;
    type RouteProto = proto::LocalRateLimit;
    type Spec = LocalRateLimitSpec;
    type RouteSpec = Settings;

    fn parse(
        &self,
        proto: proto::LocalRateLimit,
        _filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<LocalRateLimitSpec> {
        settings(cx, proto).map(|settings| LocalRateLimitSpec(Arc::new(settings)))
    }

    fn parse_route(&self, proto: proto::LocalRateLimit, cx: &mut ParseCx) -> Parsed<Settings> {
        if proto.token_bucket.is_none() {
            let message = "local rate limit token bucket must be set for per filter configs";
            return Err(cx.error_at("token_bucket", message));
        }
        settings(cx, proto)
    }
}

/// `stage`, `vh_rate_limits` and the token bucket's use in any case only matter with descriptors.
fn settings(cx: &mut ParseCx, proto: proto::LocalRateLimit) -> Parsed<Settings> {
    let version = proto.enable_x_ratelimit_headers();
    let checks = [
        ("descriptors", !proto.descriptors.is_empty()),
        ("rate_limits", !proto.rate_limits.is_empty()),
        (
            "local_cluster_rate_limit",
            proto.local_cluster_rate_limit.is_some(),
        ),
        (
            "max_dynamic_descriptors",
            proto.max_dynamic_descriptors.is_some(),
        ),
    ];
    let mut refused = Ok(());
    for (field, used) in checks {
        refused = refused.and(cx.refuse(field, used));
    }
    let bucket = cx.optional("token_bucket", proto.token_bucket, token_bucket::settings);
    let of_request = mutations(
        cx,
        "request_headers_to_add_when_not_enforced",
        proto.request_headers_to_add_when_not_enforced,
    );
    let of_response = mutations(cx, "response_headers_to_add", proto.response_headers_to_add);
    let status = proto
        .status
        .and_then(|status| u16::try_from(status.code).ok());
    let scope = cx.env().scope();
    let scope = scope.scope(&format!("{}.http_local_rate_limit", proto.stat_prefix));
    refused?;
    let bucket = bucket?;
    Ok(Settings {
        id: NEXT_ID.fetch_add(1, Relaxed),
        shared: bucket.map(|bucket| bucket.bucket()),
        bucket,
        per_connection: proto.local_rate_limit_per_downstream_connection,
        enabled: proto.filter_enabled.map(runtime_fraction),
        enforced: proto.filter_enforced.map(runtime_fraction),
        request_headers: of_request?,
        response_headers: of_response?,
        // A status that is no error is not what was meant, as in Envoy.
        status: status.filter(|code| *code >= 400).unwrap_or(TOO_MANY),
        resource_exhausted: proto.rate_limited_as_resource_exhausted,
        rate_limit_headers: version != XRateLimitHeadersRfcVersion::Off,
        retry_after: proto.enable_retry_after_header,
        stats: scope.group::<RateLimitStats>(),
    })
}

fn mutations(
    cx: &mut ParseCx,
    add_field: &'static str,
    add: Vec<HeaderValueOption>,
) -> Parsed<HeaderMutations> {
    let fields = HeaderFields {
        add_field,
        add,
        remove_field: "",
        remove: Vec::new(),
    };
    header_mutations(cx, fields)
}
