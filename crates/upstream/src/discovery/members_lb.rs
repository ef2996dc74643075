//! What main does for a cluster's load-balancing policy.

use super::Members;
use crate::lb::{Shared, SharedCx};
use crate::priority::PrioritySet;
use crate::stats::ClusterLbStats;

/// How many threads balance, main among them; a service of main.
pub struct Threads(pub u64);

impl Members {
    /// What main counts of balancing.
    pub fn lb_stats(&self) -> &ClusterLbStats {
        &self.lb_stats
    }

    /// How many threads balance.
    pub fn threads(&self) -> u64 {
        let threads = self.worker().services().get::<Threads>();
        threads.map_or(1, |threads| threads.0)
    }

    fn shared_cx<'a>(&'a self, before: Option<&'a Shared>) -> SharedCx<'a> {
        SharedCx {
            scope: &self.info().scope,
            before,
            stats: &self.lb_stats,
            threads: self.threads(),
        }
    }

    /// Builds what the policy needs once for all workers.
    pub(super) fn build_shared(
        &self,
        hosts: &PrioritySet,
        before: Option<&Shared>,
    ) -> Option<Shared> {
        self.info().spec.lb.shared(hosts, &self.shared_cx(before))
    }

    /// The cluster goes.
    pub(super) fn retire_shared(&self) {
        if let Some(shared) = self.current().lb_shared() {
            let lb = &self.info().spec.lb;
            lb.retire(shared, &self.shared_cx(None));
        }
    }
}
