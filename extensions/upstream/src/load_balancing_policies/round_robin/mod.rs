//! Round robin: hosts take turns, in proportion to their weights
//! (`envoy.load_balancing_policies.round_robin`). Each worker has turns of its own, from a random
//! start.

mod config;

pub use config::Policy;

use nuncio_base::random::Random;
use nuncio_upstream::lb::slow_start::SlowStartSettings;
use nuncio_upstream::lb::source::LocalitySettings;
use nuncio_upstream::lb::weighted::{Pick, WeightedBalancer};
use nuncio_upstream::lb::zone::ZoneSettings;
use nuncio_upstream::{Host, LbSpec, LoadBalancer};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

/// The policy as configured.
#[derive(Debug, Clone, Default)]
pub struct RoundRobin {
    /// How localities count.
    pub locality: LocalitySettings,
    /// How hosts start, where they start slowly.
    pub slow_start: Option<SlowStartSettings>,
}

impl LbSpec for RoundRobin {
    fn name(&self) -> &'static str {
        "envoy.load_balancing_policies.round_robin"
    }

    fn zones(&self) -> Option<&ZoneSettings> {
        Some(&self.locality.zones)
    }

    fn localize(&self, worker: &Rc<Worker>) -> Box<dyn LoadBalancer> {
        let seed = worker.seed();
        let balancer = WeightedBalancer::new(Box::new(InTurn), self.locality, seed);
        let balancer = balancer.starting_slowly(self.slow_start.as_ref(), worker);
        Box::new(balancer.aware_of_zones(worker))
    }
}

/// A host after the other.
pub(super) struct InTurn;

impl Pick for InTurn {
    fn pick(&self, hosts: &[Arc<Host>], turn: u64, _random: &mut Random) -> usize {
        (turn % hosts.len() as u64) as usize
    }
}
