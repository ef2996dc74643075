//! Zone-aware routing: traffic stays in the zone where it came from, as far as the hosts there can
//! carry it (Envoy's "Zone aware routing").
//!
//! Of the hosts of the local cluster, the proxies like this one, so many percent are in each zone;
//! of the upstream cluster's so many. What goes to the own zone, and where the rest goes, follows
//! from these shares.

use super::LbCx;
use super::source::Of;
use crate::host::{Host, Locality};
use crate::host_set::{HostLists, HostSet};
use crate::priority::{Availability, PrioritySet, is_in_panic};
use crate::stats::ClusterLbStats;
use nuncio_base::random::Random;
use nuncio_base::runtime_flags::RuntimeFlags;
use nuncio_worker::{Held, Worker};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// The runtime flags that override the settings.
const FORCED_SIZE: &str = "upstream.zone_routing.force_local_zone.min_size";
const ENABLED: &str = "upstream.zone_routing.enabled";
const MIN_CLUSTER_SIZE: &str = "upstream.zone_routing.min_cluster_size";

/// All of something, where shares are counted in hundredths of percent.
const WHOLE: u64 = 10_000;

/// How zones count (`LocalityLbConfig.ZoneAwareLbConfig`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneSettings {
    /// The share of requests, in percent, for which zones count.
    pub routing_enabled: u64,
    /// With fewer healthy hosts zones don't count.
    pub min_cluster_size: u64,
    /// With so many healthy hosts in the own zone all traffic stays there.
    pub force_local_zone: Option<u32>,
    /// Whether shares are those of hosts' weights, not of their number.
    pub by_weight: bool,
}

impl Default for ZoneSettings {
    fn default() -> Self {
        Self {
            routing_enabled: 100,
            min_cluster_size: 6,
            force_local_zone: None,
            by_weight: false,
        }
    }
}

/// Why zones don't count.
enum Excuse {
    /// There is nothing to choose between.
    FewZones,
    /// The local cluster has no host in this proxy's zone.
    LocalClusterNotOk,
    /// `min_cluster_size`.
    TooSmall,
}

impl ZoneSettings {
    /// Why zones don't count for these hosts, if so.
    fn excuse(&self, upstream: &HostSet, local: &HostSet, flags: &RuntimeFlags) -> Option<Excuse> {
        if upstream.localities().len() < 2 || local.localities().len() < 2 {
            return Some(Excuse::FewZones);
        }
        if !local.has_local_locality() {
            return Some(Excuse::LocalClusterNotOk);
        }
        let least = flags.integer(MIN_CLUSTER_SIZE, self.min_cluster_size);
        if (upstream.healthy().len() as u64) < least {
            return Some(Excuse::TooSmall);
        }
        None
    }

    /// Counts that `threads` threads look at the zones anew.
    pub fn count(
        &self,
        (hosts, local): (&PrioritySet, &PrioritySet),
        flags: &RuntimeFlags,
        stats: &ClusterLbStats,
        threads: u64,
    ) {
        stats.lb_recalculate_zone_structures().add(threads);
        let (upstream, local) = (&hosts.sets()[0], &local.sets()[0]);
        match self.excuse(upstream, local, flags) {
            Some(Excuse::LocalClusterNotOk) => stats.lb_local_cluster_not_ok().add(threads),
            Some(Excuse::TooSmall) => stats.lb_zone_cluster_too_small().add(threads),
            Some(Excuse::FewZones) | None => {}
        }
    }

    fn size(&self, hosts: &[Arc<Host>]) -> u64 {
        if self.by_weight {
            hosts.iter().map(|host| u64::from(host.weight())).sum()
        } else {
            hosts.len() as u64
        }
    }

    /// The shares of a zone: of the local cluster, of the upstream cluster.
    fn shares(&self, upstream: &HostSet, local: &HostSet) -> Vec<Shares> {
        let size = |lists: &HostLists| self.size(&lists.healthy);
        let sizes = |set: &HostSet| -> Vec<u64> {
            let localities = set.localities().iter();
            localities.map(|one| size(&one.lists)).collect()
        };
        let (upstream_sizes, local_sizes) = (sizes(upstream), sizes(local));
        let share = |size: u64, all: &[u64]| match all.iter().sum::<u64>() {
            0 => 0,
            total => WHOLE * size / total,
        };
        let localities = local.localities().iter().zip(&local_sizes);
        let by_locality: HashMap<&Locality, u64> = localities
            .map(|(one, size)| (&*one.locality, *size))
            .collect();
        let localities = upstream.localities().iter().zip(&upstream_sizes);
        let shares = localities.map(|(one, size)| {
            if one.lists.healthy.is_empty() {
                return Shares::default();
            }
            let here = by_locality.get(&*one.locality).copied().unwrap_or(0);
            Shares {
                local: share(here, &local_sizes),
                upstream: share(*size, &upstream_sizes),
            }
        });
        shares.collect()
    }

    fn route(&self, upstream: &HostSet, local: &HostSet, flags: &RuntimeFlags) -> Route {
        if self.excuse(upstream, local, flags).is_some() {
            return Route::AnyZone;
        }
        let shares = self.shares(upstream, local);
        let own = upstream.has_local_locality().then(|| shares[0]);
        if let Some(own) = own {
            let healthy = upstream.localities()[0].lists.healthy.len();
            let forced = match flags.integer(FORCED_SIZE, 0) {
                0 => self.force_local_zone.map(u64::from),
                size => Some(size),
            };
            if (own.upstream > 0 && own.upstream >= own.local)
                || forced.is_some_and(|least| healthy as u64 >= least)
            {
                return Route::OwnZone;
            }
        }
        let own_share = own.filter(|own| own.local > 0);
        let mut sum = 0;
        let spare = shares.iter().enumerate().map(|(at, shares)| {
            if at > 0 || own.is_none() {
                sum += shares.upstream.saturating_sub(shares.local);
            }
            sum
        });
        Route::Shared {
            spare: spare.collect(),
            own: own_share.map_or(0, |own| own.upstream * WHOLE / own.local),
        }
    }
}

/// A zone's shares of the hosts of two clusters.
#[derive(Clone, Copy, Default)]
struct Shares {
    local: u64,
    upstream: u64,
}

/// Where traffic goes.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    /// Zones don't count.
    AnyZone,
    /// All of it stays.
    OwnZone,
    /// Some of it stays.
    Shared {
        /// Its share.
        own: u64,
        /// What each zone can carry besides its own traffic, summed up from the first zone on.
        spare: Vec<u64>,
    },
}

/// The hosts of the local cluster, on one worker; a service of workers where there is one.
#[derive(Default)]
pub struct LocalHosts(RefCell<Option<Arc<PrioritySet>>>);

impl LocalHosts {
    /// Its hosts are these now.
    pub(crate) fn set(&self, hosts: &Arc<PrioritySet>) {
        *self.0.borrow_mut() = Some(Arc::clone(hosts));
    }
}

/// What zone-aware routing makes of a request.
pub(super) enum Zoned {
    /// Zones don't count.
    AnyZone,
    /// A zone's hosts.
    Zone(Of),
    /// The local cluster is in panic, and that is to fail traffic.
    Fail,
}

/// One worker's zones of one cluster.
pub(super) struct Zones {
    settings: ZoneSettings,
    worker: Rc<Worker>,
    local: Rc<LocalHosts>,
    /// The hosts of both clusters, and the flags, that the rest was made of.
    versions: [u64; 2],
    flags: Held<RuntimeFlags>,
    enabled: u64,
    route: Route,
    local_in_panic: bool,
}

impl Zones {
    /// Zones for `worker`; `None` where it belongs to no cluster.
    pub(super) fn new(settings: ZoneSettings, worker: &Rc<Worker>) -> Option<Self> {
        Some(Self {
            settings,
            local: worker.services().get::<LocalHosts>()?,
            worker: Rc::clone(worker),
            versions: [0; 2],
            flags: worker.flags(),
            enabled: 0,
            route: Route::AnyZone,
            local_in_panic: false,
        })
    }

    fn update(&mut self, hosts: &PrioritySet) {
        let flags = self.worker.flags();
        let local = self.local.0.borrow();
        let local_version = local.as_ref().map_or(0, |local| local.version());
        let versions = [hosts.version(), local_version];
        if self.versions == versions && Arc::ptr_eq(flags.shared(), self.flags.shared()) {
            return;
        }
        self.enabled = flags.integer(ENABLED, self.settings.routing_enabled);
        self.route = match &*local {
            // The local cluster itself is balanced over all its zones.
            Some(local) if local_version != hosts.version() => {
                let (upstream, local) = (&hosts.sets()[0], &local.sets()[0]);
                self.local_in_panic = is_in_panic(local, hosts.panic_threshold());
                self.settings.route(upstream, local, &flags)
            }
            _ => Route::AnyZone,
        };
        self.versions = versions;
        self.flags = flags;
    }

    /// Chooses a zone for a request that goes to this priority.
    pub(super) fn choose(
        &mut self,
        hosts: &PrioritySet,
        (priority, availability): (usize, Availability),
        fail_on_panic: bool,
        cx: &mut LbCx<'_>,
    ) -> Zoned {
        if priority > 0 {
            return Zoned::AnyZone;
        }
        self.update(hosts);
        if self.route == Route::AnyZone || cx.random.below(100) >= self.enabled {
            return Zoned::AnyZone;
        }
        if self.local_in_panic {
            cx.stats.lb_local_cluster_not_ok().inc();
            return match fail_on_panic {
                true => Zoned::Fail,
                false => Zoned::AnyZone,
            };
        }
        let at = self.route.choose(cx.random, cx.stats);
        Zoned::Zone(match availability {
            Availability::Healthy => Of::LocalityHealthy(at),
            Availability::Degraded => Of::LocalityDegraded(at),
        })
    }
}

impl Route {
    fn choose(&self, random: &mut Random, stats: &ClusterLbStats) -> usize {
        let Self::Shared { own, spare } = self else {
            stats.lb_zone_routing_all_directly().inc();
            return 0;
        };
        if random.below(WHOLE) < *own {
            stats.lb_zone_routing_sampled().inc();
            return 0;
        }
        stats.lb_zone_routing_cross_zone().inc();
        let all = spare.last().copied().unwrap_or(0);
        if all == 0 {
            // Rounding took what little there was.
            stats.lb_zone_no_capacity_left().inc();
            return random.below(spare.len() as u64) as usize;
        }
        let place = random.below(all);
        spare.partition_point(|sum| *sum <= place)
    }
}

#[cfg(test)]
mod tests;
