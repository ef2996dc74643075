//! Subsets: requests go to the hosts whose metadata is as the route asks
//! (`envoy.load_balancing_policies.subset`; Envoy's "Load Balancer Subsets"). Which subsets there
//! are is found on main; workers share that and have balancers of their own.

mod balancer;
mod config;
mod criteria;
mod tree;

pub use config::Policy;

use balancer::SubsetBalancer;
use criteria::Criteria;
use nuncio_upstream::lb::load_report::LoadReports;
use nuncio_upstream::lb::zone::ZoneSettings;
use nuncio_upstream::lb::{Shared, SharedCx};
use nuncio_upstream::{LbSpec, LoadBalancer, PrioritySet};
use nuncio_worker::Worker;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use tree::Subsets;

/// Names of metadata fields.
pub(crate) type Keys = BTreeSet<String>;

/// Where requests go for which there is no subset.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Fallback {
    /// Nowhere.
    #[default]
    None,
    /// To any host.
    Any,
    /// To the default subset.
    Default,
    /// To the subset that these of the request's keys name.
    Keys(Keys),
}

/// Which subsets there are: those of hosts that have the same values under these keys.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Selector {
    pub keys: Keys,
    /// Whether only the first host of a subset counts.
    pub single_host: bool,
    /// Where requests with exactly these keys go for which there is no subset, in the place of the
    /// policy's own fallback.
    pub fallback: Option<Fallback>,
}

/// The policy as configured.
#[derive(Clone, Debug)]
pub(crate) struct SubsetSpec {
    /// Balances within a subset.
    pub policy: Arc<dyn LbSpec>,
    pub selectors: Vec<Selector>,
    pub fallback: Fallback,
    /// What hosts of the default subset have in their metadata.
    pub default_subset: Criteria,
    /// Whether keys that no subset is made by are passed over.
    pub allow_redundant_keys: bool,
    /// Whether subsets keep the weights of localities.
    pub locality_weight_aware: bool,
    /// Whether these are lowered where a subset has not all hosts of a locality.
    pub scale_locality_weight: bool,
    /// Whether any host will do where the fallback has none.
    pub panic_mode_any: bool,
    /// Whether a host is in the subsets of each value in its lists.
    pub list_as_any: bool,
    /// Whether requests may bring a list of criteria, to be tried in turn.
    pub fallback_list: bool,
}

impl LbSpec for Subset {
    fn name(&self) -> &'static str {
        "envoy.load_balancing_policies.subset"
    }

    fn shared(&self, hosts: &PrioritySet, cx: &SharedCx<'_>) -> Option<Shared> {
        let subsets = Subsets::new(&self.0, hosts, cx);
        subsets.count(cx);
        Some(Arc::new(subsets))
    }

    fn retire(&self, shared: &Shared, cx: &SharedCx<'_>) {
        if let Some(subsets) = shared.downcast_ref::<Subsets>() {
            subsets.count_gone(cx);
        }
    }

    fn zones(&self) -> Option<&ZoneSettings> {
        self.0.policy.zones()
    }

    fn load_reports(&self) -> Option<Arc<dyn LoadReports>> {
        self.0.policy.load_reports()
    }

    fn localize(&self, worker: &Rc<Worker>) -> Box<dyn LoadBalancer> {
        Box::new(SubsetBalancer::new(&self.0, worker))
    }
}

/// The policy.
#[derive(Clone, Debug)]
pub(crate) struct Subset(pub Arc<SubsetSpec>);

#[cfg(test)]
mod tests;
