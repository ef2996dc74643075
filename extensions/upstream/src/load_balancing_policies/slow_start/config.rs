//! `SlowStartConfig`, which ROUND_ROBIN and LEAST_REQUEST share.

use nuncio_config::duration;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::extensions::load_balancing_policies::common::v3 as proto;
use nuncio_upstream::lb::slow_start::SlowStartSettings;

/// The least share of a host's weight, in percent, where the config says nothing.
const MIN_WEIGHT: f64 = 10.0;

/// Converts how hosts start; without a window they don't start slowly.
///
/// # Errors
/// A window that is no duration.
pub fn settings(
    cx: &mut ParseCx,
    proto: Option<proto::SlowStartConfig>,
) -> Parsed<Option<SlowStartSettings>> {
    let Some(proto) = proto else {
        return Ok(None);
    };
    let window = cx.field("slow_start_config", |cx| {
        duration::optional(cx, "slow_start_window", proto.slow_start_window)
    })?;
    let Some(window) = window.filter(|window| !window.is_zero()) else {
        return Ok(None);
    };
    let aggression = proto.aggression.as_ref();
    let least = proto.min_weight_percent.as_ref();
    Ok(Some(SlowStartSettings {
        window,
        aggression: aggression.map_or(1.0, |value| value.default_value),
        aggression_key: aggression.map_or("", |value| &value.runtime_key).into(),
        min_weight: least.map_or(MIN_WEIGHT, |percent| percent.value) / 100.0,
    }))
}
