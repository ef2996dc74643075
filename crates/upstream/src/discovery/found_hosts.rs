//! Hosts that workers find for their connections (ORIGINAL_DST): main makes them known to all
//! workers, and forgets those that nobody is connected to.

use super::Discovery;
use super::members::Members;
use crate::cluster::ClusterInfo;
use crate::host::Host;
use nuncio_base::address::Address;
use nuncio_worker::timer::sleep_until;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

/// For how long what workers find is gathered: each change is told to all of them.
const GATHER: Duration = Duration::from_millis(1);

/// A cluster whose hosts are found by its workers.
pub struct FoundHosts {
    /// How often hosts without connections are looked for.
    pub cleanup_interval: Duration,
}

impl Discovery for FoundHosts {
    fn name(&self) -> &'static str {
        "ORIGINAL_DST"
    }

    fn start(&self, members: &Rc<Members>) {
        let found = Rc::new(Found {
            members: Rc::downgrade(members),
            hosts: RefCell::default(),
        });
        members.keep(found.clone());
        members.info().take_found(members.handle());
        members.ready();
        let clean = keep_clean(Rc::downgrade(&found), self.cleanup_interval);
        members.worker().spawn(clean);
    }
}

/// What the workers found.
struct Found {
    members: Weak<Members>,
    hosts: RefCell<Hosts>,
}

#[derive(Default)]
struct Hosts {
    /// In the order in which they were found.
    all: Vec<Arc<Host>>,
    /// How many connections there had been to each when it was looked at last.
    connections: HashMap<Address, u64>,
    /// Not all of them are known to the workers.
    due: bool,
}

/// A worker has found a host.
pub(crate) fn found(info: &ClusterInfo, host: &Arc<Host>) {
    let Some(members) = info.members() else {
        return;
    };
    let host = Arc::clone(host);
    members.post(move |members| {
        if let Some(found) = members.kept::<Found>() {
            found.add(host, members);
        }
    });
}

impl Found {
    /// The first host of an address is the one that stays.
    fn add(self: Rc<Self>, host: Arc<Host>, members: &Members) {
        let mut hosts = self.hosts.borrow_mut();
        let address = host.address();
        if hosts.connections.contains_key(&address) {
            return;
        }
        members.count_socket_match(&host);
        hosts.connections.insert(address, 0);
        hosts.all.push(host);
        if std::mem::replace(&mut hosts.due, true) {
            return;
        }
        drop(hosts);
        let worker = Rc::clone(members.worker());
        members.worker().spawn(async move {
            sleep_until(&worker, worker.now() + GATHER).await;
            self.hosts.borrow_mut().due = false;
            self.publish();
        });
    }

    fn publish(&self) {
        let Some(members) = self.members.upgrade() else {
            return;
        };
        let all = self.hosts.borrow().all.clone();
        members.set(BTreeMap::from([(0, all)]));
    }

    /// Forgets hosts to which nobody is, or was since the last time, connected.
    fn clean(&self) {
        let mut hosts = self.hosts.borrow_mut();
        let Hosts {
            all, connections, ..
        } = &mut *hosts;
        let before = all.len();
        all.retain(|host| {
            let (address, total) = (host.address(), host.stats().cx_total.value());
            let last = connections.insert(address.clone(), total);
            let used = host.stats().cx_active.value() > 0 || last != Some(total);
            if !used {
                connections.remove(&address);
            }
            used
        });
        let changed = all.len() < before;
        drop(hosts);
        if changed {
            self.publish();
        }
    }
}

async fn keep_clean(found: Weak<Found>, interval: Duration) {
    loop {
        let worker = {
            let found = found.upgrade();
            match found.and_then(|found| found.members.upgrade()) {
                Some(members) => Rc::clone(members.worker()),
                None => return,
            }
        };
        sleep_until(&worker, worker.now() + interval).await;
        if let Some(found) = found.upgrade() {
            found.clean();
        }
    }
}
