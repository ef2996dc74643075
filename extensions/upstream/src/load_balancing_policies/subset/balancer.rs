//! A worker's balancer: finds the subset of a request, or what stands in for it.

use super::criteria::Criteria;
use super::tree::{OneSubset, Subsets};
use super::{Fallback, SubsetSpec};
use nuncio_base::metadata::Value;
use nuncio_upstream::lb::{Choice, LbCx, LbRequest};
use nuncio_upstream::{LoadBalancer, PrioritySet};
use nuncio_worker::Worker;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// Where requests bring a list of criteria, to be tried in turn.
const FALLBACK_LIST: &str = "fallback_list";

pub(super) struct SubsetBalancer {
    spec: Arc<SubsetSpec>,
    worker: Rc<Worker>,
    version: u64,
    /// Of the subsets that were chosen from.
    balancers: HashMap<u64, Box<dyn LoadBalancer>>,
}

impl SubsetBalancer {
    pub fn new(spec: &Arc<SubsetSpec>, worker: &Rc<Worker>) -> Self {
        Self {
            spec: Arc::clone(spec),
            worker: Rc::clone(worker),
            version: 0,
            balancers: HashMap::new(),
        }
    }

    /// Chooses within a subset.
    fn within(
        &mut self,
        subset: Option<&OneSubset>,
        request: &dyn LbRequest,
        cx: &mut LbCx<'_>,
    ) -> Choice {
        let Some(subset) = subset else {
            return Choice::NoHost;
        };
        let (spec, worker) = (&self.spec, &self.worker);
        let make = || spec.policy.localize(worker);
        let balancer = self.balancers.entry(subset.id).or_insert_with(make);
        balancer.choose(&subset.hosts, request, cx)
    }

    /// Chooses by these criteria, or as their selector or the policy falls back.
    fn by_criteria(
        &mut self,
        subsets: &Subsets,
        criteria: Option<&Criteria>,
        request: &dyn LbRequest,
        cx: &mut LbCx<'_>,
    ) -> Choice {
        let spec = Arc::clone(&self.spec);
        if let Some(criteria) = criteria {
            if let Some(subset) = subsets.find(criteria, spec.allow_redundant_keys) {
                cx.stats.lb_subsets_selected().inc();
                return self.within(Some(subset), request, cx);
            }
            match spec.fallback_of(criteria) {
                None => {}
                Some(Fallback::None) => return Choice::NoHost,
                Some(Fallback::Any) => return self.within(subsets.any.as_ref(), request, cx),
                Some(Fallback::Default) => {
                    return self.within(subsets.default.as_ref(), request, cx);
                }
                Some(Fallback::Keys(keys)) => {
                    let mut fewer = criteria.clone();
                    fewer.retain(|name, _| keys.contains(name));
                    return self.by_criteria(subsets, Some(&fewer), request, cx);
                }
            }
        }
        let fallback = match spec.fallback {
            Fallback::Any => subsets.any.as_ref(),
            Fallback::Default => subsets.default.as_ref(),
            Fallback::None | Fallback::Keys(_) => return Choice::NoHost,
        };
        let choice = self.within(fallback, request, cx);
        if !matches!(choice, Choice::NoHost) {
            cx.stats.lb_subsets_fallback().inc();
            return choice;
        }
        if !spec.panic_mode_any {
            return choice;
        }
        let choice = self.within(subsets.any.as_ref(), request, cx);
        if !matches!(choice, Choice::NoHost) {
            cx.stats.lb_subsets_fallback_panic().inc();
        }
        choice
    }
}

impl SubsetSpec {
    /// Where requests with these keys fall back to, where a selector says so.
    fn fallback_of(&self, criteria: &Criteria) -> Option<&Fallback> {
        let same = |keys: &super::Keys| keys.iter().eq(criteria.keys());
        let mut selectors = self.selectors.iter().rev();
        selectors.find_map(|one| one.fallback.as_ref().filter(|_| same(&one.keys)))
    }
}

impl LoadBalancer for SubsetBalancer {
    fn choose(
        &mut self,
        hosts: &PrioritySet,
        request: &dyn LbRequest,
        cx: &mut LbCx<'_>,
    ) -> Choice {
        let shared = hosts.lb_shared();
        let Some(subsets) = shared.and_then(|shared| shared.downcast_ref::<Subsets>()) else {
            return Choice::NoHost;
        };
        if self.version != hosts.version() {
            self.version = hosts.version();
            self.balancers.retain(|id, _| subsets.contains(*id));
        }
        let criteria = request.metadata_match();
        let criteria = criteria.as_deref();
        let list = criteria.filter(|_| self.spec.fallback_list);
        match list.and_then(|criteria| Some((criteria, criteria.get(FALLBACK_LIST)?))) {
            Some((criteria, Value::List(list))) => {
                let mut common = criteria.clone();
                common.remove(FALLBACK_LIST);
                if list.is_empty() {
                    return self.by_criteria(subsets, Some(&common), request, cx);
                }
                for more in list.iter() {
                    let criteria = merged(&common, more);
                    let choice = self.by_criteria(subsets, Some(&criteria), request, cx);
                    if !matches!(choice, Choice::NoHost) {
                        return choice;
                    }
                }
                Choice::NoHost
            }
            _ => self.by_criteria(subsets, criteria, request, cx),
        }
    }
}

fn merged(common: &Criteria, more: &Value) -> Criteria {
    let mut criteria = common.clone();
    if let Value::Struct(more) = more {
        let more = more.iter();
        criteria.extend(more.map(|(name, value)| (name.clone(), value.clone())));
    }
    criteria
}
