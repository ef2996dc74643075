//! Protos to [`FaultSpec`] and [`FaultSettings`].

use super::{Abort, AbortCode, Delay, Fault, FaultSettings, FaultSpec, RateLimit, RuntimeKeys};
use nuncio_base::runtime_flags::Fraction;
use nuncio_config::common::{fraction, structure};
use nuncio_config::duration;
use nuncio_config::matching::header_matcher;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::common::fault::v3 as common;
use nuncio_proto::envoy::extensions::filters::common::fault::v3::fault_delay::FaultDelaySecifier;
use nuncio_proto::envoy::extensions::filters::common::fault::v3::fault_rate_limit::LimitType;
use nuncio_proto::envoy::extensions::filters::http::fault::v3 as proto;
use nuncio_proto::envoy::extensions::filters::http::fault::v3::fault_abort::ErrorType;
use nuncio_proto::envoy::r#type::v3::FractionalPercent;
use std::sync::Arc;

impl HttpFilterExtension for Fault {
    const NAME: &'static str = "envoy.filters.http.fault";
    type Proto = proto::HttpFault;
    type RouteProto = proto::HttpFault;
    type Spec = FaultSpec;
    type RouteSpec = FaultSettings;

    fn parse(
        &self,
        proto: proto::HttpFault,
        filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<FaultSpec> {
        let settings = Arc::new(settings(cx, proto)?);
        let scope = cx
            .env()
            .scope()
            .scope(&format!("{}fault", filter.stat_prefix));
        Ok(FaultSpec {
            settings,
            stats: scope.group(),
            active_faults: scope.gauge("active_faults"),
            scope,
        })
    }

    fn parse_route(&self, proto: proto::HttpFault, cx: &mut ParseCx) -> Parsed<FaultSettings> {
        settings(cx, proto)
    }
}

fn settings(cx: &mut ParseCx, proto: proto::HttpFault) -> Parsed<FaultSettings> {
    let proto::HttpFault {
        delay: delay_proto,
        abort: abort_proto,
        upstream_cluster,
        headers,
        downstream_nodes,
        max_active_faults,
        response_rate_limit,
        delay_percent_runtime,
        abort_percent_runtime,
        delay_duration_runtime,
        abort_http_status_runtime,
        max_active_faults_runtime,
        response_rate_limit_percent_runtime,
        abort_grpc_status_runtime,
        disable_downstream_cluster_stats,
        filter_metadata,
    } = proto;
    let delay = cx.optional("delay", delay_proto, delay);
    let abort = cx.optional("abort", abort_proto, abort);
    let rate_limit = cx.optional("response_rate_limit", response_rate_limit, rate_limit);
    let headers = cx.list("headers", headers, header_matcher);
    let key = |key: String, default: &str| match key.as_str() {
        "" => format!("fault.http.{default}"),
        _ => key,
    };
    Ok(FaultSettings {
        delay: delay?,
        abort: abort?,
        rate_limit: rate_limit?,
        upstream_cluster,
        headers: headers?,
        downstream_nodes,
        max_active_faults: max_active_faults.map(|most| most.value),
        keys: RuntimeKeys {
            delay_percent: key(delay_percent_runtime, "delay.fixed_delay_percent"),
            delay_duration: key(delay_duration_runtime, "delay.fixed_duration_ms"),
            abort_percent: key(abort_percent_runtime, "abort.abort_percent"),
            abort_http_status: key(abort_http_status_runtime, "abort.http_status"),
            abort_grpc_status: key(abort_grpc_status_runtime, "abort.grpc_status"),
            max_active_faults: key(max_active_faults_runtime, "max_active_faults"),
            rate_limit_percent: key(
                response_rate_limit_percent_runtime,
                "rate_limit.response_percent",
            ),
        },
        disable_cluster_stats: disable_downstream_cluster_stats,
        metadata: structure(filter_metadata.unwrap_or_default()),
    })
}

/// A share that is none of the requests where it is not set.
fn share(proto: Option<FractionalPercent>) -> Fraction {
    fraction(&proto.unwrap_or_default())
}

fn delay(cx: &mut ParseCx, proto: common::FaultDelay) -> Parsed<Delay> {
    let common::FaultDelay {
        percentage,
        fault_delay_secifier,
    } = proto;
    let fixed = match fault_delay_secifier {
        Some(FaultDelaySecifier::FixedDelay(fixed)) => {
            duration::optional(cx, "fixed_delay", Some(fixed))?
        }
        Some(FaultDelaySecifier::HeaderDelay(_)) => None,
        None => return Err(cx.error("field: 'fault_delay_secifier', reason: is required")),
    };
    Ok(Delay {
        fixed,
        share: share(percentage),
    })
}

fn abort(cx: &mut ParseCx, proto: proto::FaultAbort) -> Parsed<Abort> {
    let proto::FaultAbort {
        percentage,
        response_body,
        error_type,
    } = proto;
    let code = match error_type {
        Some(ErrorType::HttpStatus(status)) => match u16::try_from(status) {
            Ok(status) => AbortCode::Http(status),
            Err(_) => return Err(cx.error_at("http_status", "value must be inside [200, 600)")),
        },
        Some(ErrorType::GrpcStatus(status)) => AbortCode::Grpc(status),
        Some(ErrorType::HeaderAbort(_)) => AbortCode::Header,
        None => return Err(cx.error("field: 'error_type', reason: is required")),
    };
    Ok(Abort {
        code,
        share: share(percentage),
        body: match response_body.as_str() {
            "" => "fault filter abort".into(),
            _ => response_body.into(),
        },
    })
}

fn rate_limit(cx: &mut ParseCx, proto: common::FaultRateLimit) -> Parsed<RateLimit> {
    let common::FaultRateLimit {
        percentage,
        limit_type,
    } = proto;
    let fixed_kbps = match limit_type {
        Some(LimitType::FixedLimit(limit)) => Some(limit.limit_kbps),
        Some(LimitType::HeaderLimit(_)) => None,
        None => return Err(cx.error("field: 'limit_type', reason: is required")),
    };
    Ok(RateLimit {
        fixed_kbps,
        share: share(percentage),
    })
}
