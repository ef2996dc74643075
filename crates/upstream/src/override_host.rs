//! Hosts that requests go to against the balancer's choice, found by their addresses (Envoy's
//! `HostUtility::selectOverrideHost`).

use crate::host::Host;
use crate::local_cluster::LocalCluster;
use crate::priority::PrioritySet;
use nuncio_stream_info::OverrideHost;
use std::collections::HashMap;
use std::sync::Arc;

/// The hosts of one moment by their addresses, made when first asked for.
#[derive(Default)]
pub struct HostsByAddress {
    version: u64,
    hosts: HashMap<String, Arc<Host>>,
}

impl HostsByAddress {
    /// The host of `hosts` at this address, as logs print it; of several the first.
    pub fn find(&mut self, hosts: &PrioritySet, address: &str) -> Option<Arc<Host>> {
        if self.version != hosts.version() {
            self.version = hosts.version();
            self.hosts.clear();
            for host in hosts.hosts() {
                let address = host.address().to_string();
                self.hosts
                    .entry(address)
                    .or_insert_with(|| Arc::clone(host));
            }
        }
        self.hosts.get(address).cloned()
    }
}

/// What becomes of a wish for a certain host.
pub enum Overridden {
    /// It is granted.
    Host(Arc<Host>),
    /// Any other will do as well.
    Balance,
    /// Only this one would have done, and it is there, but not well enough.
    Unhealthy,
    /// Only this one would have done, and it is not there.
    NotFound,
}

impl LocalCluster {
    /// Looks for the host that a request is wanted to go to.
    pub fn override_host(&self, wanted: &OverrideHost) -> Overridden {
        self.prepare();
        let found = self.find_host(&wanted.address);
        let statuses = self.spec().common_lb.override_host_status;
        let missed = match found {
            Some(host) if statuses.has(host.health_status()) => return Overridden::Host(host),
            _ if !wanted.strict => Overridden::Balance,
            Some(_) => Overridden::Unhealthy,
            None => Overridden::NotFound,
        };
        if wanted.strict {
            self.stats().upstream_cx_none_healthy().inc();
        }
        missed
    }
}
