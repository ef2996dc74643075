//! `envoy.config.cluster.v3.Cluster`.

use crate::circuit_breakers::thresholds;
use crate::cluster_discovery::discovery;
use crate::http_protocol_options as http;
use crate::repeated::Repeated;
use crate::unknown_extension::unknown_extension;
use crate::{
    bind_config, cluster_transport, common, duration, health_check, lb_policy, outlier_detection,
    preconnect, socket_option, tcp_protocol_options,
};
use nuncio_extension::{ParseCx, Parsed};
use nuncio_net::SocketOptions;
use nuncio_proto::envoy::config::cluster::v3 as proto;
use nuncio_proto::envoy::config::core::v3 as core;
use nuncio_proto::google::protobuf::Any;
use nuncio_upstream::ClusterSpec;
use nuncio_upstream::address_order::{AddressOrder, Family};
use nuncio_upstream::cluster::{CommonLb, TrackedStats, UpstreamProtocol};
use nuncio_upstream::discovery::ClusterConfig;
use nuncio_upstream::health::{HealthStatus, HealthStatuses};
use nuncio_upstream::resource::Thresholds;
use std::sync::Arc;
use std::time::Duration;

static SOCKET_OPTIONS: Repeated<SocketOptions> = Repeated::new();
static THRESHOLDS: Repeated<[Thresholds; 2]> = Repeated::new();

/// Converts a cluster.
///
/// # Errors
/// Recorded in `cx`.
pub fn cluster(cx: &mut ParseCx, proto: proto::Cluster) -> Parsed<ClusterConfig> {
    let refused = refuse_not_built(cx, &proto);
    let sockets = cluster_transport::transport_sockets(cx, &proto);
    let pool = cx.optional(
        "upstream_config",
        proto.upstream_config.as_ref(),
        |cx, pool| {
            let config = pool.typed_config.as_ref();
            config.map_or(Ok(()), |config| connection_pool(cx, &pool.name, config))
        },
    );
    let discovery = discovery(cx, &proto);
    let lb = lb_policy::of_cluster(cx, &proto);
    let connect_timeout = duration::optional(cx, "connect_timeout", proto.connect_timeout);
    let http = http::of_cluster(cx, &proto);
    let common_lb = common_lb(cx, proto.common_lb_config.as_ref());
    let thresholds = thresholds(cx, proto.circuit_breakers.as_ref());
    let socket_options = socket_options(cx, &proto);
    let policy = proto.preconnect_policy.clone();
    let preconnect = cx.optional("preconnect_policy", policy, preconnect::policy);
    let tcp_idle_timeout = tcp_protocol_options::idle_timeout(cx, &proto);
    let outliers = outlier_detection::of_cluster(cx, proto.outlier_detection.as_ref());
    let health_check = health_check::of_cluster(cx, &proto.health_checks);
    refused.and(pool.map(|_| ()))?;
    let track = tracked_stats(&proto);
    let name: Arc<str> = proto.name.as_str().into();
    let alternative = proto.alt_stat_name.as_str();
    let (http, sockets, health_check) = (http?, sockets?, health_check?);
    health_check::check_protocol(cx, &name, health_check.as_deref(), http.protocol)?;
    if http.protocol == UpstreamProtocol::Auto && sockets.default.is_none() {
        return Err(cx.error(format!(
            "ALPN configured for cluster {name} which has a non-ALPN transport socket"
        )));
    }
    Ok(ClusterConfig {
        discovery: discovery?,
        spec: ClusterSpec {
            observability_name: if alternative.is_empty() {
                Arc::clone(&name)
            } else {
                alternative.into()
            },
            connect_timeout: connect_timeout?.unwrap_or(Duration::from_secs(5)),
            per_connection_buffer_limit: proto
                .per_connection_buffer_limit_bytes
                .map_or(1024 * 1024, |value| value.value),
            thresholds: THRESHOLDS.share(thresholds?),
            http,
            socket_options: SOCKET_OPTIONS.share(socket_options?),
            address_order: address_order(&proto),
            transport_sockets: sockets,
            metadata: proto
                .metadata
                .map(|metadata| common::metadata(Some(metadata))),
            common_lb: common_lb?,
            health_check,
            outlier_detection: outliers?,
            ignore_health_on_host_removal: proto.ignore_health_on_host_removal,
            close_connections_on_host_health_failure: proto
                .close_connections_on_host_health_failure,
            track,
            pool_per_downstream_connection: proto.connection_pool_per_downstream_connection,
            preconnect: preconnect?.flatten(),
            tcp_idle_timeout: tcp_idle_timeout?,
            own_locality: cx.env().node.locality.clone(),
            ..ClusterSpec::new(&name, lb?)
        },
    })
}

/// Refuses what is not built. Left alone is what has no effect here, as it would have none in
/// Envoy: `lrs_server`, `cleanup_interval` but for original destinations.
fn refuse_not_built(cx: &mut ParseCx, proto: &proto::Cluster) -> Parsed<()> {
    let checks = [
        (
            "transport_socket_matcher",
            proto.transport_socket_matcher.is_some(),
        ),
        ("stats_matcher", proto.stats_matcher.is_some()),
        (
            "per_connection_buffer_high_watermark_timeout",
            proto.per_connection_buffer_high_watermark_timeout.is_some(),
        ),
        ("filters", !proto.filters.is_empty()),
        (
            "lrs_report_endpoint_metrics",
            !proto.lrs_report_endpoint_metrics.is_empty(),
        ),
        ("queuing_policies", proto.queuing_policies.is_some()),
    ];
    let mut result = Ok(());
    for (field, used) in checks {
        result = result.and(cx.refuse(field, used));
    }
    result
}

/// Which kind of pool carries requests: the usual one, which speaks HTTP.
fn connection_pool(cx: &mut ParseCx, name: &str, config: &Any) -> Parsed<()> {
    match nuncio_proto::any::type_name(config) {
        "envoy.extensions.upstreams.http.generic.v3.GenericConnectionPoolProto"
        | "envoy.extensions.upstreams.http.http.v3.HttpConnectionPoolProto" => Ok(()),
        _ => Err(unknown_extension(cx, name, config)),
    }
}

fn tracked_stats(proto: &proto::Cluster) -> TrackedStats {
    let track = proto.track_cluster_stats.unwrap_or_default();
    TrackedStats {
        // The older field of the cluster itself says the same.
        timeout_budgets: proto.track_timeout_budgets || track.timeout_budgets,
        request_response_sizes: track.request_response_sizes,
        per_endpoint_stats: track.per_endpoint_stats,
    }
}

fn common_lb(cx: &mut ParseCx, proto: Option<&proto::cluster::CommonLbConfig>) -> Parsed<CommonLb> {
    let default = CommonLb::default();
    let Some(proto) = proto else {
        return Ok(default);
    };
    // How localities count and what is hashed belongs to the policy.
    cx.field("common_lb_config", |cx| {
        let window = duration::optional(cx, "update_merge_window", proto.update_merge_window)?;
        let threshold = proto.healthy_panic_threshold.as_ref();
        Ok(CommonLb {
            // Envoy rounds down the product, not the percentage.
            healthy_panic_threshold: threshold.map_or(default.healthy_panic_threshold, |percent| {
                (100.0 * (percent.value / 100.0)) as u32
            }),
            ignore_new_hosts_until_first_hc: proto.ignore_new_hosts_until_first_hc,
            close_connections_on_host_set_change: proto.close_connections_on_host_set_change,
            update_merge_window: window.unwrap_or(default.update_merge_window),
            override_host_status: proto
                .override_host_status
                .as_ref()
                .map_or(default.override_host_status, override_statuses),
        })
    })
}

/// What hosts may be like that filters want requests to go to; what is no status counts for none.
fn override_statuses(proto: &core::HealthStatusSet) -> HealthStatuses {
    proto
        .statuses()
        .map(|status| match status {
            core::HealthStatus::Unknown => HealthStatus::Unknown,
            core::HealthStatus::Healthy => HealthStatus::Healthy,
            core::HealthStatus::Unhealthy => HealthStatus::Unhealthy,
            core::HealthStatus::Draining => HealthStatus::Draining,
            core::HealthStatus::Timeout => HealthStatus::Timeout,
            core::HealthStatus::Degraded => HealthStatus::Degraded,
        })
        .collect()
}

fn address_order(proto: &proto::Cluster) -> AddressOrder {
    use proto::upstream_connection_options::FirstAddressFamilyVersion as First;
    let options = proto.upstream_connection_options.as_ref();
    let Some(config) = options.and_then(|options| options.happy_eyeballs_config.as_ref()) else {
        return AddressOrder::default();
    };
    AddressOrder {
        first: match config.first_address_family_version() {
            First::Default => None,
            First::V4 => Some(Family::V4),
            First::V6 => Some(Family::V6),
            First::Pipe => Some(Family::Pipe),
            First::Internal => Some(Family::Internal),
        },
        first_count: config
            .first_address_family_count
            .map_or(1, |count| count.value as usize),
    }
}

fn socket_options(cx: &mut ParseCx, proto: &proto::Cluster) -> Parsed<SocketOptions> {
    let mut options = SocketOptions::default();
    if let Some(bind) = proto.upstream_bind_config.clone() {
        cx.field("upstream_bind_config", |cx| {
            bind_config::bind_config(cx, bind, &mut options)
        })?;
    }
    if let Some(connection) = &proto.upstream_connection_options {
        cx.field("upstream_connection_options", |cx| {
            cx.refuse(
                "set_local_interface_name_on_upstream_connections",
                connection.set_local_interface_name_on_upstream_connections,
            )?;
            Ok(())
        })?;
        options.keepalive = connection.tcp_keepalive.map(socket_option::keepalive);
    }
    Ok(options)
}

#[cfg(test)]
mod tests;
