//! `/clusters`: clusters and their hosts, as text or JSON.

use nuncio_matching::regex::Substitution;
use nuncio_proto::envoy::admin::v3::{
    ClusterStatus, Clusters, HostHealthStatus, HostStatus, SimpleMetric, simple_metric,
};
use nuncio_proto::envoy::config::cluster::v3::{CircuitBreakers, circuit_breakers};
use nuncio_proto::envoy::config::core::v3::{HealthStatus, Locality, RoutingPriority};
use nuncio_proto::envoy::r#type::v3::Percent;
use nuncio_proto::google::protobuf::UInt32Value;

use crate::listeners::address;
use crate::view::{ClusterView, HostView, ThresholdsView};
use crate::{AdminResponse, Call, json};

pub(crate) fn answer(call: &Call<'_>) -> AdminResponse {
    let filter = match call
        .parameter("filter")
        .map(|text| Substitution::new(&text, ""))
    {
        None => None,
        Some(Ok(filter)) => Some(filter),
        Some(Err(_)) => return AdminResponse::error(400, "Invalid re2 regex"),
    };
    let wanted = |name: &str| {
        filter
            .as_ref()
            .is_none_or(|filter| filter.is_match(name.as_bytes()))
    };
    let clusters = call.server.clusters(&wanted);
    if call.parameter("format").as_deref() == Some("json") {
        let message = Clusters {
            cluster_statuses: clusters.into_iter().map(status).collect(),
        };
        return AdminResponse::json(json::typed(&message, false));
    }
    let mut out = String::new();
    for cluster in &clusters {
        write_cluster(&mut out, cluster);
    }
    AdminResponse::text(out)
}

fn write_cluster(out: &mut String, cluster: &ClusterView) {
    let name = &cluster.name;
    let mut line = |what: &str, value: &dyn std::fmt::Display| {
        out.push_str(&format!("{name}::{what}::{value}\n"));
    };
    line("observability_name", &cluster.observability_name);
    if let Some(outlier) = &cluster.outlier {
        for (what, value) in [
            ("success_rate_average", outlier.success_rate_average),
            (
                "success_rate_ejection_threshold",
                outlier.success_rate_ejection_threshold,
            ),
            (
                "local_origin_success_rate_average",
                outlier.local_origin_success_rate_average,
            ),
            (
                "local_origin_success_rate_ejection_threshold",
                outlier.local_origin_success_rate_ejection_threshold,
            ),
        ] {
            line(&format!("outlier::{what}"), &value);
        }
    }
    for (priority, limits) in ["default", "high"].iter().zip(&cluster.thresholds) {
        for (what, value) in [
            ("max_connections", limits.max_connections),
            ("max_pending_requests", limits.max_pending_requests),
            ("max_requests", limits.max_requests),
            ("max_retries", limits.max_retries),
        ] {
            line(&format!("{priority}_priority::{what}"), &value);
        }
    }
    line("added_via_api", &cluster.added_via_api);
    if !cluster.eds_service_name.is_empty() {
        line("eds_service_name", &cluster.eds_service_name);
    }
    for host in &cluster.hosts {
        write_host(out, name, host);
    }
}

fn write_host(out: &mut String, cluster: &str, host: &HostView) {
    let prefix = format!("{cluster}::{}", host.address);
    let mut line = |what: &str, value: &dyn std::fmt::Display| {
        out.push_str(&format!("{prefix}::{what}::{value}\n"));
    };
    let mut stats: Vec<_> = host.counters.iter().chain(&host.gauges).collect();
    stats.sort_unstable();
    for (name, value) in stats {
        line(name, value);
    }
    let flags: String = host
        .health_flags
        .iter()
        .map(|flag| format!("/{flag}"))
        .collect();
    line("hostname", &host.hostname);
    line(
        "health_flags",
        &if flags.is_empty() { "healthy" } else { &flags },
    );
    line("weight", &host.weight);
    line("region", &host.locality.region);
    line("zone", &host.locality.zone);
    line("sub_zone", &host.locality.sub_zone);
    line("canary", &host.canary);
    line("priority", &host.priority);
    line("success_rate", &host.success_rate);
    line("local_origin_success_rate", &host.local_origin_success_rate);
}

fn status(cluster: ClusterView) -> ClusterStatus {
    let [default, high] = cluster.thresholds;
    let outlier = cluster.outlier;
    ClusterStatus {
        name: cluster.name,
        added_via_api: cluster.added_via_api,
        success_rate_ejection_threshold: outlier
            .and_then(|outlier| percent(outlier.success_rate_ejection_threshold)),
        host_statuses: cluster.hosts.into_iter().map(host_status).collect(),
        local_origin_success_rate_ejection_threshold: outlier
            .and_then(|outlier| percent(outlier.local_origin_success_rate_ejection_threshold)),
        circuit_breakers: Some(CircuitBreakers {
            thresholds: vec![
                limits(RoutingPriority::Default, default),
                limits(RoutingPriority::High, high),
            ],
            ..Default::default()
        }),
        observability_name: cluster.observability_name,
        eds_service_name: cluster.eds_service_name,
    }
}

fn limits(priority: RoutingPriority, limits: ThresholdsView) -> circuit_breakers::Thresholds {
    circuit_breakers::Thresholds {
        priority: priority as i32,
        max_connections: limit(limits.max_connections),
        max_pending_requests: limit(limits.max_pending_requests),
        max_requests: limit(limits.max_requests),
        max_retries: limit(limits.max_retries),
        ..Default::default()
    }
}

fn limit(value: u32) -> Option<UInt32Value> {
    Some(UInt32Value { value })
}

fn host_status(host: HostView) -> HostStatus {
    let metric = |kind: simple_metric::Type| {
        move |(name, value): &(&'static str, u64)| SimpleMetric {
            r#type: kind as i32,
            value: *value,
            name: (*name).to_owned(),
        }
    };
    let counters = host
        .counters
        .iter()
        .map(metric(simple_metric::Type::Counter));
    let gauges = host.gauges.iter().map(metric(simple_metric::Type::Gauge));
    HostStatus {
        address: Some(address(&host.address)),
        stats: counters.chain(gauges).collect(),
        health_status: Some(health_status(&host.health_flags)),
        success_rate: percent(host.success_rate),
        weight: host.weight,
        hostname: host.hostname,
        priority: host.priority,
        local_origin_success_rate: percent(host.local_origin_success_rate),
        locality: Some(Locality {
            region: host.locality.region,
            zone: host.locality.zone,
            sub_zone: host.locality.sub_zone,
        }),
    }
}

fn health_status(flags: &[&str]) -> HostHealthStatus {
    let has = |flag: &str| flags.contains(&flag);
    let eds = if has("failed_eds_health") {
        HealthStatus::Unhealthy
    } else if has("degraded_eds_health") {
        HealthStatus::Degraded
    } else if has("eds_status_draining") {
        HealthStatus::Draining
    } else {
        HealthStatus::Healthy
    };
    HostHealthStatus {
        failed_active_health_check: has("failed_active_hc"),
        failed_outlier_check: has("failed_outlier_check"),
        failed_active_degraded_check: has("degraded_active_hc"),
        pending_dynamic_removal: has("pending_dynamic_removal"),
        pending_active_hc: has("pending_active_hc"),
        excluded_via_immediate_hc_fail: has("excluded_via_immediate_hc_fail"),
        active_hc_timeout: has("active_hc_timeout"),
        eds_health_status: eds as i32,
        ..Default::default()
    }
}

fn percent(value: f64) -> Option<Percent> {
    (value >= 0.0).then_some(Percent { value })
}
