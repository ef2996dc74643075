//! The hosts of one priority, sorted into healthy, degraded and excluded, over all and by locality.

use crate::health::Health;
use crate::host::{Host, Locality};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A list of hosts; lists that are equal share their memory.
pub type Hosts = Arc<[Arc<Host>]>;

/// How the hosts of a set are weighed (`ClusterLoadAssignment.Policy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provisioning {
    /// By how many percent healthy hosts may stand in for unhealthy ones.
    pub overprovisioning_factor: u32,
    /// Whether a priority's health is the share of the hosts' weight, instead of their number.
    pub weighted_priority_health: bool,
}

impl Default for Provisioning {
    fn default() -> Self {
        Self {
            overprovisioning_factor: 140,
            weighted_priority_health: false,
        }
    }
}

/// The hosts of one locality within a priority.
#[derive(Debug, Clone)]
pub struct LocalityHosts {
    /// The locality.
    pub locality: Arc<Locality>,
    /// Its weight; 0: it has none.
    pub weight: u32,
    /// All hosts, and those of them that are healthy, degraded and excluded.
    pub lists: HostLists,
}

/// Hosts, and those of them of a kind.
#[derive(Debug, Clone)]
pub struct HostLists {
    /// All hosts.
    pub all: Hosts,
    /// The healthy ones.
    pub healthy: Hosts,
    /// The degraded ones.
    pub degraded: Hosts,
    /// How many are excluded from the computing of health.
    pub excluded: usize,
}

impl HostLists {
    fn new(all: Hosts) -> Self {
        let of = |health: Health| -> Hosts {
            if all.iter().all(|host| host.health() == health) {
                return Arc::clone(&all);
            }
            let chosen = all.iter().filter(|host| host.health() == health);
            chosen.cloned().collect()
        };
        Self {
            healthy: of(Health::Healthy),
            degraded: of(Health::Degraded),
            excluded: all.iter().filter(|host| host.excluded()).count(),
            all,
        }
    }

    /// How many hosts count when health is computed.
    pub fn counted(&self) -> usize {
        self.all.len() - self.excluded
    }
}

/// The hosts of one priority at one moment.
#[derive(Debug, Clone)]
pub struct HostSet {
    priority: u32,
    lists: HostLists,
    localities: Arc<[LocalityHosts]>,
    has_local_locality: bool,
    provisioning: Provisioning,
}

impl HostSet {
    /// Sorts `hosts` by their health as it is now; `weights` are the localities' weights.
    pub fn new(
        priority: u32,
        hosts: Vec<Arc<Host>>,
        weights: &BTreeMap<Arc<Locality>, u32>,
        provisioning: Provisioning,
    ) -> Self {
        let mut by_locality: BTreeMap<Arc<Locality>, Vec<Arc<Host>>> = BTreeMap::new();
        for host in &hosts {
            let locality = by_locality.entry(Arc::clone(host.locality())).or_default();
            locality.push(Arc::clone(host));
        }
        let lists = HostLists::new(hosts.into());
        let only = by_locality.len() == 1;
        let localities = by_locality
            .into_iter()
            .map(|(locality, hosts)| LocalityHosts {
                weight: weights.get(&locality).copied().unwrap_or(0),
                locality,
                lists: if only {
                    lists.clone()
                } else {
                    HostLists::new(hosts.into())
                },
            });
        Self {
            priority,
            localities: localities.collect(),
            has_local_locality: false,
            lists,
            provisioning,
        }
    }

    /// Some of these hosts as a set of their own, with the same localities. `weight` gives these
    /// their weights: of its own weight, how many hosts are chosen, of how many.
    pub fn subset(&self, hosts: Vec<Arc<Host>>, weight: impl Fn(u32, usize, usize) -> u32) -> Self {
        let set = Self::new(self.priority, hosts, &BTreeMap::new(), self.provisioning);
        let mut set = match self.localities.first() {
            Some(own) if self.has_local_locality => set.local_first(&own.locality),
            _ => set,
        };
        for chosen in Arc::make_mut(&mut set.localities) {
            let mut localities = self.localities.iter();
            if let Some(of) = localities.find(|one| one.locality == chosen.locality) {
                let (count, all) = (chosen.lists.all.len(), of.lists.all.len());
                chosen.weight = weight(of.weight, count, all);
            }
        }
        set
    }

    /// Puts this proxy's own locality before the others, where there are hosts in it.
    pub fn local_first(mut self, local: &Locality) -> Self {
        let found = self
            .localities
            .iter()
            .position(|one| *one.locality == *local);
        if let Some(at) = found {
            self.has_local_locality = true;
            Arc::make_mut(&mut self.localities)[..=at].rotate_right(1);
        }
        self
    }

    /// Whether the first of the localities is this proxy's own.
    pub fn has_local_locality(&self) -> bool {
        self.has_local_locality
    }

    /// 0 is the highest.
    pub fn priority(&self) -> u32 {
        self.priority
    }

    /// All hosts in the order of the config or the control plane.
    pub fn hosts(&self) -> &Hosts {
        &self.lists.all
    }

    /// Those that are healthy.
    pub fn healthy(&self) -> &Hosts {
        &self.lists.healthy
    }

    /// Those that are degraded.
    pub fn degraded(&self) -> &Hosts {
        &self.lists.degraded
    }

    /// How many are excluded from the computing of health.
    pub fn excluded(&self) -> usize {
        self.lists.excluded
    }

    /// All of the above.
    pub fn lists(&self) -> &HostLists {
        &self.lists
    }

    /// The same by locality, in Envoy's order: this proxy's own first.
    pub fn localities(&self) -> &[LocalityHosts] {
        &self.localities
    }

    /// How health is weighed.
    pub fn provisioning(&self) -> Provisioning {
        self.provisioning
    }

    /// The healthy and degraded share of this priority in percent, raised by the overprovisioning
    /// factor and capped at 100.
    pub(crate) fn availability(&self) -> (u32, u32) {
        let lists = &self.lists;
        let counted = lists.counted();
        if counted == 0 {
            return (0, 0);
        }
        let weight = |hosts: &[Arc<Host>]| hosts.iter().map(|h| u64::from(h.weight())).sum::<u64>();
        let (healthy, degraded, total) = if self.provisioning.weighted_priority_health {
            let excluded = lists.all.iter().filter(|host| host.excluded());
            let excluded: u64 = excluded.map(|host| u64::from(host.weight())).sum();
            let total = weight(&lists.all) - excluded;
            (weight(&lists.healthy), weight(&lists.degraded), total)
        } else {
            let counts = [lists.healthy.len(), lists.degraded.len(), counted];
            let [healthy, degraded, total] = counts.map(|count| count as u64);
            (healthy, degraded, total)
        };
        let factor = u64::from(self.provisioning.overprovisioning_factor);
        let percent = |part: u64| (factor * part / total.max(1)).min(100) as u32;
        (percent(healthy), percent(degraded))
    }
}
