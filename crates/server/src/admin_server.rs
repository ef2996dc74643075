//! What the admin sees of the server.

use crate::client_status;
use crate::config_dump;
use crate::listener_manager::{ListenerState, ListenerStatus};
use crate::server::Server;
use crate::state::ServerState as State;
use nuncio_admin::{
    AdminServer, ClusterView, ConfigSection, DrainRequest, HostView, ListenerView, LocalityView,
    MemoryView, OutlierView, ServerState, ThresholdsView, UnreadyTargets, Uptime,
};
use nuncio_base::options::Options;
use nuncio_base::runtime_flags::RuntimeView;
use nuncio_config::certificates::CertificatesInUse;
use nuncio_extension::server_env::HealthCheckSwitch;
use nuncio_net::drain::DrainScope;
use nuncio_proto::Message;
use nuncio_stats::{EndpointNames, PrimitiveKind, PrimitiveStat, Store};
use nuncio_upstream::resource::Resource;
use nuncio_upstream::{Health, Host, Priority};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The server behind the admin's trait.
pub struct ServerView(Rc<Server>);

impl ServerView {
    /// A view of the server.
    pub fn new(server: &Rc<Server>) -> Self {
        Self(Rc::clone(server))
    }
}

impl AdminServer for ServerView {
    fn options(&self) -> &Options {
        &self.0.options
    }

    fn stats(&self) -> &Store {
        &self.0.env.store
    }

    fn before_stats(&self) {
        if self.0.stats_flush_on_admin {
            self.0.env.store.merge_histograms();
        }
        self.0.update_stats();
    }

    fn state(&self) -> ServerState {
        match self.0.state.get() {
            State::Live => ServerState::Live,
            State::Draining => ServerState::Draining,
            State::PreInitializing => ServerState::PreInitializing,
            State::Initializing => ServerState::Initializing,
        }
    }

    fn uptime(&self) -> Uptime {
        self.0.worker.tick();
        let current = self
            .0
            .worker
            .now()
            .saturating_duration_since(self.0.started);
        Uptime {
            current_epoch: current,
            all_epochs: current,
        }
    }

    fn node(&self) -> Vec<u8> {
        let node = config_dump::bootstrap(&self.0).node.unwrap_or_default();
        node.encode_to_vec()
    }

    fn clusters(&self, wanted: &dyn Fn(&str) -> bool) -> Vec<ClusterView> {
        let active = self.0.clusters.active();
        let wanted = active
            .iter()
            .filter(|cluster| wanted(&cluster.info().spec.name));
        wanted.map(|cluster| cluster_view(cluster)).collect()
    }

    fn endpoint_stats(&self) -> Vec<PrimitiveStat> {
        let active = self.0.clusters.active();
        let tracked = active.iter().filter(|cluster| {
            let spec = &cluster.info().spec;
            spec.track.per_endpoint_stats
        });
        tracked
            .flat_map(|cluster| endpoint_stats(cluster))
            .collect()
    }

    fn listeners(&self) -> Vec<ListenerView> {
        let all = self.0.listeners.listeners().into_iter();
        let active = all.filter(|listener| listener.state == ListenerState::Active);
        let view = |listener: ListenerStatus| {
            let mut addresses = listener.addresses.into_iter();
            Some(ListenerView {
                name: listener.name,
                address: addresses.next()?,
                additional_addresses: addresses.collect(),
            })
        };
        active.filter_map(view).collect()
    }

    fn config_dump(&self, wanted: &dyn Fn(&str) -> bool, include_eds: bool) -> Vec<ConfigSection> {
        config_dump::sections(&self.0, wanted, include_eds)
    }

    fn runtime(&self) -> RuntimeView {
        self.0.runtime.borrow().view()
    }

    fn modify_runtime(&self, changes: &[(String, String)]) -> Result<(), String> {
        let modified = self.0.runtime.borrow_mut().modify(changes);
        modified.map_err(|error| error.to_string())
    }

    fn memory(&self) -> MemoryView {
        let memory = crate::memory::read();
        MemoryView {
            allocated: memory.resident,
            heap_size: memory.mapped,
            total_physical_bytes: memory.resident,
            ..MemoryView::default()
        }
    }

    fn certificates(&self) -> Vec<u8> {
        let certificates = CertificatesInUse::of(&self.0.env);
        let now = nuncio_base::time::wall();
        certificates.to_proto(now).encode_to_vec()
    }

    fn client_config(&self) -> Vec<u8> {
        client_status::client_config(&self.0.env).encode_to_vec()
    }

    fn unready_targets(&self, _mask: Option<&str>) -> Vec<UnreadyTargets> {
        let clusters = self.0.clusters.warming().into_iter();
        let mut targets: Vec<_> = clusters
            .map(|cluster| format!("cluster {}", cluster.info().spec.name))
            .collect();
        let of_listeners = self.0.listeners.init_targets().unready().into_iter();
        targets.extend(of_listeners.map(|name| format!("target {name}")));
        let server = (!targets.is_empty()).then(|| ("init manager Server".to_owned(), targets));
        let listeners = self.0.listeners.unready_targets().into_iter();
        let listeners = listeners.map(|(name, targets)| {
            let targets = targets.into_iter().map(|name| format!("target {name}"));
            (
                format!("init manager Listener-local-init-manager {name}"),
                targets.collect(),
            )
        });
        let all = server.into_iter().chain(listeners);
        all.map(|(name, targets)| UnreadyTargets { name, targets })
            .collect()
    }

    fn drain_listeners(&self, request: DrainRequest) {
        let scope = if request.inbound_only {
            DrainScope::InboundOnly
        } else {
            DrainScope::All
        };
        let now = self.0.worker.now();
        if request.graceful || request.skip_exit {
            self.0.drain.start(scope, now);
        }
        if request.skip_exit {
            return;
        }
        if !request.graceful {
            return self.0.listeners.stop_listeners(scope);
        }
        let server = Rc::clone(&self.0);
        let until = now + server.drain.settings().time;
        self.0.worker.spawn(async move {
            nuncio_worker::timer::sleep_until(&server.worker, until).await;
            server.listeners.stop_listeners(scope);
        });
    }

    fn fail_health_check(&self, fail: bool) {
        self.0.drain.set_health_check_failed(fail);
        let switch = self.0.env.shared(HealthCheckSwitch::default);
        switch.0.store(fail, Ordering::Relaxed);
        self.0.state.fail_health_check(fail);
    }

    fn quit(&self) {
        self.0.quit.notify_one();
    }

    fn reopen_logs(&self) {
        self.0.reopen_logs();
    }
}

fn cluster_view(cluster: &crate::cluster_manager::Cluster) -> ClusterView {
    let info = cluster.info();
    let hosts = cluster.hosts();
    ClusterView {
        name: info.spec.name.to_string(),
        observability_name: info.spec.observability_name.to_string(),
        eds_service_name: cluster.service_name().unwrap_or_default().to_owned(),
        added_via_api: info.spec.added_via_api,
        outlier: cluster
            .members()
            .success_rates()
            .map(|[own, connecting]| OutlierView {
                success_rate_average: own.average,
                success_rate_ejection_threshold: own.ejection_threshold,
                local_origin_success_rate_average: connecting.average,
                local_origin_success_rate_ejection_threshold: connecting.ejection_threshold,
            }),
        thresholds: Priority::ALL.map(|priority| {
            let resources = info.resources(priority);
            ThresholdsView {
                max_connections: resources.max(Resource::Connections),
                max_pending_requests: resources.max(Resource::PendingRequests),
                max_requests: resources.max(Resource::Requests),
                max_retries: resources.max(Resource::Retries),
            }
        }),
        hosts: hosts
            .hosts()
            .map(|host| host_view(host, cluster.members().success_rates_of(host)))
            .collect(),
    }
}

/// What Envoy's `HostUtility::forEachHostMetric` shows of each host, in its order.
fn endpoint_stats(cluster: &crate::cluster_manager::Cluster) -> Vec<PrimitiveStat> {
    let name = &cluster.info().spec.observability_name;
    let mut stats = Vec::new();
    for host in cluster.hosts().hosts() {
        let address = host.address().to_string();
        let names = EndpointNames::new(name, &address, host.hostname());
        let healthy = u64::from(host.health() == Health::Healthy);
        let counters = host_counters(host).into_iter();
        let gauges = host_gauges(host).into_iter().chain([("healthy", healthy)]);
        stats.extend(counters.map(|(of, value)| names.stat(of, PrimitiveKind::Counter, value)));
        stats.extend(gauges.map(|(of, value)| names.stat(of, PrimitiveKind::Gauge, value)));
    }
    stats
}

fn host_counters(host: &Host) -> Vec<(&'static str, u64)> {
    let stats = host.stats();
    vec![
        ("cx_connect_fail", stats.cx_connect_fail.value()),
        ("cx_total", stats.cx_total.value()),
        ("rq_error", stats.rq_error.value()),
        ("rq_success", stats.rq_success.value()),
        ("rq_timeout", stats.rq_timeout.value()),
        ("rq_total", stats.rq_total.value()),
    ]
}

fn host_gauges(host: &Host) -> Vec<(&'static str, u64)> {
    let stats = host.stats();
    vec![
        ("cx_active", stats.cx_active.value()),
        ("rq_active", stats.rq_active.value()),
        ("rq_pending_active", stats.rq_pending_active.value()),
    ]
}

fn host_view(host: &Arc<Host>, [success_rate, connect_rate]: [f64; 2]) -> HostView {
    let locality = host.locality();
    HostView {
        address: host.address(),
        hostname: host.hostname().to_string(),
        counters: host_counters(host),
        gauges: host_gauges(host),
        health_flags: host
            .flags()
            .map(nuncio_upstream::HealthFlag::as_str)
            .collect(),
        weight: host.weight(),
        locality: LocalityView {
            region: locality.region.clone(),
            zone: locality.zone.clone(),
            sub_zone: locality.sub_zone.clone(),
        },
        canary: host.canary(),
        priority: host.priority(),
        success_rate,
        local_origin_success_rate: connect_rate,
    }
}
