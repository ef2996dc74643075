//! One upstream connection as stats and circuit breakers see it, from the first SYN to the end.

use crate::host::Host;
use crate::local_cluster::ClusterCore;
use crate::resource::{Priority, Resource};
use nuncio_base::time::millis;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// Whether a pool may open another connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum MayConnect {
    Yes,
    /// The limit is reached; a pool without connections has this one all the same, so that nobody
    /// waits in it for ever.
    OnlyThis,
    No,
}

/// Why a connection could not be made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The peer, or the network.
    Remote,
    /// This machine.
    Local,
    /// Nobody answered in time.
    Timeout,
}

/// How many connections of a pool are alive.
#[derive(Default)]
pub(crate) struct Live {
    count: Cell<u32>,
    /// Whether a pool that has some is one of those that circuit breakers count.
    is_counted: bool,
}

impl Live {
    /// Of a pool that circuit breakers count.
    pub fn counted() -> Rc<Self> {
        Rc::new(Self {
            count: Cell::new(0),
            is_counted: true,
        })
    }

    pub fn get(&self) -> u32 {
        self.count.get()
    }

    fn begin(&self, core: &ClusterCore, priority: Priority) {
        let before = self.count.get();
        self.count.set(before + 1);
        if self.is_counted && before == 0 {
            core.take(priority, Resource::ConnectionPools);
        }
    }

    fn end(&self, core: &ClusterCore, priority: Priority) {
        let after = self.count.get() - 1;
        self.count.set(after);
        if self.is_counted && after == 0 {
            core.give(priority, Resource::ConnectionPools);
        }
    }
}

/// Counts a connection from its making until it is dropped.
pub(crate) struct CountedConnection {
    pub core: Rc<ClusterCore>,
    pub host: Arc<Host>,
    priority: Priority,
    /// How many connections of its pool are alive.
    live: Rc<Live>,
    pub connect_start: Instant,
    pub connect_end: Option<Instant>,
    /// Requests so far; recorded where the connection speaks HTTP.
    pub requests: Option<u64>,
    /// The peer ended it.
    pub remote_closed: bool,
    /// It ends in the middle of a request.
    pub with_active_request: bool,
}

impl CountedConnection {
    /// Counts a new connection, unless circuit breakers forbid it.
    pub fn try_new(
        core: &Rc<ClusterCore>,
        host: &Arc<Host>,
        priority: Priority,
        live: &Rc<Live>,
    ) -> (MayConnect, Option<Self>) {
        let per_host = core
            .info
            .resources(priority)
            .thresholds()
            .max_connections_per_host;
        let may = if host.stats().cx_active.value() < per_host.into()
            && core.try_take(priority, Resource::Connections)
        {
            MayConnect::Yes
        } else {
            core.stats.upstream_cx_overflow().inc();
            if live.get() > 0 {
                return (MayConnect::No, None);
            }
            core.take(priority, Resource::Connections);
            MayConnect::OnlyThis
        };
        live.begin(core, priority);
        core.info.had_connection.store(true, Relaxed);
        core.stats.upstream_cx_total().inc();
        core.stats.upstream_cx_active().inc();
        host.stats().cx_total.inc();
        host.stats().cx_active.inc();
        let counted = Self {
            core: Rc::clone(core),
            host: Arc::clone(host),
            priority,
            live: Rc::clone(live),
            connect_start: core.worker.now(),
            connect_end: None,
            requests: None,
            remote_closed: false,
            with_active_request: false,
        };
        (may, Some(counted))
    }

    /// In Envoy's stats each attempt at one of a host's addresses is a connection, and so is one
    /// more time what an ALPN protocol was agreed on for.
    pub fn count_once_more(core: &ClusterCore, host: &Host) {
        core.stats.upstream_cx_total().inc();
        host.stats().cx_total.inc();
    }

    /// It is connected.
    pub fn connected(&mut self) {
        let now = self.core.worker.now();
        let took = now.saturating_duration_since(self.connect_start);
        self.core
            .stats
            .upstream_cx_connect_ms()
            .record(millis(took));
        self.connect_end = Some(now);
    }

    /// It could not be connected.
    pub fn connect_failed(&mut self, cause: Cause) {
        self.core.stats.upstream_cx_connect_fail().inc();
        self.host.stats().cx_connect_fail.inc();
        match cause {
            Cause::Timeout => self.core.stats.upstream_cx_connect_timeout().inc(),
            Cause::Remote => self.remote_closed = true,
            Cause::Local => {}
        }
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        let (core, stats) = (&self.core, &self.core.stats);
        self.live.end(&self.core, self.priority);
        core.give(self.priority, Resource::Connections);
        stats.upstream_cx_active().dec();
        self.host.stats().cx_active.dec();
        stats.upstream_cx_destroy().inc();
        if self.with_active_request {
            stats.upstream_cx_destroy_with_active_rq().inc();
        }
        match (self.remote_closed, self.with_active_request) {
            (true, active) => {
                stats.upstream_cx_destroy_remote().inc();
                if active {
                    stats.upstream_cx_destroy_remote_with_active_rq().inc();
                }
            }
            (false, active) => {
                stats.upstream_cx_destroy_local().inc();
                if active {
                    stats.upstream_cx_destroy_local_with_active_rq().inc();
                }
            }
        }
        let lasted = core
            .worker
            .now()
            .saturating_duration_since(self.connect_start);
        stats.upstream_cx_length_ms().record(millis(lasted));
        if let Some(requests) = self.requests
            && self.connect_end.is_some()
        {
            stats.upstream_rq_per_cx().record(requests);
        }
    }
}
