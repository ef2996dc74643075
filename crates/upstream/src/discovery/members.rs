//! The hosts of one cluster on main: the truth of which workers see snapshots.

use super::LoadAssignment;
use crate::cluster::ClusterInfo;
use crate::host::{Host, Locality};
use crate::host_set::{HostSet, Hosts, Provisioning};
use crate::priority::{HostsChange, PrioritySet};
use crate::stats::ClusterUpdateStats;
use nuncio_worker::Worker;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

/// The runtime flag that overrides `healthy_panic_threshold`, in percent.
const PANIC_THRESHOLD: &str = "upstream.healthy_panic_threshold";

/// Told of every change of a cluster's hosts.
pub trait MembersObserver {
    /// The hosts are now `hosts`; `change` says what is new and what is gone.
    fn on_change(&self, hosts: &Arc<PrioritySet>, change: HostsChange);
    /// The cluster can be used.
    fn on_ready(&self);
}

/// A cluster's hosts by priority. Discovery fills them, health checks set flags on them.
pub struct Members {
    worker: Rc<Worker>,
    info: Arc<ClusterInfo>,
    stats: ClusterUpdateStats,
    observer: Box<dyn MembersObserver>,
    is_ready: Cell<bool>,
    state: RefCell<State>,
}

struct State {
    hosts: BTreeMap<u32, Hosts>,
    weights: BTreeMap<u32, BTreeMap<Arc<Locality>, u32>>,
    provisioning: Provisioning,
    current: Arc<PrioritySet>,
}

impl Members {
    /// A cluster without hosts. One that replaces another of the same name in stats is given the
    /// other's `stats`, so that what the one sets the other does not add to.
    pub fn new(
        worker: &Rc<Worker>,
        info: &Arc<ClusterInfo>,
        stats: Option<ClusterUpdateStats>,
        observer: Box<dyn MembersObserver>,
    ) -> Rc<Self> {
        let none = PrioritySet::new(Vec::new(), info.spec.common_lb.healthy_panic_threshold);
        Rc::new(Self {
            worker: Rc::clone(worker),
            stats: stats.unwrap_or_else(|| info.update_stats.local()),
            info: Arc::clone(info),
            observer,
            is_ready: Cell::new(false),
            state: RefCell::new(State {
                hosts: BTreeMap::new(),
                weights: BTreeMap::new(),
                provisioning: Provisioning::default(),
                current: Arc::new(none),
            }),
        })
    }

    /// The main worker.
    pub fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    /// What all threads share of the cluster.
    pub fn info(&self) -> &Arc<ClusterInfo> {
        &self.info
    }

    /// Counts the transport socket that a new host has.
    pub fn count_socket_match(&self, host: &Host) {
        if !self.info.count_socket_match(host) {
            self.stats.total_match_count().inc();
        }
    }

    /// What discovery counts.
    pub fn stats(&self) -> &ClusterUpdateStats {
        &self.stats
    }

    /// The hosts as last published.
    pub fn current(&self) -> Arc<PrioritySet> {
        Arc::clone(&self.state.borrow().current)
    }

    /// Takes over how the hosts of `assignment` are weighed; seen with the next change.
    pub fn configure(&self, assignment: &LoadAssignment) {
        let mut state = self.state.borrow_mut();
        state.provisioning = assignment.provisioning;
        state.weights.clone_from(&assignment.locality_weights);
    }

    /// Replaces the hosts of all priorities.
    pub fn set(&self, hosts: BTreeMap<u32, Vec<Arc<Host>>>) {
        let mut state = self.state.borrow_mut();
        let hosts: BTreeMap<u32, Hosts> = hosts
            .into_iter()
            .map(|(priority, hosts)| (priority, hosts.into()))
            .collect();
        let change = self.difference(&state.hosts, &hosts);
        state.hosts = hosts;
        self.publish(state, change);
    }

    /// Health flags or weights of hosts have changed.
    pub fn refresh(&self) {
        self.publish(self.state.borrow_mut(), HostsChange::default());
    }

    /// The cluster can be used: its hosts were found, or looking for them failed.
    pub fn ready(&self) {
        if !self.is_ready.replace(true) {
            self.observer.on_ready();
        }
    }

    /// What came and what went; each priority with a difference is a change of membership.
    fn difference(&self, old: &BTreeMap<u32, Hosts>, new: &BTreeMap<u32, Hosts>) -> HostsChange {
        let mut change = HostsChange::default();
        let none: Hosts = [].into();
        let priorities = old.keys().chain(new.keys());
        for priority in priorities
            .copied()
            .collect::<std::collections::BTreeSet<_>>()
        {
            let old = old.get(&priority).unwrap_or(&none);
            let new = new.get(&priority).unwrap_or(&none);
            let ids = |hosts: &Hosts| hosts.iter().map(|host| host.id()).collect::<HashSet<_>>();
            let (old_ids, new_ids) = (ids(old), ids(new));
            let added = new.iter().filter(|host| !old_ids.contains(&host.id()));
            let removed = old.iter().filter(|host| !new_ids.contains(&host.id()));
            let before = change.added.len() + change.removed.len();
            change.added.extend(added.cloned());
            change.removed.extend(removed.cloned());
            if change.added.len() + change.removed.len() > before {
                self.stats.membership_change().inc();
            }
        }
        // Who only moved to another priority keeps its connections.
        let stays: HashSet<_> = new
            .values()
            .flat_map(|hosts| hosts.iter())
            .map(|h| h.id())
            .collect();
        change.removed.retain(|host| !stays.contains(&host.id()));
        change
    }

    fn publish(&self, mut state: std::cell::RefMut<'_, State>, change: HostsChange) {
        let last = state.hosts.keys().next_back().copied().unwrap_or(0);
        let no_weights = BTreeMap::new();
        let sets = (0..=last).map(|priority| {
            let hosts = state
                .hosts
                .get(&priority)
                .map_or_else(Vec::new, |h| h.to_vec());
            let weights = state.weights.get(&priority).unwrap_or(&no_weights);
            Arc::new(HostSet::new(priority, hosts, weights, state.provisioning))
        });
        let sets: Vec<_> = sets.collect();
        let configured = self.info.spec.common_lb.healthy_panic_threshold;
        let threshold = self
            .worker
            .flags()
            .integer(PANIC_THRESHOLD, configured.into());
        let hosts = PrioritySet::new(sets, u32::try_from(threshold).unwrap_or(u32::MAX));
        let shared = self.info.spec.lb.shared(&hosts, &self.info.scope);
        let hosts = Arc::new(hosts.with_lb_shared(shared));
        self.count(&hosts);
        state.current = Arc::clone(&hosts);
        drop(state);
        self.observer.on_change(&hosts, change);
    }

    fn count(&self, hosts: &PrioritySet) {
        let sum = |count: fn(&HostSet) -> usize| {
            hosts
                .sets()
                .iter()
                .map(|set| count(set) as u64)
                .sum::<u64>()
        };
        self.stats
            .membership_total()
            .set(sum(|set| set.hosts().len()));
        self.stats
            .membership_healthy()
            .set(sum(|set| set.healthy().len()));
        self.stats
            .membership_degraded()
            .set(sum(|set| set.degraded().len()));
        self.stats.membership_excluded().set(sum(HostSet::excluded));
    }
}
