//! What clusters record of attempts where they are asked to (`track_cluster_stats`).

use crate::cluster::ClusterInfo;
use crate::stats::{RequestResponseSizeStats, TimeoutBudgetStats};
use nuncio_stats::Group;

/// What is recorded of each attempt where a cluster tracks it (`track_cluster_stats`).
pub struct TrackedRequests {
    /// Sizes.
    pub sizes: Option<RequestResponseSizeStats>,
    /// Shares of time limits.
    pub timeout_budgets: Option<TimeoutBudgetStats>,
}

impl TrackedRequests {
    pub(crate) fn of(info: &ClusterInfo) -> Option<Box<Self>> {
        let sizes = info.size_stats.as_ref().map(Group::local);
        let timeout_budgets = info.timeout_budget_stats.as_ref().map(Group::local);
        let any = sizes.is_some() || timeout_budgets.is_some();
        any.then(|| {
            Box::new(Self {
                sizes,
                timeout_budgets,
            })
        })
    }
}
