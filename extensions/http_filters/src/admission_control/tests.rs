//! The window; whole requests; what is refused.

use super::{AdmissionControl, Controller};
use crate::testing::{Script, errors};
use std::time::Duration;

#[test]
fn the_window_slides() {
    let start = nuncio_base::time::monotonic();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut controller = Controller::new(Duration::from_secs(3));
    assert_eq!(controller.average_rps(at(0)), 0);
    for (second, success, counts) in [
        (0, true, (1, 1)),
        (0, false, (2, 1)),
        (1, false, (3, 1)),
        (2, true, (4, 2)),
        (3, true, (3, 2)),
        (9, false, (1, 0)),
    ] {
        controller.record(success, at(second));
        assert_eq!(controller.counts(at(second)), counts, "{second}");
    }
    assert_eq!(controller.average_rps(at(10)), 1);
    assert_eq!(controller.counts(at(100)), (0, 0));
}

#[test]
fn requests_are_recorded() {
    for (status, grpc, [success, failure]) in [
        ("200", None, [1, 0]),
        ("500", None, [0, 1]),
        ("200", Some("0"), [1, 0]),
        ("200", Some("14"), [0, 1]),
    ] {
        let mut answer = vec![(":status", status)];
        if let Some(grpc) = grpc {
            answer.extend([("content-type", "application/grpc"), ("grpc-status", grpc)]);
        }
        let outcome = Script::new()
            .filter(&AdmissionControl, "{success_criteria: {}}")
            .answer(&answer, &[])
            .run();
        let stat = |name: &str| outcome.stat(&format!("http.test.admission_control.{name}"));
        assert_eq!([stat("rq_success"), stat("rq_failure")], [success, failure]);
    }
}

#[test]
fn what_is_refused() {
    for (yaml, expected) in [
        (
            "{success_criteria: {}, sr_threshold: {default_value: {value: 0.5}}}",
            "less than 1.0%",
        ),
        (
            "{success_criteria: {http_criteria: {http_success_status: [{start: 300, end: 200}]}}}",
            "invalid HTTP range: [300, 200)",
        ),
        (
            "{success_criteria: {grpc_criteria: {grpc_success_status: [99]}}}",
            "invalid gRPC code 99",
        ),
    ] {
        let errors = errors(&AdmissionControl, yaml);
        assert!(errors.contains(expected), "{yaml}: {errors}");
    }
}
