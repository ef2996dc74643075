//! One cluster on one worker: its hosts as last published, its balancer, its pools.

mod codes;
mod streams;

use self::codes::Codes;
use crate::cluster::{ClusterInfo, ClusterSpec};
use crate::host::Host;
use crate::lb::ahead::Ahead;
use crate::lb::{Choice, LbCx, LbRequest, LoadBalancer};
use crate::override_host::HostsByAddress;
use crate::pool::Pools;
use crate::priority::{HostsChange, PrioritySet};
use crate::resource::{LocalResources, Priority, Resource, RetryPermit};
use crate::stats::{ClusterLbStats, ClusterTrafficStats};
use crate::tracked::TrackedRequests;
use crate::transport::LocalSockets;
use nuncio_base::random::Random;
use nuncio_codec::h1::H1Stats;
use nuncio_codec::h2::{H2Local, H2Stats};
use nuncio_net::SocketWants;
use nuncio_stream_info::ChosenCluster;
use nuncio_worker::Worker;
use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

/// What pools and streams need of a cluster on this worker; it outlives the cluster's removal.
pub(crate) struct ClusterCore {
    pub worker: Rc<Worker>,
    pub info: Arc<ClusterInfo>,
    pub stats: ClusterTrafficStats,
    http1_stats: OnceCell<H1Stats>,
    http2: OnceCell<Rc<H2Local>>,
    pub sockets: LocalSockets,
    /// What the sockets want to know.
    wants: SocketWants,
    /// Whether connections depend on more than the host: on what sockets, or rules about names,
    /// want to know, or on the client's connection; or a stream has more than its own made.
    asks: bool,
    resources: [LocalResources; 2],
}

impl ClusterCore {
    pub fn spec(&self) -> &ClusterSpec {
        &self.info.spec
    }

    /// The codec's stats: there, as in Envoy, from the first connection on.
    pub fn http1_stats(&self) -> &H1Stats {
        let scope = &self.info.scope;
        let make = || scope.scope("http1").group::<H1Stats>().local();
        self.http1_stats.get_or_init(make)
    }

    /// What the HTTP/2 codecs of this worker share; their stats are there from the first
    /// connection on.
    pub fn http2_local(&self) -> &Rc<H2Local> {
        let make = || {
            Rc::new(H2Local {
                settings: Arc::clone(&self.spec().http.http2),
                stats: self.info.scope.scope("http2").group::<H2Stats>().local(),
            })
        };
        self.http2.get_or_init(make)
    }

    pub fn try_take(&self, priority: Priority, resource: Resource) -> bool {
        self.resources[priority as usize].try_take(self.info.resources(priority), resource)
    }

    pub fn take(&self, priority: Priority, resource: Resource) {
        self.resources[priority as usize].take(self.info.resources(priority), resource);
    }

    pub fn give(&self, priority: Priority, resource: Resource) {
        self.resources[priority as usize].give(self.info.resources(priority), resource);
    }
}

/// A worker's view of a cluster. Streams hold it by `Rc` for as long as they need it; a cluster
/// that is removed or replaced meanwhile closes its connections as they become idle.
pub struct LocalCluster {
    core: Rc<ClusterCore>,
    hosts: RefCell<Arc<PrioritySet>>,
    balancer: RefCell<Box<dyn LoadBalancer>>,
    lb_stats: ClusterLbStats,
    tracked: Option<Box<TrackedRequests>>,
    by_address: RefCell<HostsByAddress>,
    codes: Codes,
    pools: RefCell<Pools>,
    /// What streams are told of it.
    chosen: OnceCell<Rc<ChosenCluster>>,
}

impl LocalCluster {
    pub(crate) fn new(
        worker: &Rc<Worker>,
        info: Arc<ClusterInfo>,
        hosts: Arc<PrioritySet>,
    ) -> Rc<Self> {
        let wants = info.spec.transport_sockets.wants();
        let core = Rc::new(ClusterCore {
            worker: Rc::clone(worker),
            stats: info.traffic_stats.local(),
            http1_stats: OnceCell::new(),
            http2: OnceCell::new(),
            sockets: info.spec.transport_sockets.localize(worker),
            wants,
            asks: wants.any()
                || info.spec.http.peer_names.is_some()
                || info.spec.pool_per_downstream_connection
                || info.spec.predictive_preconnect().is_some(),
            resources: Priority::ALL.map(|priority| LocalResources::new(info.resources(priority))),
            info,
        });
        let mut balancer = core.spec().lb.localize(worker);
        if core.spec().predictive_preconnect().is_some() {
            balancer = Box::new(Ahead::new(balancer));
        }
        Rc::new(Self {
            hosts: RefCell::new(hosts),
            balancer: RefCell::new(balancer),
            lb_stats: core.info.lb_stats.local(),
            tracked: TrackedRequests::of(&core.info),
            by_address: RefCell::default(),
            codes: Codes::new(&core.info),
            pools: RefCell::default(),
            chosen: OnceCell::new(),
            core,
        })
    }

    /// What a stream for which it is chosen knows of it.
    pub fn chosen(&self) -> &Rc<ChosenCluster> {
        self.chosen.get_or_init(|| {
            let spec = self.spec();
            Rc::new(ChosenCluster {
                name: Arc::clone(&spec.name),
                observability_name: Arc::clone(&spec.observability_name),
                metadata: spec.metadata.clone(),
            })
        })
    }

    /// The cluster's name.
    pub fn name(&self) -> &Arc<str> {
        &self.spec().name
    }

    /// The worker.
    pub fn worker(&self) -> &Rc<Worker> {
        &self.core.worker
    }

    /// The configuration.
    pub fn spec(&self) -> &ClusterSpec {
        self.core.spec()
    }

    /// What all threads share.
    pub fn info(&self) -> &Arc<ClusterInfo> {
        &self.core.info
    }

    /// What pools and routers count.
    pub fn stats(&self) -> &ClusterTrafficStats {
        &self.core.stats
    }

    /// What is recorded of each attempt besides; most clusters track nothing.
    pub fn tracked(&self) -> Option<&TrackedRequests> {
        self.tracked.as_deref()
    }

    /// The hosts as last published.
    pub fn hosts(&self) -> Arc<PrioritySet> {
        Arc::clone(&self.hosts.borrow())
    }

    /// Chooses a host for a request or connection; where there is none, that is counted
    /// (`upstream_cx_none_healthy`).
    pub fn choose(&self, request: &dyn LbRequest) -> Choice {
        self.prepare();
        let worker = &self.core.worker;
        let choice = worker.with_random(|random| self.choose_for(request, random));
        if matches!(choice, Choice::NoHost) {
            self.stats().upstream_cx_none_healthy().inc();
        }
        choice
    }

    /// Lets the balancer find the clusters that it chooses from.
    pub(crate) fn prepare(&self) {
        if let Ok(mut balancer) = self.balancer.try_borrow_mut() {
            balancer.prepare();
        }
    }

    /// As [`choose`](Self::choose), for a cluster that this one is part of; nothing is counted.
    pub(crate) fn choose_for(&self, request: &dyn LbRequest, random: &mut Random) -> Choice {
        let mut cx = LbCx {
            random,
            stats: &self.lb_stats,
            active_requests: &|| self.core.info.active_requests(),
        };
        let hosts = self.hosts.borrow();
        // A cluster that is part of itself has no host.
        match self.balancer.try_borrow_mut() {
            Ok(mut balancer) => balancer.choose(&hosts, request, &mut cx),
            Err(_) => Choice::NoHost,
        }
    }

    /// The host at this address, of all that the balancer may choose.
    pub(crate) fn find_host(&self, address: &str) -> Option<Arc<Host>> {
        let (balancer, own) = (self.balancer.borrow(), self.hosts.borrow());
        let hosts = balancer.hosts().unwrap_or(&own);
        self.by_address.borrow_mut().find(hosts, address)
    }

    /// The cluster whose connections lead to a host, where it is another.
    fn owner(&self, host: &Host) -> Option<Rc<Self>> {
        self.balancer.borrow().owner(host).cloned()
    }

    /// A number that changes with the hosts.
    pub(crate) fn hosts_version(&self) -> u64 {
        self.hosts.borrow().version()
    }

    /// The right to one more retry in flight, unless the circuit breaker is open; the router
    /// counts that (`upstream_rq_retry_overflow`).
    pub fn try_retry(&self, priority: Priority) -> Option<RetryPermit> {
        RetryPermit::try_new(&self.core, priority)
    }

    pub(crate) fn update_hosts(&self, hosts: Arc<PrioritySet>, change: &HostsChange) {
        *self.hosts.borrow_mut() = hosts;
        let close_all = self.spec().common_lb.close_connections_on_host_set_change;
        let mut pools = self.pools.borrow_mut();
        if close_all && !(change.added.is_empty() && change.removed.is_empty()) {
            pools.drain_all();
        } else {
            for host in &change.removed {
                pools.drain(host.id());
            }
        }
    }

    /// A host has become unhealthy: requests go over new connections from now on, as the way to the
    /// host may be what failed.
    pub(crate) fn host_failed(&self, host: u64) {
        let mut pools = self.pools.borrow_mut();
        if self.spec().close_connections_on_host_health_failure {
            pools.close_tcp(host);
        }
        pools.drain(host);
    }

    /// Closes a host's idle connections, and those in use when they become idle.
    pub(crate) fn drain_host(&self, host: u64) {
        self.pools.borrow_mut().drain(host);
    }

    /// Closes idle connections, and those in use when they become idle (`/drain_listeners` and
    /// removal of the cluster).
    pub fn drain_connections(&self) {
        self.pools.borrow_mut().drain_all();
    }
}

impl Drop for LocalCluster {
    fn drop(&mut self) {
        self.pools.get_mut().drain_all();
    }
}
