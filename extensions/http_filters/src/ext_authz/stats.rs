//! `http.<stat_prefix>.ext_authz.…` and `cluster.<route's cluster>.ext_authz.…`.

use nuncio_stats::SharedCounter;
use nuncio_upstream::{ClusterManager, LocalCluster};
use nuncio_worker::local_slot::LocalSlot;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

nuncio_stats::stat_group! {
    /// The filter's stats.
    pub struct ExtAuthzStats {
        counters {
            denied, disabled, error, failure_mode_allowed, filter_state_name_collision,
            ignored_dynamic_metadata, invalid, ok, omitted_response_headers,
            request_header_limits_reached, response_header_limits_reached, shadow_denied,
            shadow_error,
        }
    }
}

/// What is counted at the cluster that a request goes to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Outcome {
    Ok,
    Denied,
    Error,
    FailureModeAllowed,
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Denied => "denied",
            Self::Error => "error",
            Self::FailureModeAllowed => "failure_mode_allowed",
        }
    }
}

/// Counters at clusters, made when something is first counted there.
pub(super) struct ClusterStats {
    clusters: Rc<ClusterManager>,
    /// `ext_authz.` and the filter's own prefix.
    prefix: String,
    counters: LocalSlot<Counters>,
}

#[derive(Default)]
struct Counters {
    by_cluster: HashMap<Arc<str>, HashMap<Outcome, SharedCounter>>,
    generation: u64,
}

impl ClusterStats {
    pub fn new(clusters: Rc<ClusterManager>, stat_prefix: &str) -> Self {
        let prefix = match stat_prefix {
            "" => "ext_authz.".to_owned(),
            _ => format!("ext_authz.{stat_prefix}."),
        };
        Self {
            clusters,
            prefix,
            counters: LocalSlot::default(),
        }
    }

    pub fn count(&self, cluster: &LocalCluster, outcome: Outcome) {
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
                let make = || scope.counter(&format!("{}{}", self.prefix, outcome.name()));
                outcomes.entry(outcome).or_insert_with(make).inc();
            }
        });
    }
}
