//! Least request: of a few random hosts, or of all, the one with the fewest requests in flight
//! (`envoy.load_balancing_policies.least_request`). Where weights differ, hosts take turns in
//! proportion to their weights as lowered by their requests.

mod config;

pub use config::Policy;

use nuncio_base::random::Random;
use nuncio_upstream::lb::slow_start::SlowStartSettings;
use nuncio_upstream::lb::source::LocalitySettings;
use nuncio_upstream::lb::weighted::{Pick, WeightedBalancer};
use nuncio_upstream::lb::zone::ZoneSettings;
use nuncio_upstream::{Host, LbSpec, LoadBalancer};
use nuncio_worker::Worker;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;

/// Which hosts are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// This many random ones.
    Choices(NonZeroU32),
    /// All of them.
    All,
}

impl Default for Compare {
    fn default() -> Self {
        const TWO: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);
        Self::Choices(TWO)
    }
}

/// The policy as configured.
#[derive(Debug, Clone, Default)]
pub struct LeastRequest {
    /// How localities count.
    pub locality: LocalitySettings,
    /// How hosts start, where they start slowly.
    pub slow_start: Option<SlowStartSettings>,
    /// Which hosts are compared where weights are equal.
    pub compare: Compare,
    /// How much requests lower a host's weight.
    pub active_request_bias: RequestBias,
}

/// The exponent in a host's weight: `weight / (requests + 1) ^ bias`.
#[derive(Debug, Clone)]
pub struct RequestBias {
    /// The configured value.
    pub value: f64,
    /// The runtime flag that overrides it; empty for none. A worker reads it when it begins to use
    /// the cluster.
    pub runtime_key: Arc<str>,
}

impl Default for RequestBias {
    fn default() -> Self {
        Self {
            value: 1.0,
            runtime_key: "".into(),
        }
    }
}

impl LbSpec for LeastRequest {
    fn name(&self) -> &'static str {
        "envoy.load_balancing_policies.least_request"
    }

    fn zones(&self) -> Option<&ZoneSettings> {
        Some(&self.locality.zones)
    }

    fn localize(&self, worker: &Rc<Worker>) -> Box<dyn LoadBalancer> {
        let seed = worker.seed();
        let RequestBias { value, runtime_key } = &self.active_request_bias;
        let least = Box::new(Least {
            compare: self.compare,
            bias: worker.flags().number(runtime_key, *value),
        });
        let balancer = WeightedBalancer::new(least, self.locality, seed);
        let balancer = balancer.starting_slowly(self.slow_start.as_ref(), worker);
        Box::new(balancer.aware_of_zones(worker))
    }
}

struct Least {
    compare: Compare,
    bias: f64,
}

fn active(host: &Host) -> u64 {
    host.stats().rq_active.value()
}

impl Pick for Least {
    /// Requests that begin or end meanwhile may change it.
    fn predictable(&self) -> bool {
        false
    }

    fn weight(&self, host: &Host) -> f64 {
        let (weight, active) = (f64::from(host.weight()), active(host) as f64 + 1.0);
        match self.bias {
            0.0 => weight,
            1.0 => weight / active,
            bias => weight / active.powf(bias),
        }
    }

    fn pick(&self, hosts: &[Arc<Host>], _turn: u64, random: &mut Random) -> usize {
        match self.compare {
            Compare::Choices(count) => (0..count.get())
                .map(|_| random.below(hosts.len() as u64) as usize)
                .min_by_key(|at| active(&hosts[*at]))
                .unwrap_or(0),
            Compare::All => least_of_all(hosts, random),
        }
    }
}

/// One of those with the fewest requests, each as likely as the other.
fn least_of_all(hosts: &[Arc<Host>], random: &mut Random) -> usize {
    let (mut least, mut fewest, mut tied) = (0, u64::MAX, 0);
    for (at, host) in hosts.iter().enumerate() {
        let active = active(host);
        if active < fewest {
            (least, fewest, tied) = (at, active, 1);
        } else if active == fewest {
            tied += 1;
            if random.below(tied) == 0 {
                least = at;
            }
        }
    }
    least
}
