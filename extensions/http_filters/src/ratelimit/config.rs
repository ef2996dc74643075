//! Protos to [`RateLimitSpec`] and [`RateLimitRouteSpec`].

use super::RateLimit;
use super::filter::{RateLimitRouteSpec, RateLimitSpec, RequestType, Shared};
use crate::rate_limits::VhRateLimits;
use nuncio_base::runtime_flags::{Fraction, RuntimeFraction};
use nuncio_config::common::runtime_fraction;
use nuncio_config::duration;
use nuncio_config::header_mutation::{HeaderFields, header_mutations};
use nuncio_config::rate_limit::{filter_rate_limit, rate_limit_service};
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_grpc::GrpcService;
use nuncio_proto::envoy::config::core::v3::RuntimeFractionalPercent;
use nuncio_proto::envoy::config::route::v3::RateLimit as LimitProto;
use nuncio_proto::envoy::extensions::filters::http::ratelimit::v3 as proto;
use nuncio_proto::envoy::r#type::v3::HttpStatus;
use nuncio_route::RateLimit as Limit;
use proto::rate_limit::XRateLimitHeadersRfcVersion;
use proto::rate_limit_per_route::{OverrideOptions, VhRateLimitsOptions};
use std::sync::Arc;
use std::time::Duration;

/// How long a service may take where nothing is said.
const DEFAULT_TIMEOUT: Duration = Duration::from_millis(20);

impl HttpFilterExtension for RateLimit {
    const NAME: &'static str = "envoy.filters.http.ratelimit";
    type Proto = proto::RateLimit;
    type RouteProto = proto::RateLimitPerRoute;
    type Spec = Shared;
    type RouteSpec = RateLimitRouteSpec;

    fn parse(&self, proto: proto::RateLimit, _: &HttpFilterCx, cx: &mut ParseCx) -> Parsed<Shared> {
        let version = proto.enable_x_ratelimit_headers();
        let timeout = duration::optional(cx, "timeout", proto.timeout);
        let service = cx.required(
            "rate_limit_service",
            proto.rate_limit_service,
            rate_limit_service,
        );
        let rate_limits = cx.list("rate_limits", proto.rate_limits, own_limit);
        let add = HeaderFields {
            add_field: "response_headers_to_add",
            add: proto.response_headers_to_add,
            remove_field: "",
            remove: Vec::new(),
        };
        let response_headers = header_mutations(cx, add);
        let deny = proto.failure_mode_deny_percent.map(runtime_fraction);
        let service = GrpcService {
            timeout: Some(timeout?.unwrap_or(DEFAULT_TIMEOUT)),
            ..(*service?).clone()
        };
        Ok(Shared(Arc::new(RateLimitSpec {
            domain: proto.domain,
            stage: proto.stage,
            request_type: match proto.request_type.as_str() {
                "internal" => RequestType::Internal,
                "external" => RequestType::External,
                _ => RequestType::Both,
            },
            service: Arc::new(service),
            rate_limits: rate_limits?,
            enabled: share(proto.filter_enabled, "ratelimit.http_filter_enabled"),
            enforced: share(proto.filter_enforced, "ratelimit.http_filter_enforcing"),
            failure_mode_deny: proto.failure_mode_deny,
            failure_mode_deny_share: deny,
            resource_exhausted: proto.rate_limited_as_resource_exhausted,
            rate_limit_headers: version != XRateLimitHeadersRfcVersion::Off,
            rate_limited_header: !proto.disable_x_envoy_ratelimited_header,
            retry_after: proto.enable_retry_after_header,
            status: status(proto.rate_limited_status, 400, 429),
            status_on_error: status(proto.status_on_error, 1, 500),
            response_headers: response_headers?,
            stat_prefix: proto.stat_prefix,
            metadata_namespace: match proto.metadata_namespace.is_empty() {
                true => Self::NAME.to_owned(),
                false => proto.metadata_namespace,
            },
        })))
    }

    fn parse_route(
        &self,
        proto: proto::RateLimitPerRoute,
        cx: &mut ParseCx,
    ) -> Parsed<RateLimitRouteSpec> {
        let virtual_host = match proto.vh_rate_limits() {
            VhRateLimitsOptions::Override => VhRateLimits::Override,
            VhRateLimitsOptions::Include => VhRateLimits::Include,
            VhRateLimitsOptions::Ignore => VhRateLimits::Ignore,
        };
        let overrides = proto.override_option() != OverrideOptions::Default;
        cx.refuse("override_option", overrides)?;
        Ok(RateLimitRouteSpec {
            virtual_host,
            rate_limits: cx.list("rate_limits", proto.rate_limits, own_limit)?,
            domain: Some(proto.domain).filter(|domain| !domain.is_empty()),
        })
    }
}

/// A share of requests, of all where nothing is said, which the old runtime key may then change.
fn share(proto: Option<RuntimeFractionalPercent>, old_key: &str) -> RuntimeFraction {
    proto.map_or_else(
        || RuntimeFraction {
            default: Fraction::ALL,
            key: old_key.to_owned(),
        },
        runtime_fraction,
    )
}

fn status(proto: Option<HttpStatus>, least: u16, default: u16) -> u16 {
    let code = proto.and_then(|status| u16::try_from(status.code).ok());
    code.filter(|code| *code >= least).unwrap_or(default)
}

fn own_limit(cx: &mut ParseCx, proto: LimitProto) -> Parsed<Limit> {
    cx.refuse("apply_on_stream_done", proto.apply_on_stream_done)?;
    filter_rate_limit(cx, proto)
}
