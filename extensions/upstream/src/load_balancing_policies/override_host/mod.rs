//! Override host: requests go to the hosts that they name, one for each attempt; those that name
//! none, or no more, are balanced by another policy
//! (`envoy.load_balancing_policies.override_host`).
//!
//! Security: what a request names is looked up among the cluster's hosts, and leads nowhere else;
//! whether a host is healthy is not asked, as in Envoy.

mod config;

pub use config::Policy;

use nuncio_base::HeaderName;
use nuncio_base::metadata::MetadataKey;
use nuncio_upstream::lb::load_report::LoadReports;
use nuncio_upstream::lb::zone::ZoneSettings;
use nuncio_upstream::lb::{LbCx, Shared, SharedCx};
use nuncio_upstream::{Choice, Host, HostsByAddress, LbRequest, LbSpec, LoadBalancer, PrioritySet};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

/// Where a request names hosts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Names {
    Header(HeaderName),
    Metadata(MetadataKey),
}

/// The policy as configured.
#[derive(Clone, Debug)]
pub(crate) struct OverrideHosts {
    /// In the order in which they are looked at.
    pub names: Vec<Names>,
    /// Where the chosen host is told.
    pub selected: Option<MetadataKey>,
    /// Balances all else.
    pub fallback: Arc<dyn LbSpec>,
}

impl LbSpec for OverrideHosts {
    fn name(&self) -> &'static str {
        "envoy.load_balancing_policies.override_host"
    }

    fn shared(&self, hosts: &PrioritySet, cx: &SharedCx<'_>) -> Option<Shared> {
        self.fallback.shared(hosts, cx)
    }

    fn retire(&self, shared: &Shared, cx: &SharedCx<'_>) {
        self.fallback.retire(shared, cx);
    }

    fn zones(&self) -> Option<&ZoneSettings> {
        self.fallback.zones()
    }

    fn load_reports(&self) -> Option<Arc<dyn LoadReports>> {
        self.fallback.load_reports()
    }

    fn localize(&self, worker: &Rc<Worker>) -> Box<dyn LoadBalancer> {
        Box::new(Balancer {
            spec: self.clone(),
            fallback: self.fallback.localize(worker),
            by_address: HostsByAddress::default(),
        })
    }
}

struct Balancer {
    spec: OverrideHosts,
    fallback: Box<dyn LoadBalancer>,
    by_address: HostsByAddress,
}

impl Names {
    fn text<'a>(&self, request: &'a dyn LbRequest) -> Option<&'a str> {
        match self {
            Self::Header(name) => std::str::from_utf8(request.headers()?.get(name)?).ok(),
            Self::Metadata(key) => key.text(&request.stream_info()?.metadata),
        }
    }
}

impl Balancer {
    /// The host for this attempt: each takes the next of those that there are.
    fn named(&mut self, hosts: &PrioritySet, request: &dyn LbRequest) -> Option<Arc<Host>> {
        let before = request.stream_info()?.attempt_count.saturating_sub(1);
        let texts = self.spec.names.iter();
        let texts = texts.filter_map(|names| names.text(request));
        let addresses = texts.flat_map(|text| text.split(','));
        let found = addresses.filter_map(|address| self.by_address.find(hosts, address.trim()));
        found
            .skip(before as usize)
            .find(|host| !request.refuses(host))
    }
}

impl LoadBalancer for Balancer {
    fn prepare(&mut self) {
        self.fallback.prepare();
    }

    fn choose(
        &mut self,
        hosts: &PrioritySet,
        request: &dyn LbRequest,
        cx: &mut LbCx<'_>,
    ) -> Choice {
        let choice = match self.named(hosts, request) {
            Some(host) => Choice::Host(host),
            None => self.fallback.choose(hosts, request, cx),
        };
        if let (Some(key), Choice::Host(host)) = (&self.spec.selected, &choice) {
            request.note(key, host.address().to_string());
        }
        choice
    }
}

#[cfg(test)]
mod tests;
