//! Maglev: a table of fixed size whose places hosts take in turns, each in an order of its own
//! (`envoy.load_balancing_policies.maglev`; "Maglev: A Fast and Reliable Software Network Load
//! Balancer", section 3.4). The same key goes to the same host as with Envoy.

mod config;

pub use config::Policy;

use super::hashing::{HashBalancer, HashSettings, HashTable, HashTables, WeightedHost, hash_key};
use nuncio_base::hash::xx_hash64;
use nuncio_stats::{Scope, SharedGauge};
use nuncio_upstream::lb::{Shared, SharedCx};
use nuncio_upstream::{Host, LbSpec, LoadBalancer, PrioritySet};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

/// The policy as configured.
#[derive(Debug, Clone)]
pub(crate) struct Maglev {
    pub settings: HashSettings,
    /// How many places the table has; a prime.
    pub size: u64,
}

impl LbSpec for Maglev {
    fn name(&self) -> &'static str {
        "envoy.load_balancing_policies.maglev"
    }

    fn shared(&self, hosts: &PrioritySet, cx: &SharedCx<'_>) -> Option<Shared> {
        let scope = cx.scope.scope("maglev_lb");
        let make = |hosts| Table::new(self, &scope, hosts);
        Some(HashTables::shared(hosts, &self.settings, make))
    }

    fn localize(&self, _worker: &Rc<Worker>) -> Box<dyn LoadBalancer> {
        Box::new(HashBalancer::<Table>::new(&self.settings))
    }
}

/// A host while the table is made.
struct Entry {
    offset: u64,
    skip: u64,
    weight: f64,
    /// What its weight, times the number of rounds, must reach before it takes a place again.
    target: f64,
    next: u64,
    count: u64,
}

impl Entry {
    fn new(key: &[u8], weight: f64, size: u64) -> Self {
        Self {
            offset: xx_hash64(key, 0) % size,
            skip: xx_hash64(key, 1) % (size - 1) + 1,
            weight,
            target: 0.0,
            next: 0,
            count: 0,
        }
    }

    /// The next place in the host's order.
    fn place(&mut self, size: u64) -> usize {
        let place = (self.offset + self.skip * self.next) % size;
        self.next += 1;
        place as usize
    }
}

/// A priority's table.
struct Table {
    /// At each place a host's.
    places: Vec<u32>,
    hosts: Vec<Arc<Host>>,
    /// Shown as long as the table is there.
    _gauges: [SharedGauge; 2],
}

impl Table {
    fn new(policy: &Maglev, scope: &Scope, mut hosts: Vec<WeightedHost>) -> Self {
        let key = |host: &Host| hash_key(host, policy.settings.use_hostname);
        // The table does not depend on the order in which hosts are told.
        hosts.sort_by_cached_key(|(host, _)| key(host));
        let gauges = ["min_entries_per_host", "max_entries_per_host"];
        let gauges = gauges.map(|name| scope.gauge(name));
        let mut places = Vec::new();
        if !hosts.is_empty() {
            let entry = |(host, weight): &WeightedHost| {
                Entry::new(key(host).as_bytes(), *weight, policy.size)
            };
            let mut entries: Vec<_> = hosts.iter().map(entry).collect();
            places = fill(&mut entries, policy.size);
            let counts = || entries.iter().map(|entry| entry.count);
            // Of one host Envoy counts one place.
            let most = if hosts.len() == 1 { 1 } else { policy.size };
            gauges[0].set(counts().min().unwrap_or(0).min(most));
            gauges[1].set(counts().max().unwrap_or(0).min(most));
        }
        Self {
            places,
            hosts: hosts.into_iter().map(|(host, _)| host).collect(),
            _gauges: gauges,
        }
    }
}

/// Lets hosts take places in rounds, the one with the most weight in each.
fn fill(entries: &mut [Entry], size: u64) -> Vec<u32> {
    const FREE: u32 = u32::MAX;
    let most = entries.iter().map(|entry| entry.weight).fold(0.0, f64::max);
    let mut places = vec![FREE; size as usize];
    let mut taken = 0;
    let mut round = 0.0;
    while taken < size {
        round += 1.0;
        for (at, entry) in (0..).zip(entries.iter_mut()) {
            if taken == size {
                break;
            }
            if round * entry.weight < entry.target {
                continue;
            }
            entry.target += most;
            let mut place = entry.place(size);
            while places[place] != FREE {
                place = entry.place(size);
            }
            places[place] = at;
            entry.count += 1;
            taken += 1;
        }
    }
    places
}

impl HashTable for Table {
    fn choose(&self, hash: u64, attempt: u32) -> Option<&Arc<Host>> {
        // Another attempt turns most bits, so that retries spread.
        let hash = match attempt {
            0 => hash,
            attempt => hash ^ (u64::MAX - u64::from(attempt) + 1),
        };
        let place = hash.checked_rem(self.places.len() as u64)?;
        self.hosts.get(self.places[place as usize] as usize)
    }
}
