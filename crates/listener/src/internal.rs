//! Internal listeners: connections from clusters of the same worker (Envoy's "Internal listener").

use crate::incoming::Incoming;
use crate::local::LocalListener;
use nuncio_net::{InternalAcceptor, InternalListeners, InternalSocket, Socket};
use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// What a listener is known by among the internal listeners of its worker, while it takes
/// connections.
#[derive(Default)]
pub(crate) struct Registration(RefCell<Option<Rc<dyn InternalAcceptor>>>);

struct Acceptor {
    listener: Weak<LocalListener>,
    buffer_limit: usize,
}

impl Registration {
    /// Takes connections from now on, if it is an internal listener.
    pub fn begin(&self, listener: &Rc<LocalListener>) {
        let config = listener.config();
        let spec = config.listener.spec();
        let Some(buffer_limit) = spec.internal_buffer_limit else {
            return;
        };
        let acceptor: Rc<dyn InternalAcceptor> = Rc::new(Acceptor {
            listener: Rc::downgrade(listener),
            buffer_limit,
        });
        let listeners: Rc<InternalListeners> = listener.worker().services().get_or_default();
        listeners.add(Arc::clone(&spec.name), Rc::clone(&acceptor));
        *self.0.borrow_mut() = Some(acceptor);
    }

    /// Takes no more.
    pub fn end(&self, listener: &LocalListener) {
        if let Some(acceptor) = self.0.take() {
            let listeners: Rc<InternalListeners> = listener.worker().services().get_or_default();
            listeners.remove(&listener.config().listener.spec().name, &acceptor);
        }
    }
}

impl InternalAcceptor for Acceptor {
    fn buffer_limit(&self) -> usize {
        self.buffer_limit
    }

    fn accept(&self, socket: InternalSocket) {
        // One that has ended meanwhile resets nothing: the other end sees it closed.
        if let Some(listener) = self.listener.upgrade() {
            let worker = Rc::clone(listener.worker());
            worker.spawn(async move { begin(&listener, socket) });
        }
    }
}

/// A connection begins with what its other end passes along.
fn begin(listener: &Rc<LocalListener>, socket: InternalSocket) {
    listener.worker().tick();
    let addresses = (
        socket.local_address().clone(),
        socket.peer_address().clone(),
    );
    let passed = std::mem::take(&mut *socket.passthrough().borrow_mut());
    let mut incoming = Incoming::new(Socket::Internal(Box::new(socket)), addresses.0, addresses.1);
    incoming.filter_state = passed.filter_state;
    incoming.metadata = passed.metadata;
    let admitted = listener.config().listener.admit_internal(listener.worker());
    match admitted {
        Some(admission) => listener.begin(incoming, admission),
        None => listener.stats.downstream_cx_overflow().inc(),
    }
}
