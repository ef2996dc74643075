//! Ring hash: hosts have many places each on a ring of hashes, and a request goes to the next one
//! (`envoy.load_balancing_policies.ring_hash`). The same key goes to the same host as with Envoy.

mod config;

pub use config::Policy;

use super::hashing::{HashBalancer, HashSettings, HashTable, HashTables, WeightedHost, hash_key};
use nuncio_base::hash::{murmur_hash2, xx_hash64};
use nuncio_stats::{Scope, SharedGauge};
use nuncio_upstream::lb::{Shared, SharedCx};
use nuncio_upstream::{Host, LbSpec, LoadBalancer, PrioritySet};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

/// The policy as configured.
#[derive(Debug, Clone)]
pub(crate) struct RingHash {
    pub settings: HashSettings,
    pub function: HashFunction,
    /// How many places the ring has at least, and at most.
    pub size: (u64, u64),
}

/// By what places on the ring are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HashFunction {
    XxHash,
    MurmurHash2,
}

impl HashFunction {
    fn of(self, text: &[u8]) -> u64 {
        match self {
            Self::XxHash => xx_hash64(text, 0),
            Self::MurmurHash2 => murmur_hash2(text),
        }
    }
}

impl LbSpec for RingHash {
    fn name(&self) -> &'static str {
        "envoy.load_balancing_policies.ring_hash"
    }

    fn shared(&self, hosts: &PrioritySet, cx: &SharedCx<'_>) -> Option<Shared> {
        let scope = cx.scope.scope("ring_hash_lb");
        let make = |hosts| Ring::new(self, &scope, hosts);
        Some(HashTables::shared(hosts, &self.settings, make))
    }

    fn localize(&self, _worker: &Rc<Worker>) -> Box<dyn LoadBalancer> {
        Box::new(HashBalancer::<Ring>::new(&self.settings))
    }
}

/// A priority's ring.
struct Ring {
    /// Hashes in ascending order, each with the host's place.
    places: Vec<(u64, u32)>,
    hosts: Vec<Arc<Host>>,
    /// Shown as long as the ring is there.
    _gauges: [SharedGauge; 3],
}

impl Ring {
    fn new(policy: &RingHash, scope: &Scope, hosts: Vec<WeightedHost>) -> Self {
        let gauges = ["size", "min_hashes_per_host", "max_hashes_per_host"];
        let gauges = gauges.map(|name| scope.gauge(name));
        let mut places = Vec::new();
        if !hosts.is_empty() {
            let counts = fill(&mut places, policy, &hosts);
            gauges
                .iter()
                .zip(counts)
                .for_each(|(gauge, count)| gauge.set(count));
        }
        Self {
            places,
            hosts: hosts.into_iter().map(|(host, _)| host).collect(),
            _gauges: gauges,
        }
    }
}

/// Gives each host as many places as its weight asks for: the one with the least weight gets a
/// whole number of them, unless the ring would be too large. Gives the ring's size, and the least
/// and most places of a host.
fn fill(places: &mut Vec<(u64, u32)>, policy: &RingHash, hosts: &[WeightedHost]) -> [u64; 3] {
    let (smallest, largest) = policy.size;
    let least = hosts.iter().map(|(_, weight)| *weight).fold(1.0, f64::min);
    let scale = (least * smallest as f64).ceil() / least;
    let scale = scale.min(largest as f64);
    let size = scale.ceil() as u64;
    let (mut fewest, mut most) = (size, 0);
    let mut wanted = 0.0;
    let mut key = Vec::new();
    for (at, (host, weight)) in (0..).zip(hosts) {
        wanted += scale * weight;
        key.clear();
        key.extend_from_slice(hash_key(host, policy.settings.use_hostname).as_bytes());
        key.push(b'_');
        let prefix = key.len();
        let mut count = 0;
        while (places.len() as f64) < wanted {
            key.truncate(prefix);
            key.extend_from_slice(count.to_string().as_bytes());
            places.push((policy.function.of(&key), at));
            count += 1;
        }
        fewest = fewest.min(count);
        most = most.max(count);
    }
    places.sort_by_key(|(hash, _)| *hash);
    [size, fewest, most]
}

impl HashTable for Ring {
    fn choose(&self, hash: u64, attempt: u32) -> Option<&Arc<Host>> {
        if self.places.is_empty() {
            return None;
        }
        // Behind the last place the ring begins again.
        let next = self.places.partition_point(|(place, _)| *place < hash);
        let place = (next + attempt as usize) % self.places.len();
        self.hosts.get(self.places[place].1 as usize)
    }
}
