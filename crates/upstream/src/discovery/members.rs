//! The hosts of one cluster on main: the truth of which workers see snapshots.

use super::members_index::{MembersHandle, MembersIndex};
use super::stabilized::Stabilized;
use super::{LoadAssignment, LocalLocality};
use crate::cluster::ClusterInfo;
use crate::health::HealthFlag;
use crate::health_check::HealthChecker;
use crate::host::{Host, Locality};
use crate::host_monitor::HostMonitor;
use crate::host_set::{HostSet, Hosts, Provisioning};
use crate::outlier::{OutlierDetector, OutlierEvent, OutlierMonitor};
use crate::priority::{HostsChange, PrioritySet};
use crate::stats::{ClusterLbStats, ClusterUpdateStats};
use nuncio_worker::Worker;
use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
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
    /// A host has become unhealthy by a check, or was ejected: its connections are of no more use.
    fn on_host_failure(&self, host: &Arc<Host>);
    /// A host was ejected or taken back.
    fn on_outlier(&self, event: &OutlierEvent);
}

/// A cluster's hosts by priority. Discovery fills them, health checks set flags on them.
pub struct Members {
    worker: Rc<Worker>,
    info: Arc<ClusterInfo>,
    stats: ClusterUpdateStats,
    pub(super) lb_stats: ClusterLbStats,
    observer: Box<dyn MembersObserver>,
    /// Discovery has looked for hosts once.
    is_discovered: Cell<bool>,
    is_ready: Cell<bool>,
    number: u64,
    checker: OnceCell<Rc<HealthChecker>>,
    detector: OnceCell<Rc<OutlierDetector>>,
    state: RefCell<State>,
    kept: RefCell<Option<Rc<dyn Any>>>,
}

struct State {
    hosts: BTreeMap<u32, Hosts>,
    weights: BTreeMap<u32, BTreeMap<Arc<Locality>, u32>>,
    provisioning: Provisioning,
    stabilized: Stabilized,
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
        let members = Rc::new_cyclic(|this| Self {
            number: MembersIndex::of(worker).add(this),
            worker: Rc::clone(worker),
            stats: stats.unwrap_or_else(|| info.update_stats.local()),
            lb_stats: info.lb_stats.local(),
            info: Arc::clone(info),
            observer,
            is_discovered: Cell::new(false),
            is_ready: Cell::new(false),
            checker: OnceCell::new(),
            detector: OnceCell::new(),
            state: RefCell::new(State {
                hosts: BTreeMap::new(),
                weights: BTreeMap::new(),
                provisioning: Provisioning::default(),
                stabilized: Stabilized::default(),
                current: Arc::new(none),
            }),
            kept: RefCell::default(),
        });
        if let Some(check) = &info.spec.health_check {
            let checker = HealthChecker::new(&members, check);
            members.checker.get_or_init(|| checker);
        }
        if let Some(spec) = &info.spec.outlier_detection {
            let detector = OutlierDetector::new(&members, spec);
            members.detector.get_or_init(|| detector);
        }
        members
    }

    /// Keeps what finds the hosts for as long as there are members; it holds them weakly.
    pub fn keep(&self, discovery: Rc<dyn Any>) {
        *self.kept.borrow_mut() = Some(discovery);
    }

    /// What finds the hosts, if it is this.
    pub(super) fn kept<T: 'static>(&self) -> Option<Rc<T>> {
        self.kept.borrow().clone()?.downcast().ok()
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
    pub fn set(&self, mut hosts: BTreeMap<u32, Vec<Arc<Host>>>) {
        let mut state = self.state.borrow_mut();
        self.stabilize(&mut state, &mut hosts);
        let hosts: BTreeMap<u32, Hosts> = hosts
            .into_iter()
            .map(|(priority, hosts)| (priority, hosts.into()))
            .collect();
        let change = self.difference(&state.hosts, &hosts);
        state.hosts = hosts;
        self.watch(&change);
        self.publish(state, change);
    }

    /// Health flags or weights of hosts have changed.
    pub fn refresh(&self) {
        self.publish(self.state.borrow_mut(), HostsChange::default());
    }

    /// The hosts were found, or looking for them failed: the cluster can be used once each of them
    /// was checked.
    pub fn ready(&self) {
        self.is_discovered.set(true);
        let checker = self.checker.get();
        let checked = checker.is_none_or(|checker| checker.all_checked());
        if checked && !self.is_ready.replace(true) {
            self.observer.on_ready();
        }
    }

    /// Keeps hosts that are gone and healthy all the same.
    fn stabilize(&self, state: &mut State, hosts: &mut BTreeMap<u32, Vec<Arc<Host>>>) {
        let Some(checker) = self.checker.get() else {
            return;
        };
        if self.info.spec.ignore_health_on_host_removal {
            return;
        }
        let State {
            stabilized,
            hosts: old,
            ..
        } = state;
        stabilized.apply(old, hosts, |host| {
            checker.checks(host.id())
                && !host.has_flag(HealthFlag::FailedActiveHc)
                && !host.has_flag(HealthFlag::FailedEdsHealth)
        });
    }

    /// Begins to watch hosts that are new, and ends it with those that are gone.
    fn watch(&self, change: &HostsChange) {
        let (checker, detector) = (self.checker.get(), self.detector.get());
        if checker.is_none() {
            let now = self.worker.now();
            change.added.iter().for_each(|host| host.mark_healthy(now));
        }
        let load_reports = self.info.spec.lb.load_reports();
        if checker.is_none() && detector.is_none() && load_reports.is_none() {
            return;
        }
        for host in &change.added {
            host.set_monitor(|| {
                let outlier = self.info.spec.outlier_detection.as_ref();
                let outlier = outlier.map(OutlierMonitor::new);
                let (handle, checked) = (self.handle(), checker.is_some());
                HostMonitor::new(handle, host.id(), checked, outlier, load_reports.clone())
            });
            if let Some(checker) = checker {
                checker.admit(host);
            }
            if let Some(detector) = detector {
                detector.admit(host);
            }
        }
        for host in &change.removed {
            if let Some(checker) = checker {
                checker.release(host.id());
            }
            if let Some(detector) = detector {
                detector.release(host.id());
            }
        }
    }

    pub(super) fn detector(&self) -> Option<&Rc<OutlierDetector>> {
        self.detector.get()
    }

    pub(super) fn observer(&self) -> &dyn MembersObserver {
        &*self.observer
    }

    pub(super) fn handle(&self) -> MembersHandle {
        MembersHandle {
            main: self.worker.handle().clone(),
            number: self.number,
        }
    }

    /// A check of a host is over, and has `changed` what is known of it, perhaps to `failed`.
    pub(crate) fn on_checked(&self, host: &Arc<Host>, changed: bool, failed: bool) {
        if changed {
            if failed && host.has_flag(HealthFlag::PendingDynamicRemoval) {
                self.remove(host);
            } else {
                self.refresh();
            }
        }
        if failed {
            self.observer.on_host_failure(host);
        }
        if self.is_discovered.get() {
            self.ready();
        }
    }

    /// A host that had stayed for its health has lost that too.
    fn remove(&self, host: &Arc<Host>) {
        let mut state = self.state.borrow_mut();
        for hosts in state.hosts.values_mut() {
            if hosts.iter().any(|one| one.id() == host.id()) {
                let others = hosts.iter().filter(|one| one.id() != host.id());
                *hosts = others.cloned().collect();
            }
        }
        self.stats.membership_change().inc();
        let change = HostsChange {
            added: Vec::new(),
            removed: vec![Arc::clone(host)],
        };
        self.watch(&change);
        self.publish(state, change);
    }

    /// A host said, in a response to a client, that it is not healthy.
    pub(crate) fn on_passive_failure(&self, host: u64) {
        if let Some(checker) = self.checker.get() {
            checker.on_passive_failure(host);
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
        let local = self.worker.services().get::<LocalLocality>();
        let sets = (0..=last).map(|priority| {
            let hosts = state
                .hosts
                .get(&priority)
                .map_or_else(Vec::new, |h| h.to_vec());
            let weights = state.weights.get(&priority).unwrap_or(&no_weights);
            let set = HostSet::new(priority, hosts, weights, state.provisioning);
            Arc::new(match &local {
                Some(local) => set.local_first(&local.0),
                None => set,
            })
        });
        let sets: Vec<_> = sets.collect();
        let configured = self.info.spec.common_lb.healthy_panic_threshold;
        let threshold = self
            .worker
            .flags()
            .integer(PANIC_THRESHOLD, configured.into());
        let hosts = PrioritySet::new(sets, u32::try_from(threshold).unwrap_or(u32::MAX));
        let shared = self.build_shared(&hosts, state.current.lb_shared());
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

impl Drop for Members {
    fn drop(&mut self) {
        self.retire_shared();
        MembersIndex::of(&self.worker).remove(self.number);
        if let Some(checker) = self.checker.get() {
            checker.release_all();
        }
        if let Some(detector) = self.detector.get() {
            detector.release_all();
        }
    }
}
