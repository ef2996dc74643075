//! `envoy.config.cluster.v3.CircuitBreakers`.

use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::cluster::v3 as proto;
use nuncio_proto::envoy::config::core::v3::RoutingPriority;
use nuncio_proto::google::protobuf::UInt32Value;
use nuncio_upstream::resource::{RetryBudget, Thresholds};
use proto::circuit_breakers::Thresholds as ProtoThresholds;

/// Converts the limits of both routing priorities: default, high.
///
/// # Errors
/// Recorded in `cx`.
pub fn thresholds(
    cx: &mut ParseCx,
    proto: Option<&proto::CircuitBreakers>,
) -> Parsed<[Thresholds; 2]> {
    let mut all = [Thresholds::default(), Thresholds::default()];
    let Some(proto) = proto else {
        return Ok(all);
    };
    cx.field("circuit_breakers", |cx| {
        let parsed = cx.list("thresholds", &proto.thresholds, |_, proto| {
            Ok((slot(proto), limits(proto)))
        })?;
        // The first of a priority counts, as in Envoy.
        for (slot, limits) in parsed.into_iter().rev() {
            all[slot] = limits;
        }
        let per_host = cx.list("per_host_thresholds", &proto.per_host_thresholds, per_host)?;
        for (slot, limit) in per_host.into_iter().rev() {
            all[slot].max_connections_per_host = limit;
        }
        Ok(all)
    })
}

fn slot(proto: &ProtoThresholds) -> usize {
    usize::from(proto.priority() == RoutingPriority::High)
}

fn limits(proto: &ProtoThresholds) -> Thresholds {
    let default = Thresholds::default();
    let or = |value: &Option<UInt32Value>, default| value.as_ref().map_or(default, |v| v.value);
    let budget = proto.retry_budget.as_ref().map(|budget| RetryBudget {
        percent: budget
            .budget_percent
            .as_ref()
            .map_or(20.0, |percent| percent.value),
        min_retry_concurrency: or(&budget.min_retry_concurrency, 3),
    });
    Thresholds {
        max_connections: or(&proto.max_connections, default.max_connections),
        max_pending_requests: or(&proto.max_pending_requests, default.max_pending_requests),
        max_requests: or(&proto.max_requests, default.max_requests),
        max_retries: or(&proto.max_retries, default.max_retries),
        retry_budget: budget,
        track_remaining: proto.track_remaining,
        max_connection_pools: proto.max_connection_pools.as_ref().map(|v| v.value),
        ..default
    }
}

fn per_host(cx: &mut ParseCx, proto: &ProtoThresholds) -> Parsed<(usize, u32)> {
    let ProtoThresholds {
        priority: _,
        max_connections,
        max_pending_requests,
        max_requests,
        max_retries,
        retry_budget,
        track_remaining,
        max_connection_pools,
    } = proto;
    let others = [
        max_pending_requests,
        max_requests,
        max_retries,
        max_connection_pools,
    ];
    let unsupported = others.iter().any(|other| other.is_some());
    if unsupported || retry_budget.is_some() || *track_remaining {
        return Err(cx.error("Unsupported field in per_host_thresholds"));
    }
    let limit = max_connections
        .as_ref()
        .map_or(u32::MAX, |value| value.value);
    Ok((slot(proto), limit))
}
