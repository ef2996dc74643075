//! `http.<stat_prefix>.fault.…`.

use nuncio_stats::{Scope, SharedCounter};
use nuncio_worker::local_slot::LocalSlot;
use std::collections::HashMap;

nuncio_stats::stat_group! {
    /// The filter's stats. The gauge `active_faults` stands beside them: it is a limit over all
    /// workers.
    pub struct FaultStats {
        counters { aborts_injected, delays_injected, faults_overflow, response_rl_injected }
    }
}

/// Of how many client clusters a worker keeps stats: clients name them.
const MOST_CLUSTERS: usize = 1024;

/// `fault.<downstream cluster>.…`.
pub(super) struct ClusterStats {
    scope: Scope,
    clusters: LocalSlot<HashMap<Vec<u8>, Counters>>,
}

#[derive(Clone)]
struct Counters {
    aborts: SharedCounter,
    delays: SharedCounter,
}

impl ClusterStats {
    pub fn new(scope: Scope) -> Self {
        Self {
            scope,
            clusters: LocalSlot::default(),
        }
    }

    pub fn count_abort(&self, cluster: &[u8]) {
        self.with(cluster, |counters| counters.aborts.inc());
    }

    pub fn count_delay(&self, cluster: &[u8]) {
        self.with(cluster, |counters| counters.delays.inc());
    }

    fn with(&self, cluster: &[u8], count: impl FnOnce(&Counters)) {
        self.clusters.with(|clusters| {
            if let Some(counters) = clusters.get(cluster) {
                return count(counters);
            }
            if clusters.len() >= MOST_CLUSTERS {
                return;
            }
            let scope = self.scope.scope(&String::from_utf8_lossy(cluster));
            let counters = Counters {
                aborts: scope.counter("aborts_injected"),
                delays: scope.counter("delays_injected"),
            };
            count(&counters);
            clusters.insert(cluster.to_vec(), counters);
        });
    }
}
