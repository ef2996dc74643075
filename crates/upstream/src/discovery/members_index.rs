//! All clusters' members on main, by number: how what a worker tells finds its cluster.

use super::Members;
use nuncio_worker::{Worker, WorkerHandle};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};

/// A service of main.
#[derive(Default)]
pub(super) struct MembersIndex {
    last: Cell<u64>,
    members: RefCell<HashMap<u64, Weak<Members>>>,
}

impl MembersIndex {
    /// The index of this worker.
    pub fn of(worker: &Worker) -> Rc<Self> {
        worker.services().get_or_default()
    }

    /// Notes a cluster; its number.
    pub fn add(&self, members: &Weak<Members>) -> u64 {
        let number = self.last.get() + 1;
        self.last.set(number);
        self.members
            .borrow_mut()
            .insert(number, Weak::clone(members));
        number
    }

    /// Forgets a cluster.
    pub fn remove(&self, number: u64) {
        self.members.borrow_mut().remove(&number);
    }
}

/// What reaches a cluster's members from any thread.
#[derive(Clone)]
pub(crate) struct MembersHandle {
    pub(super) main: WorkerHandle,
    pub(super) number: u64,
}

impl MembersHandle {
    /// Runs `tell` on main, if the cluster is still there.
    pub fn post(&self, tell: impl FnOnce(&Rc<Members>) + Send + 'static) {
        let number = self.number;
        self.main.post(move |worker| {
            let index = MembersIndex::of(worker);
            let members = index.members.borrow().get(&number).and_then(Weak::upgrade);
            if let Some(members) = members {
                tell(&members);
            }
        });
    }
}
