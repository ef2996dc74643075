//! STATIC: the endpoints of the config, once and for all.

use super::members::Members;
use super::{Discovery, LoadAssignment};
use crate::host::Host;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A cluster's endpoints, all with fixed addresses.
pub struct StaticHosts {
    /// The endpoints.
    pub assignment: LoadAssignment,
}

impl Discovery for StaticHosts {
    fn name(&self) -> &'static str {
        "STATIC"
    }

    fn start(&self, members: &Rc<Members>) {
        let mut hosts: BTreeMap<u32, Vec<_>> = BTreeMap::new();
        for endpoint in &self.assignment.endpoints {
            let of_priority = hosts.entry(endpoint.host.priority).or_default();
            let host = Host::new(endpoint.host.clone());
            members.count_socket_match(&host);
            of_priority.push(host);
        }
        members.configure(&self.assignment);
        members.set(hosts);
        members.ready();
    }
}
