//! Checks the health of hosts for a control plane (HDS; Envoy's "Health Discovery Service"): it
//! says which hosts, and how, and is told what came of it again and again.

mod specifier;

use crate::cluster_manager::{ClusterManager, ClusterSource};
use crate::report_stream::{Reporter, keep_reporting};
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_base::time::wall;
use nuncio_config::bootstrap::Bootstrap;
use nuncio_extension::{InitTargets, ServerEnv};
use nuncio_grpc::{GrpcClient, GrpcStream};
use nuncio_proto::envoy::config::cluster::v3::Cluster as ClusterProto;
use nuncio_proto::envoy::config::core::v3::Node;
use nuncio_proto::envoy::service::health::v3::{
    Capability, HealthCheckRequest, HealthCheckRequestOrEndpointHealthResponse as Request,
    capability, health_check_request_or_endpoint_health_response::RequestType,
};
use nuncio_proto::{Message, Packed};
use nuncio_stats::stat_group;
use nuncio_worker::Worker;
use nuncio_worker::timer::sleep_until;
use specifier::{SHORTEST_INTERVAL, Specifier};
use std::collections::HashSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

const PATH: &str = "/envoy.service.health.v3.HealthDiscoveryService/StreamHealthCheck";

/// The bounds of how long to wait before the stream is opened again, in milliseconds.
const FIRST_RETRY: u64 = 1000;
const LAST_RETRY: u64 = 30_000;

stat_group! {
    /// `hds_delegate.`: the control plane requests, reports are the responses; errors are requests
    /// that are refused, streams that ended, and reports that had to wait.
    struct HdsStats {
        counters { errors, requests, responses, updates }
    }
}

/// Begins, where that is configured, for as long as the process runs.
pub fn start(env: &Rc<ServerEnv>, parsed: &Bootstrap) {
    let (Some(service), Some(worker)) = (&parsed.hds, env.main()) else {
        return;
    };
    let root = env.store.root();
    let delegate = HealthDiscovery {
        env: Rc::clone(env),
        worker: Rc::clone(worker),
        node: parsed.full_node.clone(),
        stats: root.scope("hds_delegate").group::<HdsStats>().local(),
        clusters: ClusterManager::unseen(worker, Vec::new(), &root),
        specifier: Specifier::default(),
        due: None,
        failures: 0,
    };
    let client = GrpcClient::new(worker, service);
    worker.spawn(delegate.run(client));
}

struct HealthDiscovery {
    env: Rc<ServerEnv>,
    worker: Rc<Worker>,
    node: Node,
    stats: HdsStats,
    /// Those that are checked. No request is sent to them.
    clusters: Rc<ClusterManager>,
    /// What was asked for last.
    specifier: Specifier,
    /// When the next report is due.
    due: Option<Instant>,
    failures: u32,
}

impl Reporter for HealthDiscovery {
    const STREAM: &str = "StreamHealthCheck gRPC config stream";

    fn due(&self) -> Option<Instant> {
        self.due
    }

    fn report(&mut self, stream: &mut GrpcStream) {
        let report = self.specifier.report(|name| self.clusters.current(name));
        self.send(stream, RequestType::EndpointHealthResponse(report));
        self.wait();
    }

    fn hold(&mut self) {
        self.stats.errors().inc();
        self.wait();
    }

    fn on_message(&mut self, message: &[u8]) {
        self.stats.requests().inc();
        self.failures = 0;
        match self.specifier.read(&self.env, message) {
            Ok(Some((specifier, configs))) => {
                let before = std::mem::replace(&mut self.specifier, specifier);
                self.apply(configs);
                self.stats.updates().inc();
                // Who asks often does not put the reports off.
                if self.due.is_none() || before.interval != self.specifier.interval {
                    self.wait();
                }
            }
            Ok(None) => {}
            Err(reason) => {
                self.stats.errors().inc();
                log!(
                    logger::UPSTREAM,
                    Level::Warning,
                    "Unable to validate health check specifier: {reason}"
                );
            }
        }
    }
}

impl HealthDiscovery {
    async fn run(mut self, client: GrpcClient) {
        let worker = Rc::clone(&self.worker);
        loop {
            let mut stream = client.open(PATH);
            self.due = None;
            let hello = RequestType::HealthCheckRequest(self.hello());
            self.send(&mut stream, hello);
            keep_reporting(&mut self, &worker, stream).await;
            self.stats.errors().inc();
            self.specifier.forget();
            let bound = (FIRST_RETRY << self.failures.min(5)).min(LAST_RETRY);
            self.failures += 1;
            let wait = worker.with_random(|random| random.below(bound).max(1));
            log!(
                logger::UPSTREAM,
                Level::Warning,
                "HdsDelegate stream/connection failure, will retry in {wait} ms."
            );
            sleep_until(&worker, worker.now() + Duration::from_millis(wait)).await;
        }
    }

    /// Who asks, and what can be checked here.
    fn hello(&self) -> HealthCheckRequest {
        use capability::Protocol::{Http, Tcp};
        HealthCheckRequest {
            node: Some(self.node.clone()),
            capability: Some(Capability {
                health_check_protocols: vec![Http.into(), Tcp.into()],
            }),
        }
    }

    /// Checks these clusters from now on, and no others.
    fn apply(&self, configs: Vec<specifier::Checked>) {
        let names: HashSet<_> = configs
            .iter()
            .map(|checked| checked.config.spec.name.to_string())
            .collect();
        for gone in self.clusters.dynamic_names() {
            if !names.contains(&gone) {
                self.clusters.remove(&gone);
            }
        }
        for checked in configs {
            let source = ClusterSource {
                config: Packed::new::<ClusterProto>(checked.proto),
                version_info: Some(String::new()),
                last_updated: wall(),
            };
            let targets = InitTargets::default();
            self.clusters.set(checked.config, source, targets);
        }
    }

    fn wait(&mut self) {
        let interval = self.specifier.interval.max(SHORTEST_INTERVAL);
        self.due = Some(self.worker.now() + interval);
    }

    fn send(&self, stream: &mut GrpcStream, message: RequestType) {
        let request = Request {
            request_type: Some(message),
        };
        stream.send(&request.encode_to_vec());
        self.stats.responses().inc();
    }
}
