//! `envoy.config.cluster.v3.Cluster`.

use crate::endpoint::load_assignment;
use crate::http_protocol_options as http;
use crate::{bind_config, common, duration, endpoint, lb_policy, socket_option};
use nuncio_extension::{ParseCx, Parsed};
use nuncio_net::SocketOptions;
use nuncio_proto::envoy::config::cluster::v3 as proto;
use nuncio_proto::envoy::config::core::v3::RoutingPriority;
use nuncio_upstream::ClusterSpec;
use nuncio_upstream::cluster::CommonLb;
use nuncio_upstream::discovery::dns_resolver::{LookupFamily, ResolverSettings};
use nuncio_upstream::discovery::{
    ClusterConfig, Discovery, DnsHosts, DnsRefresh, LoadAssignment, StaticHosts,
};
use nuncio_upstream::resource::{RetryBudget, Thresholds};
use proto::cluster::{ClusterDiscoveryType, DiscoveryType};
use std::sync::Arc;
use std::time::Duration;

/// Converts a cluster.
///
/// # Errors
/// Recorded in `cx`.
pub fn cluster(cx: &mut ParseCx, proto: proto::Cluster) -> Parsed<ClusterConfig> {
    let refused = refuse_not_built(cx, &proto);
    let discovery = discovery(cx, &proto);
    let lb = lb_policy::of_cluster(cx, &proto);
    let connect_timeout = duration::optional(cx, "connect_timeout", proto.connect_timeout);
    let http = http::of_cluster(cx, &proto);
    let common_lb = common_lb(cx, proto.common_lb_config.as_ref());
    let thresholds = thresholds(cx, proto.circuit_breakers.as_ref());
    let socket_options = socket_options(cx, &proto);
    refused?;
    let name: Arc<str> = proto.name.as_str().into();
    let alternative = proto.alt_stat_name.as_str();
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
            thresholds: thresholds?,
            http: http?,
            socket_options: socket_options?,
            metadata: proto
                .metadata
                .map(|metadata| common::metadata(Some(metadata))),
            common_lb: common_lb?,
            ..ClusterSpec::new(&name, lb?)
        },
    })
}

fn refuse_not_built(cx: &mut ParseCx, proto: &proto::Cluster) -> Parsed<()> {
    let outlier = proto.outlier_detection.is_some();
    let checks = [
        (
            "transport_socket_matches",
            !proto.transport_socket_matches.is_empty(),
        ),
        (
            "transport_socket_matcher",
            proto.transport_socket_matcher.is_some(),
        ),
        ("transport_socket", proto.transport_socket.is_some()),
        ("stats_matcher", proto.stats_matcher.is_some()),
        (
            "per_connection_buffer_high_watermark_timeout",
            proto.per_connection_buffer_high_watermark_timeout.is_some(),
        ),
        ("health_checks", !proto.health_checks.is_empty()),
        ("outlier_detection", outlier),
        ("cleanup_interval", proto.cleanup_interval.is_some()),
        ("lb_subset_config", proto.lb_subset_config.is_some()),
        ("filters", !proto.filters.is_empty()),
        ("lrs_server", proto.lrs_server.is_some()),
        (
            "lrs_report_endpoint_metrics",
            !proto.lrs_report_endpoint_metrics.is_empty(),
        ),
        ("track_timeout_budgets", proto.track_timeout_budgets),
        ("upstream_config", proto.upstream_config.is_some()),
        ("track_cluster_stats", proto.track_cluster_stats.is_some()),
        ("preconnect_policy", proto.preconnect_policy.is_some()),
        (
            "connection_pool_per_downstream_connection",
            proto.connection_pool_per_downstream_connection,
        ),
        ("queuing_policies", proto.queuing_policies.is_some()),
        ("use_tcp_for_dns_lookups", proto.use_tcp_for_dns_lookups),
        ("dns_resolvers", !proto.dns_resolvers.is_empty()),
        (
            "dns_resolution_config",
            proto.dns_resolution_config.is_some(),
        ),
        (
            "http2_protocol_options",
            proto.http2_protocol_options.is_some(),
        ),
    ];
    let mut result = Ok(());
    for (field, used) in checks {
        result = result.and(cx.refuse(field, used));
    }
    result
}

fn discovery(cx: &mut ParseCx, proto: &proto::Cluster) -> Parsed<Arc<dyn Discovery>> {
    let kind = match &proto.cluster_discovery_type {
        None => DiscoveryType::Static,
        Some(ClusterDiscoveryType::Type(kind)) => DiscoveryType::try_from(*kind)
            .map_err(|_| cx.error_at("type", format!("unknown discovery type {kind}")))?,
        Some(ClusterDiscoveryType::ClusterType(_)) => return Err(cx.not_built("cluster_type")),
    };
    if kind == DiscoveryType::Eds {
        if proto.eds_cluster_config.is_none() {
            return Err(cx.error("cannot create an EDS cluster without an EDS config"));
        }
        return Err(cx.not_built("eds_cluster_config"));
    }
    if proto.eds_cluster_config.is_some() {
        return Err(cx.error_at(
            "eds_cluster_config",
            "eds_cluster_config set in a non-EDS cluster",
        ));
    }
    if kind == DiscoveryType::OriginalDst {
        return Err(cx.not_built("type"));
    }
    let assignment = proto.load_assignment.clone().unwrap_or_default();
    let endpoints = cx.field("load_assignment", |cx| load_assignment(cx, assignment))?;
    match kind {
        DiscoveryType::Static => {
            let named = endpoints
                .endpoints
                .iter()
                .find_map(|endpoint| endpoint.name.as_ref());
            if let Some((host, _)) = named {
                return Err(cx.error_at("load_assignment", endpoint::malformed(host)));
            }
            Ok(Arc::new(StaticHosts {
                assignment: endpoints,
            }))
        }
        _ => Ok(Arc::new(dns(
            cx,
            proto,
            endpoints,
            kind == DiscoveryType::LogicalDns,
        )?)),
    }
}

fn dns(
    cx: &mut ParseCx,
    proto: &proto::Cluster,
    assignment: LoadAssignment,
    logical: bool,
) -> Parsed<DnsHosts> {
    if logical && assignment.endpoints.len() != 1 {
        return Err(cx.error(
            "LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint",
        ));
    }
    let rate = duration::optional(cx, "dns_refresh_rate", proto.dns_refresh_rate)?;
    let failure = match &proto.dns_failure_refresh_rate {
        None => None,
        Some(rate) => cx.field("dns_failure_refresh_rate", |cx| {
            let base = duration::optional(cx, "base_interval", rate.base_interval)?;
            let base = base.unwrap_or(Duration::from_secs(5));
            let max = duration::optional(cx, "max_interval", rate.max_interval)?;
            Ok(Some((base, max.unwrap_or(base * 10))))
        })?,
    };
    let jitter = duration::optional(cx, "dns_jitter", proto.dns_jitter)?;
    Ok(DnsHosts {
        assignment: Arc::new(assignment),
        logical,
        family: match proto.dns_lookup_family() {
            proto::cluster::DnsLookupFamily::Auto => LookupFamily::Auto,
            proto::cluster::DnsLookupFamily::V4Only => LookupFamily::V4Only,
            proto::cluster::DnsLookupFamily::V6Only => LookupFamily::V6Only,
            proto::cluster::DnsLookupFamily::V4Preferred => LookupFamily::V4Preferred,
            proto::cluster::DnsLookupFamily::All => LookupFamily::All,
        },
        refresh: DnsRefresh {
            rate: rate.unwrap_or(Duration::from_secs(5)),
            failure,
            respect_ttl: proto.respect_dns_ttl,
            jitter: jitter.unwrap_or_default(),
        },
        resolver: ResolverSettings::default(),
        wait_for_warm_on_init: proto.wait_for_warm_on_init.as_ref().is_none_or(|v| v.value),
    })
}

fn common_lb(cx: &mut ParseCx, proto: Option<&proto::cluster::CommonLbConfig>) -> Parsed<CommonLb> {
    let default = CommonLb::default();
    let Some(proto) = proto else {
        return Ok(default);
    };
    cx.field("common_lb_config", |cx| {
        cx.refuse(
            "consistent_hashing_lb_config",
            proto.consistent_hashing_lb_config.is_some(),
        )?;
        let window = duration::optional(cx, "update_merge_window", proto.update_merge_window)?;
        Ok(CommonLb {
            healthy_panic_threshold: proto
                .healthy_panic_threshold
                .as_ref()
                .map_or(default.healthy_panic_threshold, |percent| {
                    percent.value as u32
                }),
            ignore_new_hosts_until_first_hc: proto.ignore_new_hosts_until_first_hc,
            close_connections_on_host_set_change: proto.close_connections_on_host_set_change,
            update_merge_window: window.unwrap_or(default.update_merge_window),
        })
    })
}

fn thresholds(cx: &mut ParseCx, proto: Option<&proto::CircuitBreakers>) -> Parsed<[Thresholds; 2]> {
    let mut all = [Thresholds::default(), Thresholds::default()];
    let Some(proto) = proto else { return Ok(all) };
    cx.field("circuit_breakers", |cx| {
        let parsed = cx.list("thresholds", &proto.thresholds, |cx, proto| {
            cx.refuse("max_connection_pools", proto.max_connection_pools.is_some())?;
            Ok((proto.priority(), limits(proto)))
        })?;
        // The first of a priority counts, as in Envoy.
        for (priority, limits) in parsed.into_iter().rev() {
            all[usize::from(priority == RoutingPriority::High)] = limits;
        }
        for proto in &proto.per_host_thresholds {
            let limit = proto
                .max_connections
                .as_ref()
                .map_or(u32::MAX, |value| value.value);
            let high = proto.priority() == RoutingPriority::High;
            all[usize::from(high)].max_connections_per_host = limit;
        }
        Ok(all)
    })
}

fn limits(proto: &proto::circuit_breakers::Thresholds) -> Thresholds {
    let default = Thresholds::default();
    let budget = proto.retry_budget.as_ref().map(|budget| RetryBudget {
        percent: budget
            .budget_percent
            .as_ref()
            .map_or(20.0, |percent| percent.value),
        min_retry_concurrency: budget.min_retry_concurrency.as_ref().map_or(3, |v| v.value),
    });
    Thresholds {
        max_connections: proto
            .max_connections
            .as_ref()
            .map_or(1024, |value| value.value),
        max_pending_requests: proto
            .max_pending_requests
            .as_ref()
            .map_or(1024, |v| v.value),
        max_requests: proto
            .max_requests
            .as_ref()
            .map_or(1024, |value| value.value),
        max_retries: proto.max_retries.as_ref().map_or(3, |value| value.value),
        retry_budget: budget,
        track_remaining: proto.track_remaining,
        ..default
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
            cx.refuse(
                "happy_eyeballs_config",
                connection.happy_eyeballs_config.is_some(),
            )
        })?;
        options.keepalive = connection.tcp_keepalive.map(socket_option::keepalive);
    }
    Ok(options)
}
