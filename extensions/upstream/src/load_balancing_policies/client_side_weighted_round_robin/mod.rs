//! Round robin by weights that follow from what hosts report of their load with their responses
//! (`envoy.load_balancing_policies.client_side_weighted_round_robin`).
//!
//! Envoy sets the weights on its main thread; here each worker does when it chooses a host, so that
//! without requests they stay as they are. Reports in JSON are read strictly.

mod config;
pub mod report;
mod weight;
mod wire;

pub use config::Policy;
pub(super) use config::settings;

use super::round_robin::InTurn;
use nuncio_upstream::host_monitor::HostMonitor;
use nuncio_upstream::lb::LbCx;
use nuncio_upstream::lb::load_report::{LoadReportPeriods, LoadReports};
use nuncio_upstream::lb::slow_start::SlowStartSettings;
use nuncio_upstream::lb::source::LocalitySettings;
use nuncio_upstream::lb::weighted::WeightedBalancer;
use nuncio_upstream::lb::zone::ZoneSettings;
use nuncio_upstream::{Choice, Host, LbRequest, LbSpec, LoadBalancer, PrioritySet};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use weight::Weighing;

/// What the policy and `wrr_locality` have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    periods: LoadReportPeriods,
    /// How often weights change.
    update_period: Duration,
    weighing: Arc<Weighing>,
    slow_start: Option<SlowStartSettings>,
}

/// The policy as configured.
#[derive(Clone, Debug)]
pub struct ClientSideWeightedRoundRobin {
    /// The name under which it was configured.
    pub name: &'static str,
    /// What reports are worth.
    pub settings: Settings,
    /// How localities count.
    pub locality: LocalitySettings,
}

impl LbSpec for ClientSideWeightedRoundRobin {
    fn name(&self) -> &'static str {
        self.name
    }

    fn zones(&self) -> Option<&ZoneSettings> {
        Some(&self.locality.zones)
    }

    fn load_reports(&self) -> Option<Arc<dyn LoadReports>> {
        Some(Arc::clone(&self.settings.weighing) as Arc<dyn LoadReports>)
    }

    fn localize(&self, worker: &Rc<Worker>) -> Box<dyn LoadBalancer> {
        let balancer = WeightedBalancer::new(Box::new(InTurn), self.locality, worker.seed());
        let balancer = balancer.starting_slowly(self.settings.slow_start.as_ref(), worker);
        Box::new(Balancer {
            balancer: balancer.aware_of_zones(worker),
            settings: self.settings.clone(),
            worker: Rc::clone(worker),
            due: worker.now(),
            version: 0,
            weights: Vec::new(),
        })
    }
}

struct Balancer {
    balancer: WeightedBalancer,
    settings: Settings,
    worker: Rc<Worker>,
    /// When weights change next.
    due: Instant,
    /// Of the hosts that have weights.
    version: u64,
    /// Of all hosts, in their order.
    weights: Vec<u32>,
}

impl Balancer {
    /// Gives the hosts the weights that they have reported; of each priority, those that haven't
    /// get the median.
    fn update(&mut self, hosts: &PrioritySet, now: Instant) {
        let mut weights = Vec::with_capacity(self.weights.len());
        for set in hosts.sets() {
            let reported = |host: &Arc<Host>| {
                let load = host.monitor().and_then(HostMonitor::load)?;
                load.weight(&self.settings.periods, now)
            };
            let reported: Vec<_> = set.hosts().iter().map(reported).collect();
            let default = median(reported.iter().flatten().copied().collect());
            for (host, weight) in set.hosts().iter().zip(reported) {
                host.set_weight(weight.unwrap_or(default));
                weights.push(host.weight());
            }
        }
        if weights != self.weights {
            self.weights = weights;
            self.balancer.reschedule();
        }
    }
}

impl LoadBalancer for Balancer {
    fn choose(
        &mut self,
        hosts: &PrioritySet,
        request: &dyn LbRequest,
        cx: &mut LbCx<'_>,
    ) -> Choice {
        let now = self.worker.now();
        if now >= self.due || self.version != hosts.version() {
            self.due = now + self.settings.update_period;
            self.version = hosts.version();
            self.update(hosts, now);
        }
        self.balancer.choose(hosts, request, cx)
    }

    fn choose_ahead(&mut self, hosts: &PrioritySet, cx: &mut LbCx<'_>) -> Option<Arc<Host>> {
        self.balancer.choose_ahead(hosts, cx)
    }
}

/// The median of weights, between the two in the middle where they are even in number; 1 of none.
fn median(mut weights: Vec<u32>) -> u32 {
    weights.sort_unstable();
    let middle = weights.len() / 2;
    match (weights.get(middle), weights.len() % 2) {
        (None, _) => 1,
        (Some(upper), 1) => *upper,
        (Some(upper), _) => {
            let both = u64::from(*upper) + u64::from(weights[middle - 1]);
            // The mean of two is no larger than the larger.
            (both / 2) as u32
        }
    }
}

#[cfg(test)]
mod tests;
