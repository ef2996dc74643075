//! `envoy.config.cluster.v3.OutlierDetection`.

use crate::duration;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::cluster::v3 as proto;
use nuncio_proto::google::protobuf::UInt32Value;
use nuncio_upstream::outlier::OutlierSpec;
use std::sync::Arc;

/// Converts when hosts are ejected.
///
/// # Errors
/// A longest time that is shorter than the shortest; what is not built.
pub fn of_cluster(
    cx: &mut ParseCx,
    proto: Option<&proto::OutlierDetection>,
) -> Parsed<Option<Arc<OutlierSpec>>> {
    let spec = cx.optional("outlier_detection", proto, outlier_detection)?;
    Ok(spec.map(Arc::new))
}

fn outlier_detection(cx: &mut ParseCx, proto: &proto::OutlierDetection) -> Parsed<OutlierSpec> {
    let degraded = proto.detect_degraded_hosts.as_ref();
    let degraded = degraded.is_some_and(|detect| detect.value);
    cx.refuse("detect_degraded_hosts", degraded)?;
    cx.refuse("monitors", !proto.monitors.is_empty())?;
    let mut optional = |field, value| duration::optional(cx, field, value);
    let default = OutlierSpec::default();
    let interval = optional("interval", proto.interval)?;
    let base = optional("base_ejection_time", proto.base_ejection_time)?;
    let base = base.unwrap_or(default.base_ejection_time);
    let longest = optional("max_ejection_time", proto.max_ejection_time)?;
    let jitter = optional("max_ejection_time_jitter", proto.max_ejection_time_jitter)?;
    if longest.is_some_and(|longest| longest < base) {
        return Err(cx.error(
            "outlier detector's max_ejection_time cannot be smaller than base_ejection_time",
        ));
    }
    let or =
        |value: &Option<UInt32Value>, default: u32| value.as_ref().map_or(default, |v| v.value);
    let uneject = &proto.successful_active_health_check_uneject_host;
    Ok(OutlierSpec {
        interval: interval.unwrap_or(default.interval),
        base_ejection_time: base,
        max_ejection_time: longest.unwrap_or(default.max_ejection_time.max(base)),
        max_ejection_time_jitter: jitter.unwrap_or_default(),
        max_ejection_percent: or(&proto.max_ejection_percent, default.max_ejection_percent),
        always_eject_one_host: proto
            .always_eject_one_host
            .as_ref()
            .is_some_and(|v| v.value),
        split_external_local_origin_errors: proto.split_external_local_origin_errors,
        successful_active_health_check_uneject_host: uneject.as_ref().is_none_or(|v| v.value),
        consecutive_5xx: or(&proto.consecutive_5xx, default.consecutive_5xx),
        consecutive_gateway_failure: or(
            &proto.consecutive_gateway_failure,
            default.consecutive_gateway_failure,
        ),
        consecutive_local_origin_failure: or(
            &proto.consecutive_local_origin_failure,
            default.consecutive_local_origin_failure,
        ),
        success_rate_minimum_hosts: or(
            &proto.success_rate_minimum_hosts,
            default.success_rate_minimum_hosts,
        ),
        success_rate_request_volume: or(
            &proto.success_rate_request_volume,
            default.success_rate_request_volume,
        ),
        success_rate_stdev_factor: or(
            &proto.success_rate_stdev_factor,
            default.success_rate_stdev_factor,
        ),
        failure_percentage_threshold: or(
            &proto.failure_percentage_threshold,
            default.failure_percentage_threshold,
        ),
        failure_percentage_minimum_hosts: or(
            &proto.failure_percentage_minimum_hosts,
            default.failure_percentage_minimum_hosts,
        ),
        failure_percentage_request_volume: or(
            &proto.failure_percentage_request_volume,
            default.failure_percentage_request_volume,
        ),
        enforcing: enforcing(proto, default.enforcing),
    })
}

/// How likely each kind of ejection is carried out, in percent.
fn enforcing(proto: &proto::OutlierDetection, default: [u32; 7]) -> [u32; 7] {
    let enforcing = [
        &proto.enforcing_consecutive_5xx,
        &proto.enforcing_consecutive_gateway_failure,
        &proto.enforcing_consecutive_local_origin_failure,
        &proto.enforcing_success_rate,
        &proto.enforcing_local_origin_success_rate,
        &proto.enforcing_failure_percentage,
        &proto.enforcing_failure_percentage_local_origin,
    ];
    std::array::from_fn(|at| or(enforcing[at], default[at]))
}

fn or(value: &Option<UInt32Value>, default: u32) -> u32 {
    value.as_ref().map_or(default, |value| value.value)
}
