//! What series of answers come to.

use super::*;
use crate::host::HostSpec;
use nuncio_base::address::Address;
use std::sync::Arc;

const THRESHOLDS: Thresholds = Thresholds {
    unhealthy: 3,
    healthy: 2,
    always_log_failures: false,
    always_log_successes: false,
};

fn host(flags: &[HealthFlag]) -> Arc<Host> {
    let host = Host::new(HostSpec::new(Address::Pipe("/x".into())));
    for flag in flags {
        host.set_flag(*flag, true);
    }
    host
}

const WRONG: Failure = Failure::Active {
    status: 503,
    retriable: false,
};
const RETRIABLE: Failure = Failure::Active {
    status: 500,
    retriable: true,
};

#[test]
fn the_first_success_is_enough_and_later_ones_are_counted() {
    let host = host(&[HealthFlag::FailedActiveHc]);
    let mut health = HostHealth::new();
    let verdict = health.succeed(&host, false, THRESHOLDS);
    let event = HealthEventKind::AddHealthy { first_check: true };
    assert_eq!(verdict.events, [event]);
    assert_eq!(
        (verdict.transition, verdict.healthy),
        (Transition::Changed, Some(true))
    );
    for (failure, transition) in [
        (Failure::Network, Transition::Pending),
        (RETRIABLE, Transition::Pending),
        (Failure::Timeout, Transition::Changed),
        (Failure::Network, Transition::Unchanged),
    ] {
        assert_eq!(
            health.fail(&host, failure, THRESHOLDS).transition,
            transition
        );
    }
    let verdict = health.succeed(&host, false, THRESHOLDS);
    assert_eq!(verdict.transition, Transition::Pending);
    assert!(verdict.events.is_empty());
    let verdict = health.succeed(&host, false, THRESHOLDS);
    let event = HealthEventKind::AddHealthy { first_check: false };
    assert_eq!(verdict.events, [event]);
    assert_eq!(host.flags().count(), 0);
}

#[test]
fn a_wrong_answer_is_enough() {
    let host = host(&[]);
    let mut health = HostHealth::new();
    health.succeed(&host, false, THRESHOLDS);
    let verdict = health.fail(&host, WRONG, THRESHOLDS);
    assert_eq!(verdict.transition, Transition::Changed);
    assert_eq!(verdict.events, [HealthEventKind::EjectUnhealthy(WRONG)]);
    let verdict = health.fail(&host, WRONG, THRESHOLDS);
    assert_eq!(
        (verdict.transition, verdict.events.len()),
        (Transition::Unchanged, 0)
    );
}

#[test]
fn timeouts_have_a_flag_of_their_own_while_the_host_is_unhealthy() {
    let host = host(&[HealthFlag::FailedActiveHc]);
    let mut health = HostHealth::new();
    for (failure, flag) in [(Failure::Timeout, true), (WRONG, false)] {
        health.fail(&host, failure, THRESHOLDS);
        assert_eq!(
            host.has_flag(HealthFlag::ActiveHcTimeout),
            flag,
            "{failure:?}"
        );
    }
}

#[test]
fn a_host_that_was_pending_counts_after_one_check() {
    let host = host(&[HealthFlag::FailedActiveHc, HealthFlag::PendingActiveHc]);
    let mut health = HostHealth::new();
    let verdict = health.fail(&host, Failure::Network, THRESHOLDS);
    assert_eq!(
        (verdict.transition, verdict.healthy),
        (Transition::Changed, None)
    );
    let event = HealthEventKind::Failed {
        failure: Failure::Network,
        first_check: true,
    };
    assert_eq!(verdict.events, [event]);
    assert!(!host.has_flag(HealthFlag::PendingActiveHc) && health.is_checked());
}

#[test]
fn a_host_may_call_itself_degraded() {
    let host = host(&[]);
    let mut health = HostHealth::new();
    for (degraded, changed) in [(true, Some(true)), (true, None), (false, Some(false))] {
        let verdict = health.succeed(&host, degraded, THRESHOLDS);
        assert_eq!(verdict.degraded, changed);
        assert_eq!(verdict.transition == Transition::Changed, changed.is_some());
    }
}

#[test]
fn everything_is_logged_where_that_is_asked_for() {
    let all = Thresholds {
        always_log_failures: true,
        always_log_successes: true,
        ..THRESHOLDS
    };
    let host = host(&[]);
    let mut health = HostHealth::new();
    let events = health.succeed(&host, false, all).events;
    assert_eq!(events, [HealthEventKind::Successful]);
    let events = health.fail(&host, Failure::Network, all).events;
    assert_eq!(events.len(), 1);
}
