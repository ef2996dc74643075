//! The configuration.

use super::filter::{DescriptorSpec, RateLimitFactory, RateLimitSpec, RateLimitStats};
use nuncio_base::runtime_flags::{Fraction, RuntimeFraction};
use nuncio_config::duration;
use nuncio_config::format::text_format;
use nuncio_config::rate_limit;
use nuncio_extension::network_filter::NetworkFilterCx;
use nuncio_extension::{NetworkFilterExtension, ParseCx, Parsed};
use nuncio_grpc::GrpcService;
use nuncio_proto::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
use nuncio_proto::envoy::extensions::filters::network::ratelimit::v3::RateLimit as Proto;
use std::sync::Arc;
use std::time::Duration;

/// How long a service may take where nothing is said.
const DEFAULT_TIMEOUT: Duration = Duration::from_millis(20);

/// The extension.
pub struct RateLimit;

impl NetworkFilterExtension for RateLimit {
    const NAME: &'static str = "envoy.filters.network.ratelimit";
    type Proto = Proto;
    type Spec = RateLimitFactory;

    fn parse(
        &self,
        proto: Proto,
        _listener: &NetworkFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<RateLimitFactory> {
        let Proto {
            stat_prefix,
            domain,
            descriptors,
            timeout,
            failure_mode_deny,
            rate_limit_service,
        } = proto;
        let timeout = duration::optional(cx, "timeout", timeout);
        let descriptors = cx.list("descriptors", descriptors, descriptor);
        let service = cx.required(
            "rate_limit_service",
            rate_limit_service,
            rate_limit::rate_limit_service,
        );
        let (timeout, service) = (timeout?, service?);
        let service = GrpcService {
            timeout: Some(timeout.unwrap_or(DEFAULT_TIMEOUT)),
            ..GrpcService::clone(&service)
        };
        let all = |key: &str| RuntimeFraction {
            default: Fraction::ALL,
            key: key.to_owned(),
        };
        let scope = cx.env().scope().scope(&format!("ratelimit.{stat_prefix}"));
        Ok(RateLimitFactory(Arc::new(RateLimitSpec {
            domain,
            descriptors: descriptors?,
            service: Arc::new(service),
            failure_mode_deny,
            enabled: all("ratelimit.tcp_filter_enabled"),
            enforced: all("ratelimit.tcp_filter_enforcing"),
            stats: scope.group::<RateLimitStats>(),
        })))
    }
}

fn descriptor(cx: &mut ParseCx, proto: RateLimitDescriptor) -> Parsed<DescriptorSpec> {
    if proto.limit.is_some() || proto.hits_addend.is_some() || proto.is_negative_hits {
        cx.warn("of descriptors only the entries are sent, as by Envoy");
    }
    cx.list("entries", proto.entries, |cx, entry| {
        let value = cx.field("value", |cx| text_format(cx, &entry.value, false))?;
        Ok((entry.key, value))
    })
}
