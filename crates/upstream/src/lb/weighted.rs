//! What ROUND_ROBIN, LEAST_REQUEST and RANDOM have in common: a list of hosts is chosen, then a
//! host of it, by a schedule where weights differ, else as the policy picks
//! (Envoy's `EdfLoadBalancerBase`).

use super::edf::EdfScheduler;
use super::source::{LocalitySettings, Source, Sources};
use super::{Choice, LbCx, LbRequest, LoadBalancer, choose_accepted};
use crate::host::Host;
use crate::priority::PrioritySet;
use nuncio_base::random::Random;
use nuncio_worker::Worker;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// What a policy adds.
pub trait Pick {
    /// Whether hosts' weights count.
    fn weighted(&self) -> bool {
        true
    }

    /// The weight of a host at this moment, above 0.
    fn weight(&self, host: &Host) -> f64 {
        f64::from(host.weight())
    }

    /// Picks from `hosts`, which are not empty and of equal weight. `turn` counts the picks from
    /// this list, from a random start.
    fn pick(&self, hosts: &[Arc<Host>], turn: u64, random: &mut Random) -> usize;
}

/// The state of one list that was chosen from.
struct ListState {
    /// Where weights differ.
    schedule: Option<EdfScheduler>,
    turn: u64,
}

/// A balancer of one worker.
pub struct WeightedBalancer {
    pick: Box<dyn Pick>,
    sources: Sources,
    version: u64,
    lists: BTreeMap<Source, ListState>,
    seed: u64,
}

impl WeightedBalancer {
    /// `seed` varies over the workers, so that they don't all begin with the same host.
    pub fn new(pick: Box<dyn Pick>, settings: LocalitySettings, seed: u64) -> Self {
        Self {
            pick,
            sources: Sources::new(settings, seed as u32),
            version: 0,
            lists: BTreeMap::new(),
            seed,
        }
    }

    /// Makes zones count, where this proxy belongs to a cluster.
    pub fn aware_of_zones(mut self, worker: &Rc<Worker>) -> Self {
        self.sources = self.sources.aware_of_zones(worker);
        self
    }

    fn update(&mut self, hosts: &PrioritySet) {
        if self.version == hosts.version() {
            return;
        }
        self.version = hosts.version();
        self.sources.rebuild(hosts);
        // Turns go on where they were; schedules are made when a list is next chosen from.
        let (pick, seed) = (&self.pick, self.seed);
        self.lists.retain(|source, state| {
            state.schedule = schedule(&**pick, source.hosts(hosts), seed);
            !source.hosts(hosts).is_empty()
        });
    }

    fn choose_once(
        &mut self,
        hosts: &PrioritySet,
        request: &dyn LbRequest,
        cx: &mut LbCx<'_>,
    ) -> Option<Arc<Host>> {
        let source = self.sources.choose(hosts, request, cx)?;
        let list = source.hosts(hosts);
        let pick = &self.pick;
        let index = match list.len() {
            0 => return None,
            1 => 0,
            _ => {
                let state = self.lists.entry(source).or_insert_with(|| ListState {
                    schedule: schedule(&**pick, list, self.seed),
                    turn: self.seed,
                });
                let scheduled = state.schedule.as_mut();
                let scheduled =
                    scheduled.and_then(|edf| edf.pick(|index| weight(&**pick, &list[index])));
                scheduled.unwrap_or_else(|| {
                    let turn = state.turn;
                    state.turn = turn.wrapping_add(1);
                    pick.pick(list, turn, cx.random)
                })
            }
        };
        list.get(index).cloned()
    }
}

impl LoadBalancer for WeightedBalancer {
    fn choose(
        &mut self,
        hosts: &PrioritySet,
        request: &dyn LbRequest,
        cx: &mut LbCx<'_>,
    ) -> Choice {
        self.update(hosts);
        choose_accepted(request, || self.choose_once(hosts, request, cx))
    }
}

fn weight(pick: &dyn Pick, host: &Host) -> f64 {
    pick.weight(host).max(f64::MIN_POSITIVE)
}

/// A schedule where the hosts' configured weights differ.
fn schedule(pick: &dyn Pick, hosts: &[Arc<Host>], seed: u64) -> Option<EdfScheduler> {
    let first = hosts.first()?.weight();
    if !pick.weighted() || hosts.iter().all(|host| host.weight() == first) {
        return None;
    }
    let entries = hosts.iter().map(|host| weight(pick, host)).enumerate();
    Some(EdfScheduler::new(&entries.collect::<Vec<_>>(), seed as u32))
}
