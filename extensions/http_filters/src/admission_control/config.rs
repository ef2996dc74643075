//! Protos to [`AdmissionControlSpec`].

use super::AdmissionControl;
use super::filter::{AdmissionControlSpec, RuntimeNumber, Shared};
use nuncio_config::common::runtime_flag;
use nuncio_config::duration;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::config::core::v3::RuntimePercent;
use nuncio_proto::envoy::extensions::filters::http::admission_control::v3 as proto;
use proto::admission_control::{EvaluationCriteria, SuccessCriteria};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// How long requests are remembered where nothing is said.
const DEFAULT_WINDOW: Duration = Duration::from_secs(30);

/// The gRPC statuses that are successes where nothing is said: what is the client's fault is one.
const GRPC_SUCCESS: [u32; 11] = [0, 1, 2, 3, 5, 6, 7, 9, 11, 12, 16];

/// The largest gRPC status.
const MOST_GRPC: u32 = 16;

impl HttpFilterExtension for AdmissionControl {
    const NAME: &'static str = "envoy.filters.http.admission_control";
    type Proto = proto::AdmissionControl;
    type RouteProto = proto::AdmissionControl;
    type Spec = Shared;
    type RouteSpec = ();

    fn parse(
        &self,
        proto: proto::AdmissionControl,
        filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<Shared> {
        let threshold = percent(proto.sr_threshold, 95.0);
        if threshold.default < 1.0 {
            let message = "Success rate threshold cannot be less than 1.0%.";
            return Err(cx.error_at("sr_threshold", message));
        }
        let window = duration::optional(cx, "sampling_window", proto.sampling_window)?;
        let criteria = match proto.evaluation_criteria {
            Some(EvaluationCriteria::SuccessCriteria(criteria)) => criteria,
            None => return Err(cx.error("field: 'evaluation_criteria', reason: is required")),
        };
        let (http, grpc) = cx.field("success_criteria", |cx| success(cx, criteria))?;
        let aggression = proto
            .aggression
            .map(|number| (number.default_value, number.runtime_key));
        let rps = proto.rps_threshold;
        let rps = rps.map(|number| (f64::from(number.default_value), number.runtime_key));
        let scope = cx.env().scope();
        let scope = scope.scope(&format!("{}admission_control", filter.stat_prefix));
        Ok(Shared(Arc::new(AdmissionControlSpec {
            enabled: runtime_flag(proto.enabled),
            window: window.unwrap_or(DEFAULT_WINDOW),
            aggression: number(aggression, 1.0),
            success_rate_threshold: threshold,
            rps_threshold: number(rps, 0.0),
            max_rejection: percent(proto.max_rejection_probability, 80.0),
            http_success: http,
            grpc_success: grpc,
            stats: scope.group(),
        })))
    }

    fn parse_route(&self, _: proto::AdmissionControl, cx: &mut ParseCx) -> Parsed<()> {
        Err(crate::no_route_config(cx, Self::NAME))
    }
}

fn number(proto: Option<(f64, String)>, default: f64) -> RuntimeNumber {
    let (default, key) = proto.unwrap_or((default, String::new()));
    RuntimeNumber { default, key }
}

fn percent(proto: Option<RuntimePercent>, default: f64) -> RuntimeNumber {
    let proto = proto.map(|percent| {
        let value = percent
            .default_value
            .map_or(default, |percent| percent.value);
        (value, percent.runtime_key)
    });
    number(proto, default)
}

fn success(cx: &mut ParseCx, proto: SuccessCriteria) -> Parsed<(Vec<Range<u16>>, Vec<u32>)> {
    let http = match proto.http_criteria {
        None => std::iter::once(100..500).collect(),
        Some(criteria) => cx.field("http_criteria", |cx| {
            cx.list(
                "http_success_status",
                criteria.http_success_status,
                |cx, range| {
                    let (start, end) = (range.start, range.end);
                    let is_good = start <= end && start >= 100 && end <= 600;
                    match (u16::try_from(start), u16::try_from(end)) {
                        (Ok(start), Ok(end)) if is_good => Ok(start..end),
                        _ => Err(cx.error(format!("invalid HTTP range: [{start}, {end})"))),
                    }
                },
            )
        })?,
    };
    let grpc = match proto.grpc_criteria {
        None => GRPC_SUCCESS.to_vec(),
        Some(criteria) => cx.field("grpc_criteria", |cx| {
            cx.list(
                "grpc_success_status",
                criteria.grpc_success_status,
                |cx, status| match status <= MOST_GRPC {
                    true => Ok(status),
                    false => Err(cx.error(format!("invalid gRPC code {status}"))),
                },
            )
        })?,
    };
    Ok((http, grpc))
}
