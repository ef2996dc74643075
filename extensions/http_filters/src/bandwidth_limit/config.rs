//! Protos to [`BandwidthLimitSpec`] and [`Settings`].

use super::BandwidthLimit;
use super::filter::BandwidthLimitSpec;
use super::settings::{Settings, Trailers};
use nuncio_base::HeaderName;
use nuncio_base::token_bucket::TokenBucket;
use nuncio_config::common::runtime_flag;
use nuncio_config::duration;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::http::bandwidth_limit::v3 as proto;
use proto::bandwidth_limit::EnableMode;
use std::sync::Arc;
use std::time::Duration;

/// How often tokens come where nothing is said.
const DEFAULT_INTERVAL: Duration = Duration::from_millis(50);

impl HttpFilterExtension for BandwidthLimit {
    const NAME: &'static str = "envoy.filters.http.bandwidth_limit";
    type Proto = proto::BandwidthLimit;
    type RouteProto = proto::BandwidthLimit;
    type Spec = BandwidthLimitSpec;
    type RouteSpec = Settings;

    fn parse(
        &self,
        proto: proto::BandwidthLimit,
        _: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<BandwidthLimitSpec> {
        let settings = settings(cx, proto)?;
        Ok(BandwidthLimitSpec(Arc::new(settings)))
    }

    fn parse_route(&self, proto: proto::BandwidthLimit, cx: &mut ParseCx) -> Parsed<Settings> {
        if proto.limit_kbps.is_none() {
            let message = "limit must be set for per route filter config";
            return Err(cx.error_at("limit_kbps", message));
        }
        settings(cx, proto)
    }
}

fn settings(cx: &mut ParseCx, proto: proto::BandwidthLimit) -> Parsed<Settings> {
    let mode = proto.enable_mode();
    let interval = duration::optional(cx, "fill_interval", proto.fill_interval)?;
    let interval = interval.unwrap_or(DEFAULT_INTERVAL);
    let slices = (1000 / interval.as_millis().clamp(1, 1000)) as u32;
    // Without a limit there is nothing to enable.
    let limit = proto.limit_kbps.map(|limit| limit.value);
    let bytes = limit.unwrap_or(1).saturating_mul(1024);
    let now = nuncio_base::time::monotonic();
    let bucket = TokenBucket::new(slices, slices, Duration::from_secs(1), now);
    // As Envoy's, it begins with one token, lest a short body be not limited at all.
    bucket.take(slices - 1, now);
    let scope = cx.env().scope();
    let scope = scope.scope(&format!("{}.http_bandwidth_limit", proto.stat_prefix));
    let prefix = proto.response_trailer_prefix;
    let trailers = proto.enable_response_trailers.then(|| trailers(&prefix));
    Ok(Settings {
        enabled: runtime_flag(proto.runtime_enabled),
        request: limit.is_some()
            && matches!(mode, EnableMode::Request | EnableMode::RequestAndResponse),
        response: limit.is_some()
            && matches!(mode, EnableMode::Response | EnableMode::RequestAndResponse),
        bucket,
        bytes_per_token: usize::try_from(bytes / u64::from(slices))
            .unwrap_or(usize::MAX)
            .max(1),
        trailers,
        stats: scope.group(),
    })
}

fn trailers(prefix: &str) -> Trailers {
    let name = |what: &str| match prefix {
        "" => HeaderName::new(what),
        prefix => HeaderName::new(&format!("{prefix}-{what}")),
    };
    Trailers {
        request_delay: name("bandwidth-request-delay-ms"),
        response_delay: name("bandwidth-response-delay-ms"),
        request_filter_delay: name("bandwidth-request-filter-delay-ms"),
        response_filter_delay: name("bandwidth-response-filter-delay-ms"),
    }
}
