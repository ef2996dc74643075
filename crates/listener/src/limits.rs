//! How many connections the process may have, over all listeners and workers.

use nuncio_base::runtime_flags::RuntimeFlags;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Runtime's limit of all connections, where no resource monitor has one.
const GLOBAL_LIMIT_KEY: &str = "overload.global_downstream_max_connections";

/// All accepted connections of the process, and how many there may be.
#[derive(Debug)]
pub struct GlobalConnections {
    open: AtomicU64,
    /// Of the resource monitor `envoy.resource_monitors.global_downstream_max_connections`.
    max: Option<u64>,
}

impl GlobalConnections {
    /// With the resource monitor's limit, if there is one; it then replaces runtime's.
    pub fn new(max: Option<u64>) -> Self {
        Self {
            open: AtomicU64::new(0),
            max,
        }
    }

    /// What the admin's connections are counted in: with those of all listeners, or apart where a
    /// resource monitor has the limit, which Envoy's admin knows nothing of.
    pub fn of_admin(self: &Arc<Self>) -> Arc<Self> {
        match self.max {
            None => Arc::clone(self),
            Some(_) => Arc::new(Self::new(None)),
        }
    }

    /// How many there are.
    pub fn open(&self) -> u64 {
        self.open.load(Relaxed)
    }

    /// Takes a place if there is one.
    pub(crate) fn try_open(&self, flags: &RuntimeFlags, ignore_limit: bool) -> bool {
        let max = match self.max {
            _ if ignore_limit => u64::MAX,
            Some(max) => max,
            None if flags.is_empty() => u64::MAX,
            None => flags.integer(GLOBAL_LIMIT_KEY, u64::MAX),
        };
        try_add(&self.open, max)
    }

    pub(crate) fn close(&self) {
        self.open.fetch_sub(1, Relaxed);
    }
}

/// Adds 1 unless `max` is reached.
pub(crate) fn try_add(count: &AtomicU64, max: u64) -> bool {
    // The count goes back at once where it went too far, so that no other thread loses a place for
    // longer than a moment.
    if count.fetch_add(1, Relaxed) < max {
        return true;
    }
    count.fetch_sub(1, Relaxed);
    false
}
