//! A downstream connection as its manager's gauges see it.

use crate::conn_manager::local::HcmLocal;
use nuncio_net::{ConnectionEvent, NewConnection};
use std::rc::Rc;

impl HcmLocal {
    /// A connection has ended in the middle of its TLS handshake.
    pub fn count_failed_handshake(&self, event: ConnectionEvent) {
        self.stats.downstream_cx_total().inc();
        self.stats.downstream_cx_ssl_total().inc();
        self.stats.downstream_cx_destroy().inc();
        match event {
            ConnectionEvent::RemoteClose => self.stats.downstream_cx_destroy_remote().inc(),
            ConnectionEvent::LocalClose => self.stats.downstream_cx_destroy_local().inc(),
        }
    }
}

/// Counts a connection from its beginning until it is dropped.
pub(super) struct CountedConnection {
    local: Rc<HcmLocal>,
    ssl: bool,
}

impl CountedConnection {
    pub fn new(local: &Rc<HcmLocal>, connection: &NewConnection<'_>) -> Self {
        let ssl = connection.info.tls.is_some();
        local.stats.downstream_cx_total().inc();
        local.stats.downstream_cx_active().inc();
        if ssl {
            local.stats.downstream_cx_ssl_total().inc();
            local.stats.downstream_cx_ssl_active().inc();
        }
        Self {
            local: Rc::clone(local),
            ssl,
        }
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.local.stats.downstream_cx_active().dec();
        if self.ssl {
            self.local.stats.downstream_cx_ssl_active().dec();
        }
    }
}
