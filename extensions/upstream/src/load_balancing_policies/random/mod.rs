//! Random: any host, whatever its weight (`envoy.load_balancing_policies.random`).

mod config;

pub use config::Policy;

use nuncio_base::random::Random as Numbers;
use nuncio_upstream::lb::source::LocalitySettings;
use nuncio_upstream::lb::weighted::{Pick, WeightedBalancer};
use nuncio_upstream::lb::zone::ZoneSettings;
use nuncio_upstream::{Host, LbSpec, LoadBalancer};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

/// The policy as configured.
#[derive(Debug, Clone, Default)]
pub struct Random {
    /// How localities count.
    pub locality: LocalitySettings,
}

impl LbSpec for Random {
    fn name(&self) -> &'static str {
        "envoy.load_balancing_policies.random"
    }

    fn zones(&self) -> Option<&ZoneSettings> {
        Some(&self.locality.zones)
    }

    fn localize(&self, worker: &Rc<Worker>) -> Box<dyn LoadBalancer> {
        let seed = worker.seed();
        let balancer = WeightedBalancer::new(Box::new(Any), self.locality, seed);
        Box::new(balancer.aware_of_zones(worker))
    }
}

struct Any;

impl Pick for Any {
    fn weighted(&self) -> bool {
        false
    }

    fn pick(&self, hosts: &[Arc<Host>], _turn: u64, random: &mut Numbers) -> usize {
        random.below(hosts.len() as u64) as usize
    }
}
