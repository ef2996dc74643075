//! What the admin sees of the server.

use crate::listener_manager::{ListenerState, ListenerStatus};
use crate::server::Server;
use crate::state::ServerState as State;
use nuncio_admin::{
    AdminServer, ClusterView, ConfigSection, DrainRequest, HostView, ListenerView, LocalityView,
    MemoryView, ServerState, ThresholdsView, UnreadyTargets, Uptime,
};
use nuncio_base::options::Options;
use nuncio_base::runtime_flags::RuntimeView;
use nuncio_config::certificates::CertificatesInUse;
use nuncio_config::secret::SecretManager;
use nuncio_net::drain::DrainScope;
use nuncio_proto::Message;
use nuncio_proto::envoy::admin::v3 as proto;
use nuncio_proto::envoy::config::bootstrap::v3::Bootstrap;
use nuncio_proto::google::protobuf::{Any, Timestamp};
use nuncio_stats::Store;
use nuncio_upstream::{Host, Priority};
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

/// The server behind the admin's trait.
pub struct ServerView(pub Rc<Server>);

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
        let bootstrap = self.bootstrap();
        let mut node = bootstrap.node.unwrap_or_default();
        let own = &self.0.env.node;
        node.id.clone_from(&own.id);
        node.cluster.clone_from(&own.cluster);
        if !own.zone.is_empty() {
            node.locality
                .get_or_insert_default()
                .zone
                .clone_from(&own.zone);
        }
        node.encode_to_vec()
    }

    fn clusters(&self, wanted: &dyn Fn(&str) -> bool) -> Vec<ClusterView> {
        let active = self.0.clusters.active();
        let wanted = active
            .iter()
            .filter(|cluster| wanted(&cluster.info().spec.name));
        wanted.map(|cluster| cluster_view(cluster)).collect()
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
        let mut sections = vec![self.bootstrap_section(), self.clusters_section(wanted)];
        if include_eds {
            sections.push(section(&proto::EndpointsConfigDump::default()));
        }
        sections.push(self.listeners_section(wanted));
        sections.push(self.scoped_routes_section(wanted));
        sections.push(self.routes_section(wanted));
        sections.push(self.secrets_section(wanted));
        sections
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

    fn unready_targets(&self, _mask: Option<&str>) -> Vec<UnreadyTargets> {
        let warming = self.0.clusters.warming();
        let targets = warming
            .iter()
            .map(|cluster| format!("cluster {}", cluster.info().spec.name));
        let targets: Vec<_> = targets.collect();
        if targets.is_empty() {
            return Vec::new();
        }
        vec![UnreadyTargets {
            name: "init manager Server".to_owned(),
            targets,
        }]
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
        self.0.state.fail_health_check(fail);
    }

    fn quit(&self) {
        self.0.quit.notify_one();
    }

    fn reopen_logs(&self) {
        self.0.reopen_logs();
    }
}

impl ServerView {
    fn bootstrap(&self) -> Bootstrap {
        // It was decoded once before, at the start.
        Bootstrap::decode(self.0.bootstrap.as_slice()).unwrap_or_default()
    }

    fn bootstrap_section(&self) -> ConfigSection {
        section(&proto::BootstrapConfigDump {
            bootstrap: Some(self.bootstrap()),
            last_updated: Some(timestamp(self.0.loaded_at)),
        })
    }

    fn clusters_section(&self, wanted: &dyn Fn(&str) -> bool) -> ConfigSection {
        let active = self.0.clusters.active();
        let wanted = active
            .iter()
            .filter(|cluster| wanted(&cluster.info().spec.name));
        let static_clusters = wanted
            .map(|cluster| proto::clusters_config_dump::StaticCluster {
                cluster: Some(cluster.source().config.clone()),
                last_updated: Some(timestamp(cluster.source().last_updated)),
            })
            .collect();
        section(&proto::ClustersConfigDump {
            static_clusters,
            ..Default::default()
        })
    }

    fn listeners_section(&self, wanted: &dyn Fn(&str) -> bool) -> ConfigSection {
        let all = self.0.listeners.listeners().into_iter();
        let static_listeners = all
            .filter(|listener| listener.state == ListenerState::Active && wanted(&listener.name))
            .map(|listener| proto::listeners_config_dump::StaticListener {
                listener: Some(listener.config),
                last_updated: Some(timestamp(listener.last_updated)),
            })
            .collect();
        section(&proto::ListenersConfigDump {
            static_listeners,
            ..Default::default()
        })
    }

    fn secrets_section(&self, wanted: &dyn Fn(&str) -> bool) -> ConfigSection {
        let all = SecretManager::of(&self.0.env).static_secrets().into_iter();
        let static_secrets = all
            .filter(|secret| wanted(&secret.name))
            .map(|secret| proto::secrets_config_dump::StaticSecret {
                name: secret.name.clone(),
                last_updated: None,
                secret: Some(nuncio_proto::any::pack(&secret)),
            })
            .collect();
        section(&proto::SecretsConfigDump {
            static_secrets,
            ..Default::default()
        })
    }

    fn scoped_routes_section(&self, wanted: &dyn Fn(&str) -> bool) -> ConfigSection {
        use proto::scoped_routes_config_dump::InlineScopedRouteConfigs;
        let all = self.0.env.scoped_routes().into_iter();
        let inline_scoped_route_configs = all
            .filter(|(name, _)| wanted(name))
            .map(|(name, scoped_route_configs)| InlineScopedRouteConfigs {
                name,
                scoped_route_configs,
                last_updated: Some(timestamp(self.0.loaded_at)),
            })
            .collect();
        section(&proto::ScopedRoutesConfigDump {
            inline_scoped_route_configs,
            ..Default::default()
        })
    }

    fn routes_section(&self, wanted: &dyn Fn(&str) -> bool) -> ConfigSection {
        let static_route_configs = self
            .0
            .env
            .route_configs()
            .into_iter()
            .filter(|(name, _)| wanted(name))
            .map(
                |(_, config): (_, Any)| proto::routes_config_dump::StaticRouteConfig {
                    route_config: Some(config),
                    last_updated: Some(timestamp(self.0.loaded_at)),
                },
            )
            .collect();
        section(&proto::RoutesConfigDump {
            static_route_configs,
            ..Default::default()
        })
    }
}

trait AdminMessage: Message {
    const NAME: &'static str;
}

macro_rules! admin_messages {
    ($($name:ident),* $(,)?) => {$(
        impl AdminMessage for proto::$name {
            const NAME: &'static str = concat!("envoy.admin.v3.", stringify!($name));
        }
    )*};
}

admin_messages!(
    BootstrapConfigDump,
    ClustersConfigDump,
    EndpointsConfigDump,
    ListenersConfigDump,
    RoutesConfigDump,
    ScopedRoutesConfigDump,
    SecretsConfigDump,
);

fn section<M: AdminMessage>(message: &M) -> ConfigSection {
    ConfigSection {
        message: M::NAME,
        bytes: message.encode_to_vec(),
    }
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since = nuncio_base::time::since_epoch(time);
    Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        // Milliseconds are what Envoy shows.
        nanos: i32::try_from(since.subsec_millis()).unwrap_or_default() * 1_000_000,
    }
}

fn cluster_view(cluster: &crate::cluster_manager::Cluster) -> ClusterView {
    let info = cluster.info();
    let hosts = cluster.hosts();
    ClusterView {
        name: info.spec.name.to_string(),
        observability_name: info.spec.observability_name.to_string(),
        eds_service_name: String::new(),
        added_via_api: info.spec.added_via_api,
        outlier: None,
        thresholds: Priority::ALL.map(|priority| {
            let limits = &info.spec.thresholds[priority as usize];
            ThresholdsView {
                max_connections: limits.max_connections,
                max_pending_requests: limits.max_pending_requests,
                max_requests: limits.max_requests,
                max_retries: limits.max_retries,
            }
        }),
        hosts: hosts.hosts().map(host_view).collect(),
    }
}

fn host_view(host: &Arc<Host>) -> HostView {
    let stats = host.stats();
    let locality = host.locality();
    HostView {
        address: host.address(),
        hostname: host.hostname().to_string(),
        counters: vec![
            ("cx_connect_fail", stats.cx_connect_fail.value()),
            ("cx_total", stats.cx_total.value()),
            ("rq_error", stats.rq_error.value()),
            ("rq_success", stats.rq_success.value()),
            ("rq_timeout", stats.rq_timeout.value()),
            ("rq_total", stats.rq_total.value()),
        ],
        gauges: vec![
            ("cx_active", stats.cx_active.value()),
            ("rq_active", stats.rq_active.value()),
            ("rq_pending_active", stats.rq_pending_active.value()),
        ],
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
        success_rate: -1.0,
        local_origin_success_rate: -1.0,
    }
}
