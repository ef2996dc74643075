//! Protos to [`LocalRateLimitSpec`] and [`Settings`].

use super::limits::{DescriptorLimit, Limits};
use super::{Counted, LocalRateLimit, LocalRateLimitSpec, RateLimitStats, Settings};
use crate::rate_limits::VhRateLimits;
use nuncio_config::common::runtime_fraction;
use nuncio_config::header_mutation::{HeaderFields, header_mutations};
use nuncio_config::rate_limit::filter_rate_limit;
use nuncio_config::token_bucket;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::config::core::v3::HeaderValueOption;
use nuncio_proto::envoy::config::route::v3::RateLimit as RateLimitProto;
use nuncio_proto::envoy::extensions::common::ratelimit::v3::{
    LocalRateLimitDescriptor, VhRateLimitsOptions, XRateLimitHeadersRfcVersion,
};
use nuncio_proto::envoy::extensions::filters::http::local_ratelimit::v3 as proto;
use nuncio_route::{HeaderMutations, RateLimit};
use std::collections::HashSet;
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

fn settings(cx: &mut ParseCx, proto: proto::LocalRateLimit) -> Parsed<Settings> {
    let version = proto.enable_x_ratelimit_headers();
    let checks = [
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
    let virtual_host = match proto.vh_rate_limits() {
        VhRateLimitsOptions::Override => VhRateLimits::Override,
        VhRateLimitsOptions::Include => VhRateLimits::Include,
        VhRateLimitsOptions::Ignore => VhRateLimits::Ignore,
    };
    let always = proto.always_consume_default_token_bucket;
    let default = cx.optional("token_bucket", proto.token_bucket, token_bucket::settings);
    let descriptors = descriptors(cx, proto.descriptors);
    let rate_limits = cx.list("rate_limits", proto.rate_limits, own_rate_limit);
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
    let limits = Limits {
        default: default?,
        descriptors: descriptors?,
        always_default: always.is_none_or(|value| value.value),
    };
    Ok(Settings {
        id: NEXT_ID.fetch_add(1, Relaxed),
        shared: limits.buckets(),
        limits,
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
        counted: Counted {
            rate_limits: rate_limits?,
            stage: proto.stage,
            virtual_host,
        },
        stats: scope.group::<RateLimitStats>(),
    })
}

/// The limits of descriptors, those that fill slowest first.
fn descriptors(
    cx: &mut ParseCx,
    protos: Vec<LocalRateLimitDescriptor>,
) -> Parsed<Vec<DescriptorLimit>> {
    let mut seen = HashSet::new();
    let mut limits = cx.list("descriptors", protos, |cx, proto| {
        let LocalRateLimitDescriptor {
            entries,
            token_bucket,
            shadow_mode,
        } = proto;
        let entries = cx.list("entries", entries, |cx, entry| {
            // An empty value means any: Envoy makes buckets for those as requests come.
            cx.refuse("value", entry.value.is_empty())?;
            Ok((entry.key, entry.value))
        })?;
        if !seen.insert(entries.clone()) {
            let shown: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            return Err(cx.error(format!(
                "duplicate descriptor in the local rate descriptor: [{}]",
                shown.join(", ")
            )));
        }
        Ok(DescriptorLimit {
            entries,
            bucket: cx.required("token_bucket", token_bucket, token_bucket::settings)?,
            shadow: shadow_mode,
        })
    })?;
    let per_second = |limit: &DescriptorLimit| {
        f64::from(limit.bucket.per_fill) / limit.bucket.interval.as_secs_f64()
    };
    limits.sort_by(|a, b| per_second(a).total_cmp(&per_second(b)));
    Ok(limits)
}

/// A rate limit of the filter's own. Whoever gives tokens back, or asks for them late, needs a
/// service.
fn own_rate_limit(cx: &mut ParseCx, proto: RateLimitProto) -> Parsed<RateLimit> {
    let negative = proto.hits_addend.as_ref();
    let negative = negative.is_some_and(|hits| hits.is_negative_hits);
    cx.refuse("hits_addend", negative)?;
    cx.refuse("apply_on_stream_done", proto.apply_on_stream_done)?;
    filter_rate_limit(cx, proto)
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
