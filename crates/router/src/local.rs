//! The router's configuration, and its part of one worker.

use crate::client_stats::ClientStats;
use crate::counts::RouteCounts;
use crate::router::Router;
use crate::upstream_filters::UpstreamChains;
use crate::upstream_log::UpstreamLogSettings;
use nuncio_http::cluster_directory::ClusterDirectory;
use nuncio_http::conn_manager::RouterStats;
use nuncio_http::factory::{ChainSpec, HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::filter::Hooks;
use nuncio_observe::AccessLog;
use nuncio_route::mutation::Scratch;
use nuncio_stats::Group;
use nuncio_stream_info::StreamInfo;
use nuncio_upstream::{ClusterManager, LocalCluster};
use nuncio_worker::Worker;
use nuncio_worker::local_slot::LocalSlot;
use std::cell::OnceCell;
use std::net::{Ipv4Addr, UdpSocket};
use std::rc::Rc;
use std::time::Duration;

/// The router's configuration (`envoy.extensions.filters.http.router.v3.Router`).
pub struct RouterSpec {
    /// The stats it counts in: its connection manager's.
    pub stats: Group<RouterStats>,
    /// The stats of requests that begin in this proxy: `http.async-client.*`.
    pub client_stats: Group<RouterStats>,
    /// Whether responses are counted by their codes, and timed.
    pub dynamic_stats: bool,
    /// Whether it leaves out the `x-envoy-*` headers it would add.
    pub suppress_envoy_headers: bool,
    /// Whether gRPC requests' HTTP codes are left out of cluster stats.
    pub suppress_grpc_request_failure_code_stats: bool,
    /// `x-envoy-*` request headers that are checked strictly, in lower case.
    pub strict_check_headers: Vec<String>,
    /// Whether `x-envoy-expected-rq-timeout-ms` of the request is obeyed.
    pub respect_expected_rq_timeout: bool,
    /// The logs of attempts.
    pub upstream_logs: UpstreamLogSettings,
    /// The filters between it and hosts of clusters that have none of their own.
    pub upstream_filters: ChainSpec,
}

impl HttpFilterSpec for RouterSpec {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        let clusters = ClusterManager::of(worker);
        let known = Rc::clone(&clusters);
        let directory: Rc<ClusterDirectory> = worker.services().get_or_default();
        directory.fill(move |name, info| {
            if let Some(cluster) = known.get(name) {
                describe_cluster(&cluster, info);
            }
        });
        let client_stats: Rc<ClientStats> = worker.services().get_or_default();
        client_stats.fill(&self.client_stats);
        let logs = self.upstream_logs.logs.iter();
        Rc::new(Local(Rc::new(RouterLocal {
            stats: self.stats.local(),
            client_stats,
            clusters,
            dynamic_stats: self.dynamic_stats,
            suppress_envoy_headers: self.suppress_envoy_headers,
            suppress_grpc_codes: self.suppress_grpc_request_failure_code_stats,
            strict_check_headers: self.strict_check_headers.clone(),
            respect_expected_timeout: self.respect_expected_rq_timeout,
            scratch: LocalSlot::default(),
            counts: LocalSlot::default(),
            upstream_logs: logs.map(|log| log.localize(worker)).collect(),
            upstream_chains: UpstreamChains::new(&self.upstream_filters, worker),
            upstream_log_interval: self.upstream_logs.interval,
            log_upstream_streams: self.upstream_logs.on_upstream_stream,
            own_ip: OnceCell::new(),
        })))
    }
}

/// Writes to a stream's facts which cluster it goes to.
pub(crate) fn describe_cluster(cluster: &LocalCluster, info: &mut StreamInfo) {
    info.upstream_mut().cluster = Some(Rc::clone(cluster.chosen()));
}

/// The router on one worker.
pub struct RouterLocal {
    pub(crate) stats: RouterStats,
    pub(crate) client_stats: Rc<ClientStats>,
    pub(crate) clusters: Rc<ClusterManager>,
    pub(crate) dynamic_stats: bool,
    pub(crate) suppress_envoy_headers: bool,
    pub(crate) suppress_grpc_codes: bool,
    pub(crate) strict_check_headers: Vec<String>,
    pub(crate) respect_expected_timeout: bool,
    pub(crate) scratch: LocalSlot<Scratch>,
    pub(crate) counts: LocalSlot<RouteCounts>,
    pub(crate) upstream_logs: Vec<AccessLog>,
    pub(crate) upstream_chains: UpstreamChains,
    pub(crate) upstream_log_interval: Option<Duration>,
    pub(crate) log_upstream_streams: bool,
    own_ip: OnceCell<String>,
}

impl RouterLocal {
    /// The address of this machine that requests of this proxy's own come from.
    pub(crate) fn own_ip(&self) -> &str {
        self.own_ip.get_or_init(|| {
            // Nothing is sent: the kernel says which address it would be sent from.
            let any = (Ipv4Addr::UNSPECIFIED, 0);
            let elsewhere = (Ipv4Addr::new(192, 0, 2, 1), 9);
            let address = UdpSocket::bind(any).and_then(|socket| {
                socket.connect(elsewhere)?;
                socket.local_addr()
            });
            let ip = address.map_or(Ipv4Addr::LOCALHOST.into(), |address| address.ip());
            ip.to_string()
        })
    }
}

impl HttpFilterFactory for RouterLocal {
    type Filter = Router;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST
            .and(Hooks::POLL)
            .and(Hooks::COMPLETE)
            .and(Hooks::LOCAL_REPLY)
    }

    fn create(self: &Rc<Self>) -> Router {
        Router::new(Rc::clone(self))
    }
}
