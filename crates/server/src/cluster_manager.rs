//! The clusters, on main: takes updates, lets clusters warm, tells the workers (Envoy's
//! "Cluster manager" and "Cluster warming").
//!
//! The static configuration is only the first update. A cluster that changes is made anew beside
//! the one it replaces, and takes its place once its hosts are known; streams in flight keep the
//! old one.

mod cluster;
mod local_cluster;
mod observer;
mod runtime;
mod static_update;
mod update_merge;

pub use cluster::{Cluster, ClusterSource};

use crate::outlier_log::OutlierLog;
use nuncio_base::runtime_flags::RuntimeFlags;
use nuncio_extension::InitTargets;
use nuncio_stats::{Scope, Store, stat_group};
use nuncio_upstream::cluster::ClusterInfo;
use nuncio_upstream::discovery::{ClusterConfig, Members, Threads};
use nuncio_upstream::priority::{HostsChange, PrioritySet};
use nuncio_worker::timer::sleep_until;
use nuncio_worker::{Worker, WorkerHandle};
use observer::Observer;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use update_merge::{Admission, UpdateMerge};

stat_group! {
    /// `cluster_manager.`
    struct ManagerStats {
        counters {
            cluster_added,
            cluster_modified,
            cluster_removed,
            cluster_updated,
            cluster_updated_via_merge,
            update_merge_cancelled,
            update_out_of_merge_window,
        }
        gauges { active_clusters, warming_clusters }
    }
}

/// All clusters.
pub struct ClusterManager {
    worker: Rc<Worker>,
    workers: Vec<WorkerHandle>,
    root: Scope,
    stats: ManagerStats,
    active: RefCell<BTreeMap<Arc<str>, Rc<Cluster>>>,
    warming: RefCell<BTreeMap<Arc<str>, Rc<Cluster>>>,
    last_number: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
    outlier_log: OnceCell<OutlierLog>,
    /// The cluster that this proxy belongs to.
    own: OnceCell<Arc<str>>,
    /// The runtime flags, where they say something of clusters.
    flags: RefCell<Option<RuntimeFlags>>,
}

impl ClusterManager {
    /// No clusters yet. `worker` is main, `workers` are the others; `root` is the scope without
    /// prefix.
    pub fn new(worker: &Rc<Worker>, workers: Vec<WorkerHandle>, root: &Scope) -> Rc<Self> {
        worker
            .services()
            .add(Rc::new(Threads(workers.len() as u64 + 1)));
        let stats = root.scope("cluster_manager");
        let manager = Self::with_stats(worker, workers, root, &stats);
        let scope = root.scope("thread_local_cluster_manager");
        manager.tell(move |clusters| clusters.count_in(&scope));
        manager
    }

    /// Other clusters, beside those that are configured: their own stats are below `root`, what the
    /// manager counts is not shown.
    pub fn unseen(worker: &Rc<Worker>, workers: Vec<WorkerHandle>, root: &Scope) -> Rc<Self> {
        Self::with_stats(worker, workers, root, &Store::default().root())
    }

    fn with_stats(
        worker: &Rc<Worker>,
        workers: Vec<WorkerHandle>,
        root: &Scope,
        stats: &Scope,
    ) -> Rc<Self> {
        let stats = stats.group::<ManagerStats>().local();
        stats.active_clusters().set(0);
        Rc::new(Self {
            worker: Rc::clone(worker),
            workers,
            root: root.clone(),
            stats,
            active: RefCell::default(),
            warming: RefCell::default(),
            last_number: Cell::new(0),
            waiting: RefCell::default(),
            outlier_log: OnceCell::new(),
            own: OnceCell::new(),
            flags: RefCell::default(),
        })
    }

    /// Has ejections logged; the first log counts.
    pub fn log_outliers(&self, log: OutlierLog) {
        self.outlier_log.get_or_init(|| log);
    }

    /// Adds a cluster, or changes the one of this name; nothing happens where the configuration is
    /// the same. The change is seen once the cluster has warmed: its hosts and `targets` are there.
    pub fn set(
        self: &Rc<Self>,
        config: ClusterConfig,
        source: ClusterSource,
        targets: InitTargets,
    ) {
        if !self.stays(&config.spec.name, source.config.body()) {
            self.set_static(config, source, targets);
        }
    }

    /// As [`set`](Self::set), and takes the place of a static cluster too.
    pub fn set_static(
        self: &Rc<Self>,
        config: ClusterConfig,
        source: ClusterSource,
        targets: InitTargets,
    ) {
        let name = Arc::clone(&config.spec.name);
        let known = self.newest(&name);
        self.count_set(known.is_some());
        let number = self.last_number.get() + 1;
        self.last_number.set(number);
        let info = ClusterInfo::new(config.spec, &self.root);
        let observer = Box::new(Observer {
            manager: Rc::downgrade(self),
            name: Arc::clone(&name),
            number,
        });
        let stats = known
            .filter(|known| known.info.spec.observability_name == info.spec.observability_name)
            .map(|known| known.members.stats().clone());
        let members = Members::new(&self.worker, &info, stats, observer);
        members.stats().warming_state().set(1);
        let cluster = Rc::new(Cluster {
            number,
            info,
            discovery: config.discovery,
            members,
            merge: UpdateMerge::default(),
            source,
            targets,
            resources: OnceCell::new(),
        });
        self.apply_runtime_to(&cluster);
        self.warming.borrow_mut().insert(name, Rc::clone(&cluster));
        self.count();
        cluster.targets.initialize();
        cluster.discovery.start(&cluster.members);
    }

    /// Whether an update with this configuration would change nothing. A static cluster stays as
    /// it is, whatever a control plane says.
    pub fn stays(&self, name: &str, config: &[u8]) -> bool {
        self.newest(name).is_some_and(|known| {
            known.source.version_info.is_none() || known.source.config.body() == config
        })
    }

    /// Counts a cluster that is refused, as Envoy does: it adds or changes first and looks then.
    pub fn count_refused(&self, name: &str) {
        self.count_set(self.newest(name).is_some());
    }

    fn count_set(&self, is_known: bool) {
        if is_known {
            self.stats.cluster_modified().inc();
        } else {
            self.stats.cluster_added().inc();
        }
    }

    /// The names of all clusters that came from a control plane.
    pub fn dynamic_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for clusters in [&self.active, &self.warming] {
            let clusters = clusters.borrow();
            let all = clusters.iter();
            let dynamic = all.filter(|(_, cluster)| cluster.source.version_info.is_some());
            names.extend(dynamic.map(|(name, _)| name.to_string()));
        }
        names.sort();
        names.dedup();
        names
    }

    /// Removes a cluster, unless it is static; whether there was one.
    pub fn remove(&self, name: &str) -> bool {
        let newest = self.newest(name);
        let is_static = newest.is_some_and(|known| known.source.version_info.is_none());
        !is_static && self.remove_any(name)
    }

    fn remove_any(&self, name: &str) -> bool {
        let warming = self.warming.borrow_mut().remove(name).is_some();
        let active = self.active.borrow_mut().remove(name).is_some();
        if active {
            let name: Arc<str> = name.into();
            self.tell(move |clusters| clusters.remove(&name));
        }
        if active || warming {
            self.stats.cluster_removed().inc();
            self.count();
            self.wake_waiting();
        }
        active || warming
    }

    /// Resolves once no cluster is warming: listeners start then.
    pub async fn warmed(&self) {
        self.until(|| self.warming.borrow().is_empty()).await;
    }

    /// Resolves once that is so, which is asked whenever a cluster is no longer warming.
    async fn until(&self, is_so: impl Fn() -> bool) {
        std::future::poll_fn(|task| {
            if is_so() {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push(task.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// The clusters in use, by name.
    pub fn active(&self) -> Vec<Rc<Cluster>> {
        self.active.borrow().values().cloned().collect()
    }

    /// The clusters that wait for their hosts, by name.
    pub fn warming(&self) -> Vec<Rc<Cluster>> {
        self.warming.borrow().values().cloned().collect()
    }

    /// The cluster of this name that is used; the one that waits for its hosts where there is none.
    pub fn current(&self, name: &str) -> Option<Rc<Cluster>> {
        let active = self.active.borrow().get(name).cloned();
        active.or_else(|| self.warming.borrow().get(name).cloned())
    }

    fn newest(&self, name: &str) -> Option<Rc<Cluster>> {
        let warming = self.warming.borrow().get(name).cloned();
        warming.or_else(|| self.active.borrow().get(name).cloned())
    }

    /// Runs `change` on every worker, main among them.
    fn tell(&self, change: impl Fn(&nuncio_upstream::ClusterManager) + Clone + Send + 'static) {
        for worker in &self.workers {
            let change = change.clone();
            worker.post(move |worker| change(&nuncio_upstream::ClusterManager::of(worker)));
        }
        change(&nuncio_upstream::ClusterManager::of(&self.worker));
    }

    fn count(&self) {
        let gauge = |clusters: &RefCell<BTreeMap<_, _>>| clusters.borrow().len() as u64;
        self.stats.active_clusters().set(gauge(&self.active));
        self.stats.warming_clusters().set(gauge(&self.warming));
    }

    /// A cluster has its hosts: it is used once it has what else it needs.
    fn has_hosts(self: &Rc<Self>, name: &Arc<str>, number: u64) {
        let cluster = self.warming.borrow().get(name).cloned();
        let Some(cluster) = cluster.filter(|cluster| cluster.number == number) else {
            return;
        };
        if cluster.targets.are_ready() {
            return self.activate(name, number);
        }
        let (this, name) = (Rc::clone(self), Arc::clone(name));
        self.worker.spawn(async move {
            cluster.targets.wait().await;
            this.activate(&name, number);
        });
    }

    /// A cluster has warmed, unless it was replaced or removed meanwhile.
    fn activate(&self, name: &Arc<str>, number: u64) {
        let mut warming = self.warming.borrow_mut();
        if warming
            .get(name)
            .is_none_or(|cluster| cluster.number != number)
        {
            return;
        }
        let Some(cluster) = warming.remove(name) else {
            return;
        };
        drop(warming);
        cluster.members.stats().warming_state().set(0);
        let (info, hosts) = (Arc::clone(&cluster.info), cluster.hosts());
        let old = self.active.borrow_mut().insert(Arc::clone(name), cluster);
        self.tell(move |clusters| clusters.set(Arc::clone(&info), Arc::clone(&hosts)));
        self.count_zones(name);
        drop(old);
        self.count();
        self.wake_waiting();
    }

    fn wake_waiting(&self) {
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    /// The cluster of this name, unless it is another than this number's by now.
    fn active_one(&self, name: &Arc<str>, number: u64) -> Option<Rc<Cluster>> {
        let cluster = self.active.borrow().get(name).cloned();
        cluster.filter(|cluster| cluster.number == number)
    }

    /// The hosts of a cluster changed.
    fn update(
        self: &Rc<Self>,
        name: &Arc<str>,
        number: u64,
        hosts: &Arc<PrioritySet>,
        change: HostsChange,
    ) {
        let Some(cluster) = self.active_one(name, number) else {
            return;
        };
        let mergeable = change.added.is_empty() && change.removed.is_empty();
        let window = cluster.info.spec.common_lb.update_merge_window;
        if !window.is_zero() {
            match cluster.merge.admit(self.worker.now(), mergeable, window) {
                Admission::Now { late, cancelled } => {
                    if late {
                        self.stats.update_out_of_merge_window().inc();
                    }
                    if cancelled {
                        self.stats.update_merge_cancelled().inc();
                    }
                }
                Admission::Waits => return,
                Admission::Begins(at, ticket) => {
                    let (manager, name) = (Rc::downgrade(self), Arc::clone(name));
                    let worker = Rc::clone(&self.worker);
                    return self.worker.spawn(async move {
                        sleep_until(&worker, at).await;
                        if let Some(manager) = manager.upgrade() {
                            manager.update_merged(&name, number, ticket);
                        }
                    });
                }
            }
        }
        self.stats.cluster_updated().inc();
        self.publish(name, hosts, change);
    }

    /// What was gathered over a merge window.
    fn update_merged(&self, name: &Arc<str>, number: u64, ticket: u64) {
        let Some(cluster) = self.active_one(name, number) else {
            return;
        };
        if cluster.merge.take(self.worker.now(), ticket) {
            self.stats.cluster_updated_via_merge().inc();
            self.publish(name, &cluster.hosts(), HostsChange::default());
        }
    }

    fn publish(&self, name: &Arc<str>, hosts: &Arc<PrioritySet>, change: HostsChange) {
        let (name, hosts, change) = (Arc::clone(name), Arc::clone(hosts), Arc::new(change));
        self.count_zones(&name);
        self.tell(move |clusters| clusters.update_hosts(&name, Arc::clone(&hosts), &change));
    }

    /// A host is of no more use.
    fn host_failed(&self, name: &Arc<str>, number: u64, host: u64) {
        if self.active_one(name, number).is_some() {
            let name = Arc::clone(name);
            self.tell(move |clusters| clusters.host_failed(&name, host));
        }
    }
}

#[cfg(test)]
mod tests;
