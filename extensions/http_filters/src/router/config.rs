//! `Router`: every field is converted, or refused by its name.

// Envoy still reads its deprecated fields; so does this.
#![allow(deprecated)]

use nuncio_config::{access_log, duration, http_filters};
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::http::router::v3 as proto;
use nuncio_proto::google::protobuf::Empty;
use nuncio_router::{RouterSpec, UpstreamLogSettings};

/// The extension.
pub struct Router;

impl HttpFilterExtension for Router {
    const NAME: &'static str = "envoy.filters.http.router";
    const TERMINAL: bool = true;
    type Proto = proto::Router;
    type RouteProto = Empty;
    type Spec = RouterSpec;
    type RouteSpec = ();

    fn parse(
        &self,
        proto: proto::Router,
        filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<RouterSpec> {
        let logs = upstream_logs(cx, &proto);
        let filter_cx = HttpFilterCx::new(filter.stat_prefix.clone(), true);
        let filters = proto.upstream_http_filters.clone();
        let filters = http_filters::chain(cx, "upstream_http_filters", filters, &filter_cx);
        let span = cx.refuse("start_child_span", proto.start_child_span);
        span?;
        let prefix = filter.stat_prefix.trim_end_matches('.');
        Ok(RouterSpec {
            stats: cx.env().store.scope(prefix).group(),
            client_stats: cx.env().store.scope("http.async-client").group(),
            dynamic_stats: proto.dynamic_stats.is_none_or(|value| value.value),
            suppress_envoy_headers: proto.suppress_envoy_headers,
            suppress_grpc_request_failure_code_stats: proto
                .suppress_grpc_request_failure_code_stats,
            strict_check_headers: proto
                .strict_check_headers
                .iter()
                .map(|name| name.to_ascii_lowercase())
                .collect(),
            respect_expected_rq_timeout: proto.respect_expected_rq_timeout,
            upstream_logs: logs?,
            upstream_filters: filters?,
        })
    }

    fn parse_route(&self, _proto: Empty, cx: &mut ParseCx) -> Parsed<()> {
        Err(cx.error("the router has no configuration at routes"))
    }
}

fn upstream_logs(cx: &mut ParseCx, proto: &proto::Router) -> Parsed<UpstreamLogSettings> {
    let logs = access_log::access_logs(cx, "upstream_log", proto.upstream_log.clone())?;
    let options = proto.upstream_log_options.unwrap_or_default();
    let interval = options.upstream_log_flush_interval;
    Ok(UpstreamLogSettings {
        logs,
        on_upstream_stream: options.flush_upstream_log_on_upstream_stream,
        interval: cx.field("upstream_log_options", |cx| {
            duration::optional(cx, "upstream_log_flush_interval", interval)
        })?,
    })
}
