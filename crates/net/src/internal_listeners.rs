//! The internal listeners of one worker, as clusters connect to them by name.

use crate::internal_socket::InternalSocket;
use nuncio_base::address::InternalAddress;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

/// How many bytes wait in one direction of a connection where nothing is configured (Envoy's
/// `buffer_size_kb`).
pub const DEFAULT_BUFFER_LIMIT: usize = 1024 * 1024;

/// Takes the connections of an internal listener.
pub trait InternalAcceptor {
    /// How many bytes may wait in one direction of a connection.
    fn buffer_limit(&self) -> usize;
    /// Takes a connection over in the worker's next turn: until then the connecting end says what
    /// it passes along.
    fn accept(&self, socket: InternalSocket);
}

/// One worker's internal listeners: a worker service.
#[derive(Default)]
pub struct InternalListeners {
    by_name: RefCell<HashMap<Arc<str>, Rc<dyn InternalAcceptor>>>,
}

impl InternalListeners {
    /// Connections to this name go there from now on.
    pub fn add(&self, name: Arc<str>, acceptor: Rc<dyn InternalAcceptor>) {
        self.by_name.borrow_mut().insert(name, acceptor);
    }

    /// This one takes no more connections; one that has replaced it stays.
    pub fn remove(&self, name: &str, acceptor: &Rc<dyn InternalAcceptor>) {
        let mut by_name = self.by_name.borrow_mut();
        if by_name
            .get(name)
            .is_some_and(|known| Rc::ptr_eq(known, acceptor))
        {
            by_name.remove(name);
        }
    }

    /// A connection to a listener.
    ///
    /// # Errors
    /// Where there is none of that name: an invalid argument, as Envoy has it.
    pub fn connect(&self, address: &Arc<InternalAddress>) -> io::Result<InternalSocket> {
        let acceptor = self
            .by_name
            .borrow()
            .get(address.listener.as_str())
            .cloned();
        let Some(acceptor) = acceptor else {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        };
        let (client, server) = InternalSocket::pair(address, acceptor.buffer_limit());
        acceptor.accept(server);
        Ok(client)
    }
}
