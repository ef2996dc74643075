//! From which hosts one is chosen: the priority by load, all hosts in panic, a locality by weight,
//! or one near by (Envoy's `ZoneAwareLoadBalancerBase`).

use super::edf::EdfScheduler;
use super::zone::{ZoneSettings, Zoned, Zones};
use super::{LbCx, LbRequest};
use crate::host::Host;
use crate::host_set::{HostLists, HostSet};
use crate::priority::{Availability, PrioritySet};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

/// Which list of a priority.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Of {
    /// All its hosts: panic.
    All,
    /// The healthy ones.
    Healthy,
    /// The degraded ones.
    Degraded,
    /// The healthy ones of one locality.
    LocalityHealthy(usize),
    /// The degraded ones of one locality.
    LocalityDegraded(usize),
}

/// A list of hosts to choose from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub struct Source {
    /// The priority.
    pub priority: usize,
    /// Which of its lists.
    pub of: Of,
}

impl Source {
    /// The hosts.
    pub fn hosts<'a>(&self, hosts: &'a PrioritySet) -> &'a [Arc<Host>] {
        let Some(set) = hosts.sets().get(self.priority) else {
            return &[];
        };
        let locality = |at: usize| set.localities().get(at).map(|locality| &locality.lists);
        match self.of {
            Of::All => set.hosts(),
            Of::Healthy => set.healthy(),
            Of::Degraded => set.degraded(),
            Of::LocalityHealthy(at) => locality(at).map_or(&[], |lists| &lists.healthy),
            Of::LocalityDegraded(at) => locality(at).map_or(&[], |lists| &lists.degraded),
        }
    }

    /// Every list of these hosts that could be chosen from.
    pub fn all(hosts: &PrioritySet) -> impl Iterator<Item = Self> {
        hosts.sets().iter().enumerate().flat_map(|(priority, set)| {
            let localities = 0..set.localities().len();
            [Of::All, Of::Healthy, Of::Degraded]
                .into_iter()
                .chain(localities.clone().map(Of::LocalityHealthy))
                .chain(localities.map(Of::LocalityDegraded))
                .map(move |of| Self { priority, of })
        })
    }
}

/// How localities count (`LocalityLbConfig`, or its older place in `CommonLbConfig`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LocalitySettings {
    /// Whether localities share the traffic by their weights.
    pub weighted: bool,
    /// Whether a priority in panic gives no traffic to its hosts, instead of to all of them.
    pub fail_traffic_on_panic: bool,
    /// How zones count, where this proxy belongs to a cluster.
    pub zones: ZoneSettings,
}

/// The schedules over one priority's localities; `None` where there is nothing to weigh.
#[derive(Default)]
struct LocalitySchedules {
    healthy: Option<EdfScheduler>,
    degraded: Option<EdfScheduler>,
}

/// Chooses sources. One per worker and cluster.
pub struct Sources {
    settings: LocalitySettings,
    localities: Vec<LocalitySchedules>,
    zones: Option<Box<Zones>>,
    seed: u32,
}

impl Sources {
    /// `seed` varies over the workers.
    pub fn new(settings: LocalitySettings, seed: u32) -> Self {
        Self {
            settings,
            localities: Vec::new(),
            zones: None,
            seed,
        }
    }

    /// Makes zones count, where this proxy belongs to a cluster.
    pub fn aware_of_zones(mut self, worker: &Rc<Worker>) -> Self {
        self.zones = Zones::new(self.settings.zones, worker).map(Box::new);
        self
    }

    /// The hosts changed.
    pub fn rebuild(&mut self, hosts: &PrioritySet) {
        if self.settings.weighted {
            let seed = self.seed;
            let sets = hosts.sets().iter();
            let schedules = sets.map(|set| LocalitySchedules {
                healthy: schedule(set, seed, |lists| lists.healthy.len()),
                degraded: schedule(set, seed, |lists| lists.degraded.len()),
            });
            self.localities = schedules.collect();
        }
    }

    /// Chooses a list; `None` in a panic that is to fail traffic.
    pub fn choose(
        &mut self,
        hosts: &PrioritySet,
        request: &dyn LbRequest,
        cx: &mut LbCx<'_>,
    ) -> Option<Source> {
        let load = request.priority_load(hosts);
        let (priority, availability) = load.choose(cx.random.bits());
        if hosts.in_panic(priority) {
            cx.stats.lb_healthy_panic().inc();
            let all = Source {
                priority,
                of: Of::All,
            };
            return (!self.settings.fail_traffic_on_panic).then_some(all);
        }
        if let Some(of) = self.choose_locality(hosts, priority, availability) {
            return Some(Source { priority, of });
        }
        if let Some(zones) = &mut self.zones {
            let fails = self.settings.fail_traffic_on_panic;
            match zones.choose(hosts, (priority, availability), fails, cx) {
                Zoned::AnyZone => {}
                Zoned::Zone(of) => return Some(Source { priority, of }),
                Zoned::Fail => return None,
            }
        }
        let of = match availability {
            Availability::Healthy => Of::Healthy,
            Availability::Degraded => Of::Degraded,
        };
        Some(Source { priority, of })
    }

    fn choose_locality(
        &mut self,
        hosts: &PrioritySet,
        priority: usize,
        availability: Availability,
    ) -> Option<Of> {
        let schedules = self.localities.get_mut(priority)?;
        let set = hosts.sets().get(priority)?;
        let weight = |count: fn(&HostLists) -> usize| {
            move |at: usize| effective_weight(set, at, count).max(f64::MIN_POSITIVE)
        };
        match availability {
            Availability::Healthy => {
                let picked = schedules.healthy.as_mut()?;
                let at = picked.pick(weight(|lists| lists.healthy.len()))?;
                Some(Of::LocalityHealthy(at))
            }
            Availability::Degraded => {
                let picked = schedules.degraded.as_mut()?;
                let at = picked.pick(weight(|lists| lists.degraded.len()))?;
                Some(Of::LocalityDegraded(at))
            }
        }
    }
}

fn schedule(set: &HostSet, seed: u32, count: fn(&HostLists) -> usize) -> Option<EdfScheduler> {
    let weights = 0..set.localities().len();
    let entries: Vec<_> = weights
        .map(|at| (at, effective_weight(set, at, count)))
        .filter(|(_, weight)| *weight > 0.0)
        .collect();
    (!entries.is_empty()).then(|| EdfScheduler::new(&entries, seed))
}

/// A locality's weight, times the share of its hosts that are available (raised by the
/// overprovisioning factor).
fn effective_weight(set: &HostSet, at: usize, count: fn(&HostLists) -> usize) -> f64 {
    let Some(locality) = set.localities().get(at) else {
        return 0.0;
    };
    let counted = locality.lists.counted();
    if counted == 0 {
        return 0.0;
    }
    let factor = f64::from(set.provisioning().overprovisioning_factor) / 100.0;
    let available = count(&locality.lists) as f64 / counted as f64;
    f64::from(locality.weight) * (factor * available).min(1.0)
}
