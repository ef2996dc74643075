//! A cluster's hosts over all priorities at one moment, and how much load each priority gets
//! (Envoy's "Priority levels", "Panic threshold" and "Degraded endpoints").

use crate::host::Host;
use crate::host_set::HostSet;
use crate::lb::Shared;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

static NEXT_VERSION: AtomicU64 = AtomicU64::new(1);

/// The load of each priority in percent; all healthy and degraded shares together are 100.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PriorityLoad {
    /// What goes to the healthy hosts of each priority.
    pub healthy: Vec<u32>,
    /// What goes to the degraded hosts of each priority.
    pub degraded: Vec<u32>,
}

/// Which hosts of a priority are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Availability {
    /// The healthy ones.
    Healthy,
    /// The degraded ones.
    Degraded,
}

impl PriorityLoad {
    /// The priority that `random` falls on.
    pub fn choose(&self, random: u64) -> (usize, Availability) {
        let mut rest = (random % 100) as u32;
        for (loads, availability) in [
            (&self.healthy, Availability::Healthy),
            (&self.degraded, Availability::Degraded),
        ] {
            for (priority, load) in loads.iter().enumerate() {
                if rest < *load {
                    return (priority, availability);
                }
                rest -= load;
            }
        }
        nuncio_base::bug!("the load of all priorities is not 100 percent");
        (0, Availability::Healthy)
    }
}

/// All hosts of a cluster: immutable, shared by all workers, replaced as a whole.
pub struct PrioritySet {
    version: u64,
    sets: Vec<Arc<HostSet>>,
    load: PriorityLoad,
    panic: Vec<bool>,
    panic_threshold: u32,
    lb_shared: Option<Shared>,
}

impl PrioritySet {
    /// Computes the load of `sets`, one for each priority from 0. `panic_threshold`, in percent: a
    /// priority with a smaller share of healthy and degraded hosts gives traffic to all its hosts.
    pub fn new(mut sets: Vec<Arc<HostSet>>, panic_threshold: u32) -> Self {
        if sets.is_empty() {
            let none = HostSet::new(0, Vec::new(), &Default::default(), Default::default());
            sets.push(Arc::new(none));
        }
        let panic_threshold = panic_threshold.min(100);
        let (load, panic) = compute_load(&sets, panic_threshold);
        Self {
            version: NEXT_VERSION.fetch_add(1, Ordering::Relaxed),
            sets,
            load,
            panic,
            panic_threshold,
            lb_shared: None,
        }
    }

    /// Adds what the load-balancing policy built on main for all workers (hash tables).
    pub fn with_lb_shared(mut self, shared: Option<Shared>) -> Self {
        self.lb_shared = shared;
        self
    }

    /// What the load-balancing policy built on main.
    pub fn lb_shared(&self) -> Option<&Shared> {
        self.lb_shared.as_ref()
    }

    /// A number unique in this process, by which balancers see that the hosts changed.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The hosts of each priority; at least one set, perhaps empty.
    pub fn sets(&self) -> &[Arc<HostSet>] {
        &self.sets
    }

    /// The load of each priority.
    pub fn load(&self) -> &PriorityLoad {
        &self.load
    }

    /// Whether a priority gives traffic to all its hosts, since too few are healthy.
    pub fn in_panic(&self, priority: usize) -> bool {
        self.panic.get(priority).copied().unwrap_or(false)
    }

    /// Below this share of healthy and degraded hosts, in percent, all get traffic.
    pub fn panic_threshold(&self) -> u32 {
        self.panic_threshold
    }

    /// All hosts of all priorities.
    pub fn hosts(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.sets.iter().flat_map(|set| set.hosts().iter())
    }
}

impl fmt::Debug for PrioritySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrioritySet")
            .field("version", &self.version)
            .field("sets", &self.sets)
            .field("load", &self.load)
            .field("panic", &self.panic)
            .finish_non_exhaustive()
    }
}

impl PrioritySet {
    /// The load where some priorities are left out, by their place; `None` where no other has a
    /// host that is available.
    pub fn load_without(&self, excluded: &[bool]) -> Option<PriorityLoad> {
        let availability = self.sets().iter().zip(excluded).map(|(set, excluded)| {
            if *excluded {
                (0, 0)
            } else {
                set.availability()
            }
        });
        let (healthy, degraded): (Vec<_>, Vec<_>) = availability.unzip();
        let available = (healthy.iter().sum::<u32>() + degraded.iter().sum::<u32>()).min(100);
        if available == 0 {
            return None;
        }
        let mut load = PriorityLoad {
            healthy: vec![0; healthy.len()],
            degraded: vec![0; degraded.len()],
        };
        distribute(&mut load, &healthy, &degraded, available);
        Some(load)
    }
}

/// Which hosts an update brought and took.
#[derive(Debug, Default)]
pub struct HostsChange {
    /// Hosts that are new.
    pub added: Vec<Arc<Host>>,
    /// Hosts that are gone: their connections are drained.
    pub removed: Vec<Arc<Host>>,
}

fn compute_load(sets: &[Arc<HostSet>], panic_threshold: u32) -> (PriorityLoad, Vec<bool>) {
    let (healthy, degraded): (Vec<_>, Vec<_>) = sets.iter().map(|set| set.availability()).unzip();
    let available = (healthy.iter().sum::<u32>() + degraded.iter().sum::<u32>()).min(100);
    let mut load = PriorityLoad {
        healthy: vec![0; sets.len()],
        degraded: vec![0; sets.len()],
    };
    let mut panic = vec![false; sets.len()];
    if available > 0 {
        distribute(&mut load, &healthy, &degraded, available);
    }
    if panic_threshold == 0 && available == 0 {
        // Nobody will be found there, but the sum must be 100.
        load.healthy[0] = 100;
        return (load, panic);
    }
    if available < 100 {
        for (panics, set) in panic.iter_mut().zip(sets) {
            *panics = is_in_panic(set, panic_threshold);
        }
        if panic.iter().all(|panics| *panics) {
            load = load_in_total_panic(sets);
        }
    }
    (load, panic)
}

/// Gives each priority as much of 100 as its availability allows, healthy hosts first.
fn distribute(load: &mut PriorityLoad, healthy: &[u32], degraded: &[u32], available: u32) {
    let mut rest = 100;
    for (loads, shares) in [(&mut load.healthy, healthy), (&mut load.degraded, degraded)] {
        for (load, share) in loads.iter_mut().zip(shares) {
            *load = rest.min(share * 100 / available);
            rest -= *load;
        }
    }
    // What rounding left goes to the first that is available.
    let first = |shares: &[u32]| shares.iter().position(|share| *share > 0);
    if let Some(priority) = first(healthy) {
        load.healthy[priority] += rest;
    } else if let Some(priority) = first(degraded) {
        load.degraded[priority] += rest;
    }
}

/// Whether so few hosts are healthy or degraded that all get traffic.
pub(crate) fn is_in_panic(set: &HostSet, threshold: u32) -> bool {
    let counted = set.lists().counted();
    let available = set.healthy().len() + set.degraded().len();
    let percent = if counted == 0 {
        0.0
    } else {
        100.0 * available as f64 / counted as f64
    };
    percent < f64::from(threshold)
}

/// Every priority in panic: load goes by the number of hosts, whatever their health.
fn load_in_total_panic(sets: &[Arc<HostSet>]) -> PriorityLoad {
    let counts: Vec<_> = sets.iter().map(|set| set.hosts().len()).collect();
    let total: usize = counts.iter().sum();
    let mut load = PriorityLoad {
        healthy: vec![0; sets.len()],
        degraded: vec![0; sets.len()],
    };
    let mut rest = 100;
    for (load, count) in load.healthy.iter_mut().zip(&counts) {
        *load = (100 * count / total.max(1)) as u32;
        rest -= *load;
    }
    let first = counts.iter().position(|count| *count > 0).unwrap_or(0);
    load.healthy[first] += rest;
    load
}

#[cfg(test)]
pub(crate) mod tests;
