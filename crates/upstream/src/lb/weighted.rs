//! What ROUND_ROBIN, LEAST_REQUEST and RANDOM have in common: a list of hosts is chosen, then a
//! host of it, by a schedule where weights differ, else as the policy picks
//! (Envoy's `EdfLoadBalancerBase`).

use super::edf::EdfScheduler;
use super::slow_start::{SlowStart, SlowStartSettings};
use super::source::{LocalitySettings, Source, Sources};
use super::{AnyRequest, Choice, LbCx, LbRequest, LoadBalancer, choose_accepted};
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

    /// Whether a pick stays right until a later request.
    fn predictable(&self) -> bool {
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
    slow_start: Option<Box<SlowStart>>,
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
            slow_start: None,
            seed,
        }
    }

    /// Makes zones count, where this proxy belongs to a cluster.
    pub fn aware_of_zones(mut self, worker: &Rc<Worker>) -> Self {
        self.sources = self.sources.aware_of_zones(worker);
        self
    }

    /// Makes hosts start slowly, where the settings are there.
    pub fn starting_slowly(
        mut self,
        settings: Option<&SlowStartSettings>,
        worker: &Rc<Worker>,
    ) -> Self {
        self.slow_start = settings.map(|settings| {
            Box::new(SlowStart {
                settings: settings.clone(),
                worker: Rc::clone(worker),
            })
        });
        self
    }

    /// Hosts weigh something else than before: schedules are made anew when a list is next chosen
    /// from, from another place on.
    pub fn reschedule(&mut self) {
        self.version = 0;
        self.seed = self.seed.wrapping_add(1);
    }

    fn weights(&self) -> Weights<'_> {
        Weights {
            pick: &*self.pick,
            slow_start: self.slow_start.as_deref(),
        }
    }

    fn update(&mut self, hosts: &PrioritySet) {
        if self.version == hosts.version() {
            return;
        }
        self.version = hosts.version();
        self.sources.rebuild(hosts);
        // Turns go on where they were; schedules are made when a list is next chosen from.
        let mut lists = std::mem::take(&mut self.lists);
        let weights = self.weights();
        lists.retain(|source, state| {
            state.schedule = weights.schedule(source.hosts(hosts), self.seed);
            !source.hosts(hosts).is_empty()
        });
        self.lists = lists;
    }

    fn choose_once(
        &mut self,
        hosts: &PrioritySet,
        request: &dyn LbRequest,
        cx: &mut LbCx<'_>,
        is_ahead: bool,
    ) -> Option<Arc<Host>> {
        let source = self.sources.choose(hosts, request, cx)?;
        let list = source.hosts(hosts);
        let weights = Weights {
            pick: &*self.pick,
            slow_start: self.slow_start.as_deref(),
        };
        let index = match list.len() {
            0 => return None,
            1 if is_ahead && !weights.pick.predictable() => return None,
            1 => 0,
            _ => {
                let state = self.lists.entry(source).or_insert_with(|| ListState {
                    schedule: weights.schedule(list, self.seed),
                    turn: self.seed,
                });
                let scheduled = state.schedule.as_mut();
                let scheduled =
                    scheduled.and_then(|edf| edf.pick(|index| weights.of(&list[index])));
                match scheduled {
                    Some(index) => index,
                    None if is_ahead && !weights.pick.predictable() => return None,
                    None => {
                        let turn = state.turn;
                        state.turn = turn.wrapping_add(1);
                        weights.pick.pick(list, turn, cx.random)
                    }
                }
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
        choose_accepted(request, || self.choose_once(hosts, request, cx, false))
    }

    fn choose_ahead(&mut self, hosts: &PrioritySet, cx: &mut LbCx<'_>) -> Option<Arc<Host>> {
        self.update(hosts);
        self.choose_once(hosts, &AnyRequest, cx, true)
    }
}

/// What hosts weigh.
#[derive(Clone, Copy)]
struct Weights<'a> {
    pick: &'a dyn Pick,
    slow_start: Option<&'a SlowStart>,
}

impl Weights<'_> {
    /// A host's weight at this moment.
    fn of(&self, host: &Host) -> f64 {
        let share = self.slow_start.map_or(1.0, |slow| slow.share(host));
        (self.pick.weight(host) * share).max(f64::MIN_POSITIVE)
    }

    /// A schedule where the hosts' configured weights differ, or some of them start slowly.
    fn schedule(&self, hosts: &[Arc<Host>], seed: u64) -> Option<EdfScheduler> {
        let first = hosts.first()?.weight();
        let same = !self.pick.weighted() || hosts.iter().all(|host| host.weight() == first);
        if same && !self.slow_start.is_some_and(|slow| slow.begins(hosts)) {
            return None;
        }
        let entries = hosts.iter().map(|host| self.of(host)).enumerate();
        let entries: Vec<_> = entries.collect();
        Some(EdfScheduler::new(&entries, seed as u32))
    }
}
