//! Bounded loads: no host gets more than its share of the requests in flight, times a factor;
//! others stand in for it ("Consistent Hashing with Bounded Loads", arXiv:1608.01350), in an order
//! that the request's hash gives (arXiv:1908.08762).

use super::WeightedHost;
use super::mersenne::MersenneTwister;
use nuncio_upstream::Host;
use std::collections::HashMap;
use std::sync::Arc;

/// The hosts of a priority, with their shares of all weight.
#[derive(Default)]
pub(super) struct Shares {
    hosts: Vec<WeightedHost>,
    by_id: HashMap<u64, f64>,
}

impl Shares {
    pub fn new(hosts: &[WeightedHost]) -> Self {
        let by_id = hosts.iter().map(|(host, weight)| (host.id(), *weight));
        Self {
            by_id: by_id.collect(),
            hosts: hosts.to_vec(),
        }
    }
}

/// The bound, and room to shuffle in.
pub(super) struct BoundedLoad {
    /// Of a host's fair share, in percent.
    factor: u32,
    order: Vec<u32>,
}

impl BoundedLoad {
    pub fn new(factor: u32) -> Self {
        Self {
            factor,
            order: Vec::new(),
        }
    }

    /// The host that was chosen, or another while it has too much to do; the least busy one where
    /// all have.
    pub fn choose<'a>(
        &mut self,
        chosen: &'a Arc<Host>,
        shares: &'a Shares,
        active: u32,
        hash: u64,
    ) -> &'a Arc<Host> {
        let slots = ((u64::from(active) + 1) * u64::from(self.factor)).div_ceil(100) as f64;
        let load = |host: &Host, weight: f64| {
            host.stats().rq_active.value() as f64 / (slots * weight).ceil().max(1.0)
        };
        let weight = shares.by_id.get(&chosen.id()).copied().unwrap_or_default();
        let mut least = (load(chosen, weight), chosen);
        if least.0 <= 1.0 {
            return chosen;
        }
        let count = shares.hosts.len() as u32;
        self.order.clear();
        self.order.extend(0..count);
        let mut random = MersenneTwister::new(hash as u32);
        for at in 0..count {
            let other = at + random.below(count - at);
            self.order.swap(at as usize, other as usize);
            let (host, weight) = &shares.hosts[self.order[at as usize] as usize];
            if host.id() == chosen.id() {
                continue;
            }
            let load = load(host, *weight);
            if load <= 1.0 {
                return host;
            }
            if load < least.0 {
                least = (load, host);
            }
        }
        least.1
    }
}
