//! What is reported of each cluster: how its hosts' counts have grown since the last report.

use crate::cluster_manager::{Cluster, ClusterManager};
use nuncio_admin::listeners::address;
use nuncio_proto::envoy::config::core::v3 as core;
use nuncio_proto::envoy::config::endpoint::v3::{
    ClusterStats, UpstreamEndpointStats, UpstreamLocalityStats,
};
use nuncio_proto::envoy::service::load_stats::v3::LoadStatsResponse;
use nuncio_proto::google::protobuf::Duration;
use nuncio_upstream::{Host, Locality};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// The clusters that reports are of.
pub(super) struct Reports {
    clusters: Rc<ClusterManager>,
    tracked: BTreeMap<String, Tracked>,
}

/// What was reported of a cluster.
struct Tracked {
    since: Instant,
    dropped: u64,
    hosts: HashMap<u64, Counts>,
}

/// A host's counts.
#[derive(Clone, Copy, Default)]
struct Counts {
    success: u64,
    error: u64,
    issued: u64,
    active: u64,
}

impl Counts {
    fn of(host: &Host) -> Self {
        let stats = host.stats();
        Self {
            success: stats.rq_success.value(),
            error: stats.rq_error.value(),
            issued: stats.rq_total.value(),
            active: stats.rq_active.value(),
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            success: self.success.saturating_sub(before.success),
            error: self.error.saturating_sub(before.error),
            issued: self.issued.saturating_sub(before.issued),
            active: self.active,
        }
    }

    fn add(&mut self, other: Self) {
        self.success += other.success;
        self.error += other.error;
        self.issued += other.issued;
        self.active += other.active;
    }

    fn is_nothing(self) -> bool {
        self.success + self.error + self.issued + self.active == 0
    }
}

impl Tracked {
    fn new(cluster: Option<&Cluster>, now: Instant) -> Self {
        let hosts = cluster.map(|cluster| cluster.hosts());
        let hosts = hosts.iter().flat_map(|hosts| hosts.hosts());
        Self {
            since: now,
            dropped: cluster.map_or(0, |cluster| cluster.info().dropped.value()),
            hosts: hosts.map(|host| (host.id(), Counts::of(host))).collect(),
        }
    }
}

impl Reports {
    pub fn new(clusters: &Rc<ClusterManager>) -> Self {
        Self {
            clusters: Rc::clone(clusters),
            tracked: BTreeMap::new(),
        }
    }

    fn active(&self) -> HashMap<String, Rc<Cluster>> {
        let active = self.clusters.active().into_iter();
        let named = active.map(|cluster| (cluster.info().spec.name.to_string(), cluster));
        named.collect()
    }

    /// Tracks what is asked for. Of clusters that are tracked already nothing is forgotten.
    pub fn track(&mut self, asked: &LoadStatsResponse, now: Instant) {
        let active = self.active();
        let names: Vec<String> = match asked.send_all_clusters {
            true => active.keys().cloned().collect(),
            false => asked.clusters.clone(),
        };
        let mut before = std::mem::take(&mut self.tracked);
        for name in names {
            let known = before.remove(&name);
            let cluster = active.get(&name).map(|cluster| &**cluster);
            let tracked = known.unwrap_or_else(|| Tracked::new(cluster, now));
            self.tracked.insert(name, tracked);
        }
    }

    /// What is to be reported now.
    pub fn take(&mut self, by_host: bool, now: Instant) -> Vec<ClusterStats> {
        let active = self.active();
        let mut all = Vec::new();
        for (name, tracked) in &mut self.tracked {
            if let Some(cluster) = active.get(name) {
                all.push(report(cluster, tracked, by_host, now));
            }
        }
        all
    }
}

fn report(cluster: &Cluster, tracked: &mut Tracked, by_host: bool, now: Instant) -> ClusterStats {
    let info = cluster.info();
    let interval = now.saturating_duration_since(tracked.since);
    let mut stats = ClusterStats {
        cluster_name: info.spec.name.to_string(),
        cluster_service_name: cluster.service_name().unwrap_or_default().to_owned(),
        load_report_interval: Some(Duration {
            seconds: interval.as_secs() as i64,
            nanos: interval.subsec_nanos() as i32,
        }),
        ..ClusterStats::default()
    };
    let new = Tracked::new(Some(cluster), now);
    stats.total_dropped_requests = new.dropped.saturating_sub(tracked.dropped);
    for set in cluster.hosts().sets() {
        for locality in set.localities() {
            let mut sum = Counts::default();
            let mut endpoints = Vec::new();
            for host in locality.lists.all.iter() {
                let before = tracked.hosts.get(&host.id()).copied();
                let counts = Counts::of(host).since(before.unwrap_or_default());
                sum.add(counts);
                if by_host && !counts.is_nothing() {
                    endpoints.push(of_host(host, counts));
                }
            }
            if !sum.is_nothing() {
                let stats_of = of_locality(&locality.locality, set.priority(), sum, endpoints);
                stats.upstream_locality_stats.push(stats_of);
            }
        }
    }
    *tracked = new;
    stats
}

fn of_locality(
    locality: &Arc<Locality>,
    priority: u32,
    counts: Counts,
    upstream_endpoint_stats: Vec<UpstreamEndpointStats>,
) -> UpstreamLocalityStats {
    UpstreamLocalityStats {
        locality: Some(core::Locality {
            region: locality.region.clone(),
            zone: locality.zone.clone(),
            sub_zone: locality.sub_zone.clone(),
        }),
        priority,
        total_successful_requests: counts.success,
        total_error_requests: counts.error,
        total_requests_in_progress: counts.active,
        total_issued_requests: counts.issued,
        upstream_endpoint_stats,
        ..Default::default()
    }
}

fn of_host(host: &Host, counts: Counts) -> UpstreamEndpointStats {
    UpstreamEndpointStats {
        address: Some(address(&host.address())),
        total_successful_requests: counts.success,
        total_error_requests: counts.error,
        total_requests_in_progress: counts.active,
        total_issued_requests: counts.issued,
        ..Default::default()
    }
}
