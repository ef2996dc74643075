//! What becomes known of hosts by checking them, for event logs
//! (`envoy.data.core.v3.HealthCheckEvent`).

use super::host_health::Failure;
use crate::host::Host;
use nuncio_worker::Worker;
use std::rc::Rc;
use std::time::SystemTime;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HealthEventKind {
    /// A host is unhealthy from now on.
    EjectUnhealthy(Failure),
    /// A host is healthy from now on.
    AddHealthy {
        /// Whether this was its first check.
        first_check: bool,
    },
    /// A check succeeded.
    Successful,
    /// A check failed.
    Failed {
        /// How.
        failure: Failure,
        /// Whether it was the host's first.
        first_check: bool,
    },
    /// A host calls itself degraded from now on.
    Degraded,
    /// A host no longer does.
    NoLongerDegraded,
}

/// Something that happened.
pub struct HealthEvent<'a> {
    /// `HTTP`, `TCP`.
    pub checker: &'static str,
    /// The cluster's name.
    pub cluster: &'a str,
    /// The host.
    pub host: &'a Host,
    /// When.
    pub time: SystemTime,
    /// What.
    pub kind: HealthEventKind,
}

/// Where events go. Called on main.
pub trait HealthEventSink: Send + Sync {
    /// Writes an event down.
    fn log(&self, worker: &Rc<Worker>, event: &HealthEvent<'_>);
}
