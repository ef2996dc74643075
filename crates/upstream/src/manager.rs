//! A worker's clusters, by name. Main posts every change; nothing here is shared.

use crate::cluster::ClusterInfo;
use crate::lb::zone::LocalHosts;
use crate::local_cluster::LocalCluster;
use crate::priority::{HostsChange, PrioritySet};
use nuncio_stats::{Scope, SharedGauge};
use nuncio_worker::Worker;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// A cluster that this worker knows of; its local part is made when it is first used, so that ten
/// thousand clusters without traffic cost little.
struct Known {
    info: Arc<ClusterInfo>,
    hosts: Arc<PrioritySet>,
    local: Option<Rc<LocalCluster>>,
}

/// What one worker knows of all clusters: a worker service.
pub struct ClusterManager {
    worker: Rc<Worker>,
    clusters: RefCell<HashMap<Arc<str>, Known>>,
    generation: Cell<u64>,
    known: RefCell<Option<SharedGauge>>,
    /// The cluster that this proxy belongs to.
    own: RefCell<Option<(Arc<str>, Rc<LocalHosts>)>>,
}

impl ClusterManager {
    /// An empty manager; it becomes a service of `worker`.
    pub fn install(worker: &Rc<Worker>) -> Rc<Self> {
        let manager = Rc::new(Self {
            worker: Rc::clone(worker),
            clusters: RefCell::default(),
            generation: Cell::new(1),
            known: RefCell::default(),
            own: RefCell::default(),
        });
        worker.services().add(Rc::clone(&manager));
        manager
    }

    /// The worker's manager, installed on first use.
    pub fn of(worker: &Rc<Worker>) -> Rc<Self> {
        worker
            .services()
            .get()
            .unwrap_or_else(|| Self::install(worker))
    }

    /// The cluster of this name.
    pub fn get(&self, name: &str) -> Option<Rc<LocalCluster>> {
        let mut clusters = self.clusters.borrow_mut();
        let known = clusters.get_mut(name)?;
        let local = known.local.get_or_insert_with(|| {
            let (info, hosts) = (Arc::clone(&known.info), Arc::clone(&known.hosts));
            LocalCluster::new(&self.worker, info, hosts)
        });
        Some(Rc::clone(local))
    }

    /// The hosts of a cluster as last published.
    pub fn hosts(&self, name: &str) -> Option<Arc<PrioritySet>> {
        let clusters = self.clusters.borrow();
        Some(Arc::clone(&clusters.get(name)?.hosts))
    }

    /// Whether there is a cluster of this name; unlike [`get`](Self::get) it does not begin to
    /// be used by that.
    pub fn contains(&self, name: &str) -> bool {
        self.clusters.borrow().contains_key(name)
    }

    /// A number that changes whenever a cluster comes, goes or is replaced: what a [`get`] gave may
    /// be kept until then.
    ///
    /// [`get`]: Self::get
    pub fn generation(&self) -> u64 {
        self.generation.get()
    }

    /// Shows below `scope` how many clusters this worker knows (`WORKER.clusters_inflated`).
    pub fn count_in(&self, scope: &Scope) {
        let scope = scope.scope(&self.worker.id().name());
        *self.known.borrow_mut() = Some(scope.gauge("clusters_inflated"));
        self.count();
    }

    /// This proxy belongs to the cluster of this name; to be said before there are clusters.
    pub fn belongs_to(&self, name: &Arc<str>) {
        let hosts = self.worker.services().get_or_default::<LocalHosts>();
        *self.own.borrow_mut() = Some((Arc::clone(name), hosts));
    }

    fn note_own(&self, name: &str, hosts: &Arc<PrioritySet>) {
        if let Some((own, known)) = &*self.own.borrow()
            && **own == *name
        {
            known.set(hosts);
        }
    }

    fn count(&self) {
        if let Some(known) = &*self.known.borrow() {
            known.set(self.clusters.borrow().len() as u64);
        }
    }

    /// Adds a cluster, or replaces the one of this name; its connections are then drained.
    pub fn set(&self, info: Arc<ClusterInfo>, hosts: Arc<PrioritySet>) {
        self.note_own(&info.spec.name, &hosts);
        let known = Known {
            hosts,
            local: None,
            info,
        };
        let name = Arc::clone(&known.info.spec.name);
        let old = self.clusters.borrow_mut().insert(name, known);
        self.retire(old);
    }

    /// Replaces a cluster's hosts.
    pub fn update_hosts(&self, name: &str, hosts: Arc<PrioritySet>, change: &HostsChange) {
        self.note_own(name, &hosts);
        let local = match self.clusters.borrow_mut().get_mut(name) {
            Some(known) => {
                known.hosts = Arc::clone(&hosts);
                known.local.clone()
            }
            None => None,
        };
        if let Some(local) = local {
            local.update_hosts(hosts, change);
        }
    }

    /// A host of a cluster has become unhealthy: requests go over new connections from now on, as
    /// the way to the host may be what failed.
    pub fn host_failed(&self, name: &str, host: u64) {
        let clusters = self.clusters.borrow();
        let local = clusters.get(name).and_then(|known| known.local.clone());
        drop(clusters);
        if let Some(local) = local {
            local.host_failed(host);
        }
    }

    /// Removes a cluster; streams in flight end as they would have.
    pub fn remove(&self, name: &str) {
        let old = self.clusters.borrow_mut().remove(name);
        self.retire(old);
    }

    fn retire(&self, old: Option<Known>) {
        self.generation.set(self.generation.get() + 1);
        self.count();
        if let Some(local) = old.and_then(|known| known.local) {
            local.drain_connections();
        }
    }
}
