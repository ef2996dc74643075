//! The clusters that the configuration needs without naming them, beside those that it names: with
//! stats that nobody sees, and known to workers like any other.

use crate::cluster_manager::{ClusterManager, ClusterSource};
use nuncio_base::time::wall;
use nuncio_config::internal_clusters::{InternalChange, InternalClusters};
use nuncio_extension::{InitTargets, ServerEnv};
use nuncio_proto::Packed;
use nuncio_proto::envoy::config::cluster::v3::Cluster;
use nuncio_stats::Store;
use nuncio_worker::{Worker, WorkerHandle};
use std::rc::Rc;

/// Begins to make clusters of what configuration asks for.
pub fn manage(
    env: &ServerEnv,
    worker: &Rc<Worker>,
    workers: Vec<WorkerHandle>,
) -> Rc<ClusterManager> {
    let manager = ClusterManager::unseen(worker, workers, &Store::default().root());
    let weak = Rc::downgrade(&manager);
    let change = move |change| {
        let Some(manager) = weak.upgrade() else {
            return;
        };
        match change {
            InternalChange::Added(config) => {
                let source = ClusterSource {
                    config: Packed::new::<Cluster>(Vec::new()),
                    version_info: Some(String::new()),
                    last_updated: wall(),
                };
                manager.set(*config, source, InitTargets::default());
            }
            InternalChange::Removed(name) => {
                manager.remove(&name);
            }
        }
    };
    InternalClusters::of(env).set_sink(Box::new(change));
    manager
}
