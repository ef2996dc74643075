//! What the answers of one host come to: thresholds, flags, events. Without I/O.

use super::event::HealthEventKind;
use crate::health::HealthFlag;
use crate::host::Host;

/// How a check failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The host answered, and not as it should. HTTP: with this status.
    Active {
        /// The status, or 0.
        status: u16,
        /// Whether the threshold is waited for.
        retriable: bool,
    },
    /// A response to a request of a client said so.
    Passive,
    /// There was no connection, or it broke.
    Network,
    /// There was no answer in time.
    Timeout,
}

impl Failure {
    /// `envoy.data.core.v3.HealthCheckFailureType`, as event logs print it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active { .. } => "ACTIVE",
            Self::Passive => "PASSIVE",
            Self::Network => "NETWORK",
            Self::Timeout => "NETWORK_TIMEOUT",
        }
    }

    /// The status of the answer, 0 where there was none.
    pub fn status(self) -> u16 {
        match self {
            Self::Active { status, .. } => status,
            Self::Passive | Self::Network | Self::Timeout => 0,
        }
    }

    /// Whether one is not enough.
    fn waits(self) -> bool {
        match self {
            Self::Active { retriable, .. } => retriable,
            Self::Passive => false,
            Self::Network | Self::Timeout => true,
        }
    }
}

/// What a check changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Transition {
    /// Nothing.
    Unchanged,
    /// A threshold is being approached.
    Pending,
    /// The host's health.
    Changed,
}

/// What a check came to.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Verdict {
    pub transition: Transition,
    /// The host was healthy before, and is not now; or the reverse.
    pub healthy: Option<bool>,
    /// The same of being degraded.
    pub degraded: Option<bool>,
    pub events: Vec<HealthEventKind>,
}

/// When a count is enough.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thresholds {
    pub unhealthy: u32,
    pub healthy: u32,
    pub always_log_failures: bool,
    pub always_log_successes: bool,
}

/// The state of one host's checks; its flags are the host's own.
pub(crate) struct HostHealth {
    first: bool,
    successes: u32,
    failures: u32,
}

impl HostHealth {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self {
            first: true,
            successes: 0,
            failures: 0,
        }
    }

    /// Whether a check has finished.
    pub fn is_checked(&self) -> bool {
        !self.first
    }

    /// A check succeeded.
    pub fn succeed(&mut self, host: &Host, degraded: bool, thresholds: Thresholds) -> Verdict {
        self.failures = 0;
        let mut verdict = Verdict::new();
        if host.has_flag(HealthFlag::FailedActiveHc) {
            self.successes += 1;
            // The first answer of all counts at once, so that starting does not take long.
            if self.first || self.successes == thresholds.healthy {
                host.set_flag(HealthFlag::ActiveHcTimeout, false);
                host.set_flag(HealthFlag::ExcludedViaImmediateHcFail, false);
                host.set_flag(HealthFlag::FailedActiveHc, false);
                verdict.transition = Transition::Changed;
                verdict.healthy = Some(true);
                let first_check = self.first;
                verdict
                    .events
                    .push(HealthEventKind::AddHealthy { first_check });
            } else {
                verdict.transition = Transition::Pending;
            }
        }
        verdict.is_no_longer_pending(host);
        if host.set_flag(HealthFlag::DegradedActiveHc, degraded) {
            verdict.degraded = Some(degraded);
            verdict.events.push(match degraded {
                true => HealthEventKind::Degraded,
                false => HealthEventKind::NoLongerDegraded,
            });
            if verdict.transition == Transition::Unchanged {
                verdict.transition = Transition::Changed;
            }
        }
        let changed = verdict.healthy.is_some();
        if thresholds.always_log_successes && !changed {
            verdict.events.push(HealthEventKind::Successful);
        }
        self.first = false;
        verdict
    }

    /// A check failed.
    pub fn fail(&mut self, host: &Host, failure: Failure, thresholds: Thresholds) -> Verdict {
        self.successes = 0;
        let mut verdict = Verdict::new();
        if !host.has_flag(HealthFlag::FailedActiveHc) {
            if failure.waits() {
                self.failures += 1;
            }
            if !failure.waits() || self.failures == thresholds.unhealthy {
                host.set_flag(HealthFlag::FailedActiveHc, true);
                verdict.transition = Transition::Changed;
                verdict.healthy = Some(false);
                verdict
                    .events
                    .push(HealthEventKind::EjectUnhealthy(failure));
            } else {
                verdict.transition = Transition::Pending;
            }
        }
        if host.has_flag(HealthFlag::FailedActiveHc) {
            let timed_out = failure == Failure::Timeout;
            host.set_flag(HealthFlag::ActiveHcTimeout, timed_out);
        }
        verdict.is_no_longer_pending(host);
        if self.first || thresholds.always_log_failures {
            let first_check = self.first;
            verdict.events.push(HealthEventKind::Failed {
                failure,
                first_check,
            });
        }
        self.first = false;
        verdict
    }
}

impl Verdict {
    fn new() -> Self {
        Self {
            transition: Transition::Unchanged,
            healthy: None,
            degraded: None,
            events: Vec::new(),
        }
    }

    /// The first check is over: the host counts from now on, healthy or not.
    fn is_no_longer_pending(&mut self, host: &Host) {
        if host.set_flag(HealthFlag::PendingActiveHc, false) {
            self.transition = Transition::Changed;
        }
    }
}

#[cfg(test)]
mod tests;
