//! STRICT_DNS and LOGICAL_DNS: the endpoints of the config, at the addresses that their names
//! resolve to.
//!
//! With strict DNS each address is a host, and goes when the name loses it. With logical DNS the
//! name is one host, which moves: new connections go to the first address that was found last, and
//! to the others should that not answer, while open ones stay.

use super::dns_resolver::{DnsResolver, DnsResolvers, LookupFamily, Resolution, ResolverSettings};
use super::members::Members;
use super::refresh::{DnsRefresh, Pauses};
use super::{Discovery, LoadAssignment};
use crate::host::{Host, HostSpec};
use nuncio_base::address::Address;
use nuncio_worker::timer::sleep_until;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

/// A cluster's endpoints by name.
#[derive(Clone)]
pub struct DnsHosts {
    /// The endpoints; those with fixed addresses stay as they are.
    pub assignment: Arc<LoadAssignment>,
    /// Whether a name is one host, whatever number of addresses it has.
    pub logical: bool,
    /// Which addresses count.
    pub family: LookupFamily,
    /// How often names are resolved.
    pub refresh: DnsRefresh,
    /// How they are resolved.
    pub resolver: ResolverSettings,
    /// Whether the cluster is used only after the first resolution.
    pub wait_for_warm_on_init: bool,
}

impl Discovery for DnsHosts {
    fn name(&self) -> &'static str {
        if self.logical {
            "LOGICAL_DNS"
        } else {
            "STRICT_DNS"
        }
    }

    fn start(&self, members: &Rc<Members>) {
        members.configure(&self.assignment);
        let targets = self.assignment.endpoints.len();
        let cluster = Rc::new(DnsCluster {
            config: self.clone(),
            resolver: DnsResolvers::get(members.worker(), &self.resolver),
            members: Rc::downgrade(members),
            hosts: RefCell::new(vec![Vec::new(); targets]),
        });
        if !self.wait_for_warm_on_init || targets == 0 {
            members.ready();
        }
        for target in 0..targets {
            members
                .worker()
                .spawn(Rc::clone(&cluster).keep_resolving(target));
        }
    }
}

struct DnsCluster {
    config: DnsHosts,
    resolver: Rc<DnsResolver>,
    members: Weak<Members>,
    /// The hosts of each endpoint as found last.
    hosts: RefCell<Vec<Vec<Arc<Host>>>>,
}

impl DnsCluster {
    /// Resolves one endpoint's name for as long as the cluster exists.
    async fn keep_resolving(self: Rc<Self>, target: usize) {
        let mut pauses = Pauses::default();
        loop {
            let Some(members) = self.members.upgrade() else {
                return;
            };
            let worker = Rc::clone(members.worker());
            members.stats().update_attempt().inc();
            drop(members);
            let resolution = self.resolve(target).await;
            worker.tick();
            let Some(members) = self.members.upgrade() else {
                return;
            };
            let pause = match resolution {
                // A name without addresses is none at all to logical DNS.
                Resolution::Completed(found) if !(self.config.logical && found.is_empty()) => {
                    members.stats().update_success().inc();
                    let ttl = found.iter().map(|(_, ttl)| *ttl).min();
                    self.found(target, &found, &members);
                    worker.with_random(|random| {
                        pauses.after_success(&self.config.refresh, ttl, random)
                    })
                }
                Resolution::Completed(_) | Resolution::Failed(_) => {
                    members.stats().update_failure().inc();
                    worker.with_random(|random| pauses.after_failure(&self.config.refresh, random))
                }
            };
            members.ready();
            drop(members);
            // A back-off may be as short as nothing at all.
            let pause = pause.max(Duration::from_millis(1));
            sleep_until(&worker, worker.now() + pause).await;
        }
    }

    async fn resolve(&self, target: usize) -> Resolution {
        let endpoint = &self.config.assignment.endpoints[target];
        match (&endpoint.name, &endpoint.host.address) {
            (Some((name, _)), _) => self.resolver.resolve(name, self.config.family).await,
            (None, Address::Ip(at)) => Resolution::Completed(vec![(at.ip(), Duration::ZERO)]),
            (None, _) => Resolution::Completed(Vec::new()),
        }
    }

    fn found(&self, target: usize, found: &[(IpAddr, Duration)], members: &Members) {
        let endpoint = &self.config.assignment.endpoints[target];
        let (name, port) = match &endpoint.name {
            Some((name, port)) => (Arc::clone(name), *port),
            None => match &endpoint.host.address {
                Address::Ip(at) => (at.ip().to_string().into(), at.port()),
                other => (other.to_string().into(), 0),
            },
        };
        let mut seen = HashSet::new();
        let addresses: Vec<_> = found
            .iter()
            .filter(|(address, _)| seen.insert(*address))
            .map(|(address, _)| Address::Ip(SocketAddr::new(*address, port)))
            .collect();
        let mut hosts = self.hosts.borrow_mut();
        let current = &mut hosts[target];
        let spec = |address: &Address| {
            let mut spec = endpoint.host.clone();
            spec.address = address.clone();
            if spec.hostname.is_empty() {
                spec.hostname = Arc::clone(&name);
            }
            spec
        };
        let changed = if self.config.logical {
            found_logical(current, addresses, members, spec)
        } else {
            found_strict(current, &addresses, members, spec)
        };
        if !changed {
            if !self.config.logical {
                members.stats().update_no_rebuild().inc();
            }
            return;
        }
        let mut all: BTreeMap<u32, Vec<Arc<Host>>> = BTreeMap::new();
        for (target, hosts) in hosts.iter().enumerate() {
            let priority = self.config.assignment.endpoints[target].host.priority;
            all.entry(priority)
                .or_default()
                .extend(hosts.iter().cloned());
        }
        drop(hosts);
        let weights = all.values().flatten().map(|host| host.weight());
        members
            .stats()
            .max_host_weight()
            .set(weights.max().unwrap_or(0).into());
        members.set(all);
    }
}

/// Keeps the hosts whose addresses were found again; whether anything changed.
fn found_strict(
    current: &mut Vec<Arc<Host>>,
    addresses: &[Address],
    members: &Members,
    spec: impl Fn(&Address) -> HostSpec,
) -> bool {
    let kept = |address: &Address| current.iter().find(|host| host.address() == *address);
    let same = current.len() == addresses.len() && addresses.iter().all(|a| kept(a).is_some());
    for address in addresses {
        members.count_socket_match(&Host::new(spec(address)));
    }
    if same {
        return false;
    }
    let hosts = addresses
        .iter()
        .map(|address| kept(address).map_or_else(|| Host::new(spec(address)), Arc::clone));
    *current = hosts.collect();
    true
}

/// Moves the one host; an empty answer leaves it where it was.
fn found_logical(
    current: &mut Vec<Arc<Host>>,
    addresses: Vec<Address>,
    members: &Members,
    spec: impl Fn(&Address) -> HostSpec,
) -> bool {
    let Some(first) = addresses.first() else {
        return false;
    };
    if let Some(host) = current.first() {
        let moved = *host.addresses() != addresses[..];
        if moved {
            host.readdress(addresses.into());
        }
        return moved;
    }
    let host = Host::logical(spec(first));
    members.count_socket_match(&host);
    host.readdress(addresses.into());
    current.push(host);
    true
}

#[cfg(test)]
mod tests;
