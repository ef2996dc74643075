//! Hosts that discovery no longer finds, and that stay for as long as their health checks pass
//! (Envoy's "On eventually consistent service discovery").

use crate::health::HealthFlag;
use crate::host::Host;
use crate::host_set::Hosts;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// Which hosts stand in for which.
#[derive(Default)]
pub(super) struct Stabilized {
    /// By the number of a host that was found again: the host that had stayed.
    stand_ins: HashMap<u64, Arc<Host>>,
}

impl Stabilized {
    /// Adds to `new` those of `old` that stay, and puts hosts that stayed in the place of those
    /// that are found at their addresses again.
    pub fn apply(
        &mut self,
        old: &BTreeMap<u32, Hosts>,
        new: &mut BTreeMap<u32, Vec<Arc<Host>>>,
        stays: impl Fn(&Host) -> bool,
    ) {
        let found: HashSet<u64> = new.values().flatten().map(|host| host.id()).collect();
        self.stand_ins.retain(|id, _| found.contains(id));
        let mut left: Vec<(u32, &Arc<Host>)> = Vec::new();
        for (priority, hosts) in old {
            let gone = hosts.iter().filter(|host| !found.contains(&host.id()));
            left.extend(gone.map(|host| (*priority, host)));
        }
        if left.is_empty() {
            return;
        }
        for host in new.values_mut().flatten() {
            self.stand_in(host, &mut left);
        }
        for (priority, host) in left {
            if stays(host) {
                host.set_flag(HealthFlag::PendingDynamicRemoval, true);
                new.entry(priority).or_default().push(Arc::clone(host));
            }
        }
    }

    /// Puts the host that stayed in the place of the one found at its address.
    fn stand_in(&mut self, host: &mut Arc<Host>, left: &mut Vec<(u32, &Arc<Host>)>) {
        let known = self.stand_ins.get(&host.id()).cloned();
        let at = match &known {
            Some(known) => left.iter().position(|(_, old)| old.id() == known.id()),
            None => left.iter().position(|(_, old)| {
                old.has_flag(HealthFlag::PendingDynamicRemoval) && old.address() == host.address()
            }),
        };
        let Some(at) = at else {
            return;
        };
        let (_, stayed) = left.swap_remove(at);
        stayed.set_flag(HealthFlag::PendingDynamicRemoval, false);
        self.stand_ins.insert(host.id(), Arc::clone(stayed));
        *host = Arc::clone(stayed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::HostSpec;
    use nuncio_base::address::Address;

    fn host(name: &str) -> Arc<Host> {
        Host::new(HostSpec::new(Address::Pipe(name.into())))
    }

    fn set(hosts: &[&Arc<Host>]) -> BTreeMap<u32, Vec<Arc<Host>>> {
        BTreeMap::from([(0, hosts.iter().map(|host| Arc::clone(host)).collect())])
    }

    #[test]
    fn healthy_hosts_stay_and_are_known_again() {
        let (a, b, unhealthy) = (host("a"), host("b"), host("c"));
        unhealthy.set_flag(HealthFlag::FailedActiveHc, true);
        let stays = |host: &Host| !host.has_flag(HealthFlag::FailedActiveHc);
        let mut stabilized = Stabilized::default();
        let mut current = set(&[&a, &b, &unhealthy]);
        let mut step = |found: &[&Arc<Host>]| {
            let old = std::mem::take(&mut current);
            let old = old.into_iter().map(|(at, hosts)| (at, hosts.into()));
            let mut new = set(found);
            stabilized.apply(&old.collect(), &mut new, stays);
            current = new;
            current[&0].iter().map(|host| host.id()).collect::<Vec<_>>()
        };
        assert_eq!(step(&[&b]), [b.id(), a.id()]);
        assert!(a.has_flag(HealthFlag::PendingDynamicRemoval));
        // The same address is found again, twice.
        let again = host("a");
        for _ in 0..2 {
            assert_eq!(step(&[&again, &b]), [a.id(), b.id()]);
            assert!(!a.has_flag(HealthFlag::PendingDynamicRemoval));
        }
        a.set_flag(HealthFlag::FailedActiveHc, true);
        assert_eq!(step(&[&b]), [b.id()]);
    }
}
