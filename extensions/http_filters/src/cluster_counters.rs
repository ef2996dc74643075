//! What filters count at the clusters that requests go to: `cluster.<name>.<prefix><counter>`,
//! counters that are made when something is first counted.

use nuncio_stats::SharedCounter;
use nuncio_upstream::{ClusterManager, LocalCluster};
use nuncio_worker::Worker;
use nuncio_worker::local_slot::LocalSlot;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// Counters of one filter on one worker.
pub(crate) struct ClusterCounters {
    clusters: Rc<ClusterManager>,
    /// The filter's part of the name, with the dot behind it.
    prefix: String,
    counters: LocalSlot<Counters>,
}

#[derive(Default)]
struct Counters {
    by_cluster: HashMap<Arc<str>, HashMap<&'static str, SharedCounter>>,
    generation: u64,
}

impl ClusterCounters {
    /// Counters below `filter`, and below `stat_prefix` where it is not empty.
    pub fn new(worker: &Rc<Worker>, filter: &str, stat_prefix: &str) -> Self {
        let prefix = match stat_prefix {
            "" => format!("{filter}."),
            _ => format!("{filter}.{stat_prefix}."),
        };
        Self {
            clusters: ClusterManager::of(worker),
            prefix,
            counters: LocalSlot::default(),
        }
    }

    /// The clusters.
    pub fn clusters(&self) -> &Rc<ClusterManager> {
        &self.clusters
    }

    /// Adds one to a counter of a cluster.
    pub fn count(&self, cluster: &LocalCluster, counter: &'static str) {
        self.counters.with(|counters| {
            let generation = self.clusters.generation();
            if counters.generation != generation {
                counters.generation = generation;
                let clusters = &self.clusters;
                counters
                    .by_cluster
                    .retain(|name, _| clusters.contains(name));
            }
            let name = cluster.name();
            if !counters.by_cluster.contains_key(name) {
                counters.by_cluster.insert(Arc::clone(name), HashMap::new());
            }
            if let Some(outcomes) = counters.by_cluster.get_mut(name) {
                let scope = &cluster.info().scope;
                let make = || scope.counter(&format!("{}{counter}", self.prefix));
                outcomes.entry(counter).or_insert_with(make).inc();
            }
        });
    }
}
