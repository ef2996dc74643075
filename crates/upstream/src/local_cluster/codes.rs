//! Responses by status code: the cluster's, those of requests from inside and outside, of canaries,
//! of attempts that were followed by others, and from this proxy's zone to the hosts'.

use super::LocalCluster;
use crate::cluster::ClusterInfo;
use crate::host::{Host, Locality};
use nuncio_stats::LocalResponseCodes;
use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

/// Responses by code, made with the first response.
pub(super) struct Codes {
    all: OnceCell<LocalResponseCodes>,
    internal: OnceCell<LocalResponseCodes>,
    external: OnceCell<LocalResponseCodes>,
    canary: OnceCell<LocalResponseCodes>,
    retry: OnceCell<LocalResponseCodes>,
    /// Where this proxy knows its zone.
    zones: Option<Box<Zones>>,
}

/// Responses by the zone of the host.
struct Zones {
    own: Arc<Locality>,
    /// In the order of the zones' names: they are few, and each response asks.
    to: RefCell<Vec<(Box<str>, LocalResponseCodes)>>,
}

impl Codes {
    pub(super) fn new(info: &ClusterInfo) -> Self {
        let own = info.spec.own_locality.as_ref();
        let own = own.filter(|own| !own.zone.is_empty());
        Self {
            all: OnceCell::new(),
            internal: OnceCell::new(),
            external: OnceCell::new(),
            canary: OnceCell::new(),
            retry: OnceCell::new(),
            zones: own.map(|own| {
                Box::new(Zones {
                    own: Arc::clone(own),
                    to: RefCell::default(),
                })
            }),
        }
    }
}

impl LocalCluster {
    /// Counts a response under `cluster.NAME.`, and again by where its request came from and
    /// whether a canary answered.
    pub fn count_response(&self, status: u16, internal: bool, canary: bool) {
        self.stats().upstream_rq_completed().inc();
        self.codes(internal, canary)
            .for_each(|codes| codes.count(status));
    }

    /// Counts a response from a host, or what a request to it is answered with, under
    /// `zone.FROM.TO.`, where both zones are known.
    pub fn count_zone(&self, host: &Host, status: u16) {
        self.with_zone(host, |codes| codes.count(status));
    }

    /// Records `upstream_rq_time`, as [`count_zone`](Self::count_zone) counts.
    pub fn record_zone_time(&self, host: &Host, milliseconds: u64) {
        self.with_zone(host, |codes| codes.record_time(milliseconds));
    }

    /// Counts a response, or a failure as the code it would have been answered with, that led to a
    /// retry: under `retry.` alone.
    pub fn count_retried(&self, status: u16) {
        let scope = &self.core.info.scope;
        let codes = &self.codes.retry;
        codes
            .get_or_init(|| scope.scope("retry").response_codes().local())
            .count(status);
    }

    /// Records `upstream_rq_time`, as [`count_response`](Self::count_response) counts.
    pub fn record_response_time(&self, milliseconds: u64, internal: bool, canary: bool) {
        self.codes(internal, canary)
            .for_each(|codes| codes.record_time(milliseconds));
    }

    fn codes(&self, internal: bool, canary: bool) -> impl Iterator<Item = &LocalResponseCodes> {
        let scope = &self.core.info.scope;
        let below = |name: &str| scope.scope(name).response_codes().local();
        let codes = &self.codes;
        let all = codes
            .all
            .get_or_init(|| scope.response_codes_without_total().local());
        let origin = if internal {
            codes.internal.get_or_init(|| below("internal"))
        } else {
            codes.external.get_or_init(|| below("external"))
        };
        let canary = canary.then(|| codes.canary.get_or_init(|| below("canary")));
        [all, origin].into_iter().chain(canary)
    }

    fn with_zone(&self, host: &Host, count: impl Fn(&LocalResponseCodes)) {
        let Some(zones) = &self.codes.zones else {
            return;
        };
        let zone = host.locality().zone.as_str();
        if zone.is_empty() {
            return;
        }
        let mut to = zones.to.borrow_mut();
        let at = to
            .binary_search_by(|(name, _)| (**name).cmp(zone))
            .unwrap_or_else(|at| {
                let name = format!("zone.{}.{zone}", zones.own.zone);
                let codes = self.core.info.scope.scope(&name).response_codes().local();
                to.insert(at, (zone.into(), codes));
                at
            });
        count(&to[at].1);
    }
}
