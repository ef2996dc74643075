//! A server to be asked in tests.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use nuncio_base::address::Address;
use nuncio_base::options::Options;
use nuncio_base::runtime_flags::RuntimeView;
use nuncio_proto::envoy::admin::v3::{
    BootstrapConfigDump, ClustersConfigDump, SecretsConfigDump, clusters_config_dump,
};
use nuncio_proto::envoy::config::bootstrap::v3::Bootstrap;
use nuncio_proto::envoy::config::cluster::v3::Cluster;
use nuncio_proto::envoy::config::core::v3::{Metadata, Node};
use nuncio_proto::{Message, any};
use nuncio_stats::{EndpointNames, PrimitiveKind, PrimitiveStat, SharedCounter, Store};

use crate::AdminServer;
use crate::view::*;

/// A server with two clusters, a listener and some configuration.
pub struct Fake {
    options: Options,
    store: Store,
    pub counter: SharedCounter,
    state: RefCell<ServerState>,
    /// What was asked for.
    pub asked: RefCell<Vec<String>>,
}

impl Fake {
    fn note(&self, what: impl Into<String>) {
        self.asked.borrow_mut().push(what.into());
    }
}

fn host(address: &str, hostname: &str) -> HostView {
    HostView {
        address: Address::Ip(address.parse().unwrap()),
        hostname: hostname.into(),
        counters: vec![("cx_total", 1), ("rq_error", 0)],
        gauges: vec![("cx_active", 1), ("rq_active", 0)],
        health_flags: Vec::new(),
        weight: 1,
        locality: LocalityView::default(),
        canary: false,
        priority: 0,
        success_rate: -1.0,
        local_origin_success_rate: -1.0,
    }
}

fn cluster(name: &str) -> ClusterView {
    let thresholds = ThresholdsView {
        max_connections: 1024,
        max_pending_requests: 1024,
        max_requests: 1024,
        max_retries: 3,
    };
    ClusterView {
        name: name.into(),
        observability_name: name.into(),
        eds_service_name: String::new(),
        added_via_api: false,
        outlier: None,
        thresholds: [thresholds; 2],
        hosts: vec![host("127.0.0.1:80", "h0")],
    }
}

fn sick_cluster() -> ClusterView {
    let mut host = host("[::1]:81", "");
    host.health_flags = vec!["failed_active_hc", "failed_eds_health"];
    host.locality = LocalityView {
        region: "r".into(),
        zone: "z".into(),
        sub_zone: "s".into(),
    };
    host.success_rate = 99.5;
    ClusterView {
        observability_name: "alt".into(),
        eds_service_name: "eds".into(),
        outlier: Some(OutlierView {
            success_rate_average: 99.5,
            success_rate_ejection_threshold: 50.0,
            local_origin_success_rate_average: -1.0,
            local_origin_success_rate_ejection_threshold: -1.0,
        }),
        hosts: vec![host],
        ..cluster("sick")
    }
}

impl AdminServer for Fake {
    fn options(&self) -> &Options {
        &self.options
    }

    fn stats(&self) -> &Store {
        &self.store
    }

    fn before_stats(&self) {
        self.note("before_stats");
    }

    fn endpoint_stats(&self) -> Vec<PrimitiveStat> {
        let names = EndpointNames::new("a:c", "127.0.0.1:80", "h0");
        vec![names.stat("cx_total", PrimitiveKind::Counter, 3)]
    }

    fn state(&self) -> ServerState {
        *self.state.borrow()
    }

    fn uptime(&self) -> Uptime {
        Uptime {
            current_epoch: Duration::from_millis(2_900),
            all_epochs: Duration::from_secs(5),
        }
    }

    fn node(&self) -> Vec<u8> {
        Node {
            id: "n1".into(),
            ..Default::default()
        }
        .encode_to_vec()
    }

    fn clusters(&self, wanted: &dyn Fn(&str) -> bool) -> Vec<ClusterView> {
        let mut clusters = vec![cluster("u0"), sick_cluster()];
        clusters.retain(|cluster| wanted(&cluster.name));
        clusters
    }

    fn listeners(&self) -> Vec<ListenerView> {
        vec![ListenerView {
            name: "l1".into(),
            address: Address::Ip("127.0.0.1:80".parse().unwrap()),
            additional_addresses: vec![Address::Pipe("/tmp/x".into())],
        }]
    }

    fn config_dump(&self, wanted: &dyn Fn(&str) -> bool, include_eds: bool) -> Vec<ConfigSection> {
        self.note(format!("config_dump {include_eds}"));
        let static_cluster = |name: &str| clusters_config_dump::StaticCluster {
            cluster: Some(any::pack(&Cluster {
                name: name.into(),
                alt_stat_name: "alt".into(),
                metadata: Some(Metadata::default()),
                ..Default::default()
            })),
            last_updated: None,
        };
        let names = ["a", "b"].into_iter().filter(|name| wanted(name));
        vec![
            ConfigSection {
                message: "envoy.admin.v3.BootstrapConfigDump",
                bytes: BootstrapConfigDump {
                    bootstrap: Some(Bootstrap {
                        node: Some(Node {
                            id: "n1".into(),
                            cluster: "c1".into(),
                            ..Default::default()
                        }),
                        ..Default::default()
                    }),
                    last_updated: None,
                }
                .encode_to_vec(),
            },
            ConfigSection {
                message: "envoy.admin.v3.ClustersConfigDump",
                bytes: ClustersConfigDump {
                    static_clusters: names.map(static_cluster).collect(),
                    ..Default::default()
                }
                .encode_to_vec(),
            },
            ConfigSection {
                message: "envoy.admin.v3.SecretsConfigDump",
                bytes: SecretsConfigDump::default().encode_to_vec(),
            },
        ]
    }

    fn runtime(&self) -> RuntimeView {
        RuntimeView {
            layers: vec!["base".into(), "adm".into()],
            entries: BTreeMap::from([
                ("b".to_owned(), vec!["<1>".to_owned(), String::new()]),
                ("a".to_owned(), vec![String::new(), "x".to_owned()]),
            ]),
        }
    }

    fn modify_runtime(&self, changes: &[(String, String)]) -> Result<(), String> {
        self.note(format!("modify {changes:?}"));
        match changes[0].0.as_str() {
            "refuse" => Err("No admin layer specified".into()),
            _ => Ok(()),
        }
    }

    fn memory(&self) -> MemoryView {
        MemoryView {
            allocated: 5,
            ..MemoryView::default()
        }
    }

    fn certificates(&self) -> Vec<u8> {
        Vec::new()
    }

    fn client_config(&self) -> Vec<u8> {
        // `client_scope`
        b"\x22\x01c".to_vec()
    }

    fn unready_targets(&self, mask: Option<&str>) -> Vec<UnreadyTargets> {
        let all = vec![UnreadyTargets {
            name: "init manager Server".into(),
            targets: vec!["target X".into()],
        }];
        if mask.is_some() { Vec::new() } else { all }
    }

    fn drain_listeners(&self, request: DrainRequest) {
        self.note(format!("{request:?}"));
    }

    fn fail_health_check(&self, fail: bool) {
        *self.state.borrow_mut() = match fail {
            true => ServerState::Draining,
            false => ServerState::Live,
        };
    }

    fn quit(&self) {
        self.note("quit");
    }

    fn reopen_logs(&self) {
        self.note("reopen_logs");
    }
}

pub fn fake() -> Rc<Fake> {
    let store = Store::default();
    let counter = store.root().counter("server.<b>");
    counter.add(3);
    Rc::new(Fake {
        options: Options::default(),
        store,
        counter,
        state: RefCell::new(ServerState::Live),
        asked: RefCell::default(),
    })
}
