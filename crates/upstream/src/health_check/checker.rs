//! A cluster's health checks: a session per host.

use super::HealthCheckStats;
use super::connection::Connector;
use super::event::HealthEvent;
use super::host_health::{Failure, Thresholds, Transition, Verdict};
use super::http::Healthy;
use super::session::Session;
use super::spec::HealthCheckSpec;
use crate::discovery::Members;
use crate::health::HealthFlag;
use crate::host::Host;
use nuncio_worker::Worker;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Checks the hosts of one cluster.
pub(crate) struct HealthChecker {
    connector: Connector,
    spec: Arc<HealthCheckSpec>,
    stats: HealthCheckStats,
    members: Weak<Members>,
    sessions: RefCell<HashMap<u64, Rc<Session>>>,
}

impl HealthChecker {
    /// Nothing is checked yet.
    pub fn new(members: &Rc<Members>, spec: &Arc<HealthCheckSpec>) -> Rc<Self> {
        let (worker, info) = (members.worker(), members.info());
        let stats = info.scope.scope("health_check").group::<HealthCheckStats>();
        Rc::new(Self {
            connector: Connector::new(worker, info),
            spec: Arc::clone(spec),
            stats: stats.local(),
            members: Rc::downgrade(members),
            sessions: RefCell::default(),
        })
    }

    pub(super) fn connector(&self) -> &Connector {
        &self.connector
    }

    pub(super) fn worker(&self) -> &Rc<Worker> {
        &self.connector.worker
    }

    pub(super) fn spec(&self) -> &HealthCheckSpec {
        &self.spec
    }

    pub(super) fn stats(&self) -> &HealthCheckStats {
        &self.stats
    }

    /// Begins to check a host: until its first check it counts as unhealthy, or not at all.
    pub fn admit(self: &Rc<Self>, host: &Arc<Host>) {
        let disabled = host.check().is_some_and(|check| check.disabled);
        if disabled || self.checks(host.id()) {
            return;
        }
        host.set_flag(HealthFlag::FailedActiveHc, true);
        let common = &self.connector.info.spec.common_lb;
        if common.ignore_new_hosts_until_first_hc {
            host.set_flag(HealthFlag::PendingActiveHc, true);
        }
        let session = Session::new(host);
        let mut sessions = self.sessions.borrow_mut();
        sessions.insert(host.id(), Rc::clone(&session));
        self.worker().spawn(session.run(Rc::clone(self)));
    }

    /// Checks a host no more.
    pub fn release(&self, host: u64) {
        let session = self.sessions.borrow_mut().remove(&host);
        if let Some(session) = session {
            self.end(&session);
        }
    }

    /// Checks no host any more.
    pub fn release_all(&self) {
        let sessions = std::mem::take(&mut *self.sessions.borrow_mut());
        sessions.values().for_each(|session| self.end(session));
    }

    fn end(&self, session: &Session) {
        session.end();
        if !session.host.has_flag(HealthFlag::FailedActiveHc) {
            self.stats.healthy().dec();
        }
        if session.host.has_flag(HealthFlag::DegradedActiveHc) {
            self.stats.degraded().dec();
        }
    }

    /// Whether each host was checked at least once.
    pub fn all_checked(&self) -> bool {
        let sessions = self.sessions.borrow();
        sessions
            .values()
            .all(|session| session.health.borrow().is_checked())
    }

    /// Whether a host is checked.
    pub fn checks(&self, host: u64) -> bool {
        self.sessions.borrow().contains_key(&host)
    }

    /// A host said, in a response to a client, that it is not healthy.
    pub fn on_passive_failure(&self, host: u64) {
        let session = self.sessions.borrow().get(&host).cloned();
        if let Some(session) = session {
            session
                .host
                .set_flag(HealthFlag::ExcludedViaImmediateHcFail, true);
            self.fail(&session, Failure::Passive);
        }
    }

    /// A check succeeded; how long until the next.
    pub(super) fn on_success(&self, session: &Session, healthy: Healthy) -> Duration {
        let mut health = session.health.borrow_mut();
        let verdict = health.succeed(&session.host, healthy.degraded, self.thresholds());
        drop(health);
        self.stats.success().inc();
        let transition = verdict.transition;
        if transition == Transition::Changed {
            session.host.mark_healthy(self.worker().now());
        }
        self.publish(session, verdict);
        if let Some(members) = self.members.upgrade() {
            members.on_check_passed(&session.host);
        }
        self.pause(true, transition)
    }

    /// A check failed; how long until the next.
    pub(super) fn on_failure(&self, session: &Session, failure: Failure) -> Duration {
        let transition = self.fail(session, failure);
        self.pause(false, transition)
    }

    fn fail(&self, session: &Session, failure: Failure) -> Transition {
        let mut health = session.health.borrow_mut();
        let verdict = health.fail(&session.host, failure, self.thresholds());
        drop(health);
        self.stats.failure().inc();
        match failure {
            Failure::Network | Failure::Timeout => self.stats.network_failure().inc(),
            Failure::Passive => self.stats.passive_failure().inc(),
            Failure::Active { .. } => {}
        }
        let transition = verdict.transition;
        self.publish(session, verdict);
        transition
    }

    fn pause(&self, succeeded: bool, transition: Transition) -> Duration {
        let worker = self.worker();
        let has_traffic = self.connector.info.had_connection.load(Relaxed);
        let (intervals, flags) = (&self.spec.intervals, worker.flags());
        worker.with_random(|random| {
            intervals.next(succeeded, transition, has_traffic, &flags, random)
        })
    }

    fn thresholds(&self) -> Thresholds {
        Thresholds {
            unhealthy: self.spec.unhealthy_threshold,
            healthy: self.spec.healthy_threshold,
            always_log_failures: self.spec.always_log_failures,
            always_log_successes: self.spec.always_log_successes,
        }
    }

    /// Counts and logs what a check came to, and has the hosts published where it matters.
    fn publish(&self, session: &Session, verdict: Verdict) {
        let count = |gauge: nuncio_stats::Gauge<'_>, up: Option<bool>| match up {
            Some(true) => gauge.inc(),
            Some(false) => gauge.dec(),
            None => {}
        };
        count(self.stats.healthy(), verdict.healthy);
        count(self.stats.degraded(), verdict.degraded);
        for kind in verdict.events {
            let event = HealthEvent {
                checker: self.spec.probe.name(),
                cluster: &self.connector.info.spec.name,
                host: &session.host,
                time: self.worker().wall(),
                kind,
            };
            self.spec
                .sinks
                .iter()
                .for_each(|sink| sink.log(self.worker(), &event));
        }
        let Some(members) = self.members.upgrade() else {
            return;
        };
        let changed = verdict.transition == Transition::Changed;
        members.on_checked(&session.host, changed, verdict.healthy == Some(false));
    }
}
