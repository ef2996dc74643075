//! The listeners that run on one worker: where main's messages and other workers' sockets arrive.

use crate::incoming::Incoming;
use crate::listener::{Admission, Listener};
use crate::local::LocalListener;
use crate::sockets::WorkerSocket;
use crate::spec::FilterChainSpec;
use nuncio_base::address::Address;
use nuncio_net::DetachedSocket;
use nuncio_worker::Worker;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

/// One worker's listeners by number.
#[derive(Default)]
pub struct WorkerListeners {
    listeners: RefCell<HashMap<u64, Running>>,
    /// Where they are: the last one counts.
    places: RefCell<HashMap<Address, Vec<Rc<LocalListener>>>>,
}

/// A listener, and where it is: what goes is found by that.
struct Running {
    local: Rc<LocalListener>,
    places: Vec<Address>,
}

/// A connection between two workers.
pub(crate) struct HandedOver {
    pub socket: DetachedSocket,
    pub local_address: Address,
    pub remote_address: Address,
    pub network_namespace: Option<Arc<str>>,
}

impl WorkerListeners {
    /// The listeners of this worker.
    pub fn of(worker: &Worker) -> Rc<Self> {
        worker.services().get_or_default()
    }

    pub(crate) fn add(
        &self,
        worker: &Rc<Worker>,
        listener: Arc<Listener>,
        sockets: Vec<WorkerSocket>,
    ) -> io::Result<()> {
        let number = listener.number();
        let places: Vec<Address> = match sockets.is_empty() {
            true => listener
                .spec()
                .addresses
                .iter()
                .map(|at| at.address.clone())
                .collect(),
            // The system may have chosen ports.
            false => sockets.iter().map(|socket| socket.local.clone()).collect(),
        };
        let local = LocalListener::start(worker, listener, sockets)?;
        let mut known = self.places.borrow_mut();
        for place in &places {
            let here = known.entry(place.clone()).or_default();
            here.push(Rc::clone(&local));
        }
        drop(known);
        let running = Running { local, places };
        self.listeners.borrow_mut().insert(number, running);
        Ok(())
    }

    /// The listener that takes connections to an address.
    pub(crate) fn at(&self, address: &Address) -> Option<Rc<LocalListener>> {
        self.places.borrow().get(address)?.last().cloned()
    }

    fn leave(&self, listener: &Rc<LocalListener>, places: &[Address]) {
        let mut known = self.places.borrow_mut();
        for place in places {
            let Some(here) = known.get_mut(place) else {
                continue;
            };
            here.retain(|other| !Rc::ptr_eq(other, listener));
            if here.is_empty() {
                known.remove(place);
            }
        }
    }

    pub(crate) fn update(&self, listener: Arc<Listener>) {
        if let Some(local) = self.find(listener.number()) {
            local.update(listener);
        }
    }

    pub(crate) fn stop_accepting(&self, number: u64) {
        let mut listeners = self.listeners.borrow_mut();
        let Some(running) = listeners.get_mut(&number) else {
            return;
        };
        let (local, places) = (
            Rc::clone(&running.local),
            std::mem::take(&mut running.places),
        );
        drop(listeners);
        self.leave(&local, &places);
        local.stop_accepting();
    }

    pub(crate) fn close_chains(&self, number: u64, chains: &[Arc<FilterChainSpec>]) {
        if let Some(local) = self.find(number) {
            local.close_chains(chains);
        }
    }

    pub(crate) fn remove(&self, number: u64) {
        let removed = self.listeners.borrow_mut().remove(&number);
        if let Some(Running { local, places }) = removed {
            self.leave(&local, &places);
            local.close();
        }
    }

    /// Takes over a connection that another worker has accepted. One whose listener is gone
    /// meanwhile is closed.
    pub(crate) fn take_over(&self, number: u64, handed: HandedOver, admission: Admission) {
        let Some(local) = self.find(number) else {
            return;
        };
        // Registering fails where the worker has run out of memory for it: the connection ends.
        if let Ok(socket) = handed.socket.attach() {
            let mut incoming = Incoming::new(socket, handed.local_address, handed.remote_address);
            incoming.network_namespace = handed.network_namespace;
            local.begin(incoming, admission);
        }
    }

    fn find(&self, number: u64) -> Option<Rc<LocalListener>> {
        let listeners = self.listeners.borrow();
        Some(Rc::clone(&listeners.get(&number)?.local))
    }
}
