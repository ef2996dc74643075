//! Connections in use that are to be closed when their host becomes unhealthy
//! (`close_connections_on_host_health_failure`).

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

/// Tells a connection's owner that its host has become unhealthy.
#[derive(Default)]
pub(super) struct Doom {
    failed: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Doom {
    /// Whether the host has become unhealthy; if not, the task is woken when it does.
    pub fn poll(&self, task: &Context<'_>) -> bool {
        if !self.failed.get() {
            let mut waker = self.waker.borrow_mut();
            match &mut *waker {
                Some(known) => known.clone_from(task.waker()),
                None => *waker = Some(task.waker().clone()),
            }
        }
        self.failed.get()
    }
}

/// The connections of a pool that are in use.
#[derive(Default)]
pub(super) struct Doomed(RefCell<Vec<Rc<Doom>>>);

impl Doomed {
    /// One more.
    pub fn add(&self) -> Rc<Doom> {
        let doom = Rc::<Doom>::default();
        self.0.borrow_mut().push(Rc::clone(&doom));
        doom
    }

    /// It is closed.
    pub fn remove(&self, doom: &Rc<Doom>) {
        let mut all = self.0.borrow_mut();
        if let Some(at) = all.iter().position(|other| Rc::ptr_eq(other, doom)) {
            all.swap_remove(at);
        }
    }

    /// The host has become unhealthy.
    pub fn fail_all(&self) {
        for doom in self.0.take() {
            doom.failed.set(true);
            if let Some(waker) = doom.waker.take() {
                waker.wake();
            }
        }
    }
}
