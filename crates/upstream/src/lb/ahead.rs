//! Hosts chosen before there are requests for them, so that connections can be made meanwhile
//! (`predictive_preconnect_ratio`).

use super::{Choice, LbCx, LbRequest, LoadBalancer};
use crate::host::Host;
use crate::local_cluster::LocalCluster;
use crate::priority::PrioritySet;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

/// A balancer, and what it has chosen for the next requests.
pub(crate) struct Ahead {
    balancer: Box<dyn LoadBalancer>,
    chosen: VecDeque<Arc<Host>>,
    /// Of the hosts that it has chosen from.
    version: u64,
}

impl Ahead {
    /// Nothing is chosen yet.
    pub fn new(balancer: Box<dyn LoadBalancer>) -> Self {
        Self {
            balancer,
            chosen: VecDeque::new(),
            version: 0,
        }
    }

    fn update(&mut self, hosts: &PrioritySet) {
        if self.version != hosts.version() {
            self.version = hosts.version();
            self.chosen.clear();
        }
    }
}

impl LoadBalancer for Ahead {
    fn choose(
        &mut self,
        hosts: &PrioritySet,
        request: &dyn LbRequest,
        cx: &mut LbCx<'_>,
    ) -> Choice {
        self.update(hosts);
        // A retry may want another priority than the one that was chosen from.
        if matches!(request.priority_load(hosts), Cow::Borrowed(_)) {
            while let Some(host) = self.chosen.pop_front() {
                if !request.refuses(&host) {
                    return Choice::Host(host);
                }
            }
        }
        self.balancer.choose(hosts, request, cx)
    }

    /// No more hosts are chosen ahead than there are healthy ones.
    fn choose_ahead(&mut self, hosts: &PrioritySet, cx: &mut LbCx<'_>) -> Option<Arc<Host>> {
        self.update(hosts);
        let healthy: usize = hosts.sets().iter().map(|set| set.healthy().len()).sum();
        if self.chosen.len() >= healthy {
            return None;
        }
        let host = self.balancer.choose_ahead(hosts, cx)?;
        self.chosen.push_back(Arc::clone(&host));
        Some(host)
    }

    fn prepare(&mut self) {
        self.balancer.prepare();
    }

    fn hosts(&self) -> Option<&PrioritySet> {
        self.balancer.hosts()
    }

    fn owner(&self, host: &Host) -> Option<&Rc<LocalCluster>> {
        self.balancer.owner(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lb::AnyRequest;
    use crate::lb::weighted::{Pick, WeightedBalancer};
    use crate::priority::tests::host_set;
    use crate::stats::ClusterLbStats;
    use nuncio_base::random::Random;
    use nuncio_stats::Store;

    struct InTurn {
        predictable: bool,
    }

    impl Pick for InTurn {
        fn predictable(&self) -> bool {
            self.predictable
        }

        fn pick(&self, hosts: &[Arc<Host>], turn: u64, _random: &mut Random) -> usize {
            turn as usize % hosts.len()
        }
    }

    /// A request that refuses one host.
    struct Not(u64);

    impl LbRequest for Not {
        fn refuses(&self, host: &Host) -> bool {
            host.id() == self.0
        }
    }

    fn hosts(count: usize) -> PrioritySet {
        PrioritySet::new(vec![host_set(0, (count, 0, 0, 0), Default::default())], 50)
    }

    /// Which hosts are chosen, by their places: `a` ahead, `c` for a request, `r` for one that
    /// refuses the first host.
    fn run(balancer: &mut Ahead, hosts: &PrioritySet, steps: &str) -> String {
        let store = Store::default();
        let stats = store.root().group::<ClusterLbStats>().local();
        let random = &mut Random::seeded(1);
        let all = hosts.sets()[0].hosts();
        let mut cx = LbCx {
            random,
            stats: &stats,
            active_requests: &|| 0,
        };
        let mut step = |step| {
            let chosen = match step {
                'a' => balancer.choose_ahead(hosts, &mut cx),
                step => {
                    let request: &dyn LbRequest = match step {
                        'r' => &Not(all[0].id()),
                        _ => &AnyRequest,
                    };
                    match balancer.choose(hosts, request, &mut cx) {
                        Choice::Host(host) => Some(host),
                        Choice::Pending(_) | Choice::NoHost => None,
                    }
                }
            };
            let place =
                chosen.and_then(|chosen| all.iter().position(|one| one.id() == chosen.id()));
            place.map_or("-".to_owned(), |place| place.to_string())
        };
        steps.chars().map(&mut step).collect()
    }

    fn ahead(predictable: bool) -> Ahead {
        let pick = Box::new(InTurn { predictable });
        Ahead::new(Box::new(WeightedBalancer::new(pick, Default::default(), 0)))
    }

    #[test]
    fn requests_get_the_hosts_that_were_chosen_for_them() {
        for (steps, chosen) in [
            ("ccc", "012"),
            ("aacccc", "010120"),
            ("aaaacc", "012-01"),
            ("caacac", "012102"),
            // Who refuses a host lets it go.
            ("aarc", "0112"),
        ] {
            assert_eq!(run(&mut ahead(true), &hosts(3), steps), chosen, "{steps}");
        }
        assert_eq!(run(&mut ahead(false), &hosts(3), "acac"), "-0-1");
        assert_eq!(run(&mut ahead(false), &hosts(1), "ac"), "-0");
        assert_eq!(run(&mut ahead(true), &hosts(1), "aac"), "0-0");
    }

    #[test]
    fn other_hosts_are_chosen_anew() {
        let mut balancer = ahead(true);
        assert_eq!(run(&mut balancer, &hosts(3), "aa"), "01");
        assert_eq!(run(&mut balancer, &hosts(2), "c"), "0");
    }
}
