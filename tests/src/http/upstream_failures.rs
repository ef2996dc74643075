//! Upstreams that are not there, late, or wrong: what the client and the log are told.

use crate::harness::{Config, Reply, Upstream, route};
use serde_json::json;
use std::time::Duration;

const DETAILS: &str = "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%";

struct Case {
    path: &'static str,
    status: u16,
    body: &'static str,
    log: &'static str,
}

#[test]
fn each_failure_has_its_status_flag_and_details() {
    let upstream = Upstream::http(|request| match request.path.as_str() {
        "/late" => Reply::ok("late").after(Duration::from_secs(3)),
        "/closed" => Reply::raw("").then_close(),
        "/garbage" => Reply::raw("garbage\r\n\r\n").then_close(),
        _ => Reply::ok("fine"),
    });
    let late = json!({
        "match": {"prefix": "/late"},
        "route": {"cluster": "up", "timeout": "0.2s"},
    });
    let proxy = Config::http(&[
        late,
        route("/dead", "dead"),
        route("/empty", "empty"),
        route("/unknown", "unknown"),
        route("/", "up"),
    ])
    .manager(json!({"route_config": {"validate_clusters": false}}))
    .access_log(DETAILS)
    .cluster("up", &[upstream.address()])
    .cluster("dead", &[Upstream::dead()])
    .cluster("empty", &[])
    .start();
    let cases = [
        Case {
            path: "/dead",
            status: 503,
            body: "upstream connect error or disconnect/reset before headers. \
                   reset reason: remote connection failure",
            log: "503 UF upstream_reset_before_response_started{remote_connection_failure|\
                  delayed_connect_error:_Connection_refused}",
        },
        Case {
            path: "/empty",
            status: 503,
            body: "no healthy upstream",
            log: "503 UH no_healthy_upstream",
        },
        Case {
            path: "/unknown",
            status: 503,
            body: "",
            log: "503 NC cluster_not_found",
        },
        Case {
            path: "/late",
            status: 504,
            body: "upstream request timeout",
            log: "504 UT response_timeout",
        },
        Case {
            path: "/closed",
            status: 503,
            body: "upstream connect error or disconnect/reset before headers. \
                   reset reason: connection termination",
            log: "503 UC upstream_reset_before_response_started{connection_termination}",
        },
        Case {
            path: "/garbage",
            status: 502,
            body: "upstream connect error or disconnect/reset before headers. \
                   reset reason: protocol error",
            log: "502 UPE upstream_reset_before_response_started{protocol_error}",
        },
        Case {
            path: "/fine",
            status: 200,
            body: "fine",
            log: "200 - via_upstream",
        },
    ];
    let mut connection = proxy.connect();
    for (case, line) in cases.iter().zip(1..) {
        let response = connection.get(case.path);
        assert_eq!(
            response.brief(),
            (case.status, case.body.to_owned()),
            "{}",
            case.path
        );
        assert_eq!(proxy.access_log(line)[line - 1], case.log, "{}", case.path);
    }
}

#[test]
fn connect_failures_are_retried_where_the_route_says_so() {
    let upstream = Upstream::ok("fine");
    let policy = json!({"retry_on": "connect-failure", "num_retries": 2});
    let action = json!({"cluster": "half", "retry_policy": policy});
    let proxy = Config::http(&[json!({"match": {"prefix": "/"}, "route": action})])
        .cluster("half", &[upstream.address(), Upstream::dead()])
        .start();
    let mut connection = proxy.connect();
    for _ in 0..20 {
        assert_eq!(connection.get("/").brief(), (200, "fine".to_owned()));
    }
    assert!(proxy.stat("cluster.half.upstream_rq_retry") >= 5);
    let failed = proxy.stat("cluster.half.upstream_cx_connect_fail");
    assert_eq!(failed, proxy.stat("cluster.half.upstream_rq_retry"));
}

#[test]
fn server_errors_are_retried_as_often_as_the_route_says() {
    let upstream = Upstream::http(|request| match request.header("x-envoy-attempt-count") {
        Some("3") => Reply::ok("third time"),
        _ => Reply::new(503, "", "no"),
    });
    let retried = |path: &str, retries: u32| {
        let policy = json!({"retry_on": "5xx", "num_retries": retries});
        let action = json!({"cluster": "up", "retry_policy": policy});
        json!({"match": {"prefix": path}, "route": action})
    };
    let host = json!({
        "name": "all",
        "domains": ["*"],
        "include_request_attempt_count": true,
        "routes": [retried("/once", 1), retried("/twice", 2), route("/", "up")],
    });
    let proxy = Config::http(&[])
        .manager(json!({"route_config": {"virtual_hosts": [host]}}))
        .cluster("up", &[upstream.address()])
        .start();
    let mut connection = proxy.connect();
    for (path, expected) in [
        ("/", (503, "no")),
        ("/once", (503, "no")),
        ("/twice", (200, "third time")),
    ] {
        let response = connection.get(path);
        assert_eq!(
            response.brief(),
            (expected.0, expected.1.to_owned()),
            "{path}"
        );
    }
    assert_eq!(proxy.stat("cluster.up.upstream_rq_retry"), 3);
    assert_eq!(proxy.stat("cluster.up.upstream_rq_retry_success"), 1);
}

#[test]
fn a_full_circuit_breaker_answers_at_once() {
    let upstream = Upstream::http(|_| Reply::ok("x").after(Duration::from_millis(500)));
    let threshold = json!([{"max_requests": 1, "max_pending_requests": 1}]);
    let proxy = Config::http(&[route("/", "up")])
        .access_log(DETAILS)
        .cluster_with(
            "up",
            &[upstream.address()],
            json!({"circuit_breakers": {"thresholds": threshold}}),
        )
        .start();
    let mut first = proxy.connect();
    first.send("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
    proxy.wait_stat("cluster.up.upstream_rq_active", 1);
    let refused = proxy.get("/");
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("x-envoy-overloaded"), Some("true"));
    assert_eq!(
        proxy.access_log(1)[0],
        "503 UO upstream_reset_before_response_started{overflow}"
    );
    assert_eq!(first.response("GET").status, 200);
}
