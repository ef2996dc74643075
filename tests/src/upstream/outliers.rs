//! Outlier detection: who is ejected for what, for how long, and what is told of it.

use crate::harness::{Config, Proxy, Reply, Upstream, route};
use serde_json::{Value, json};
use std::time::Duration;

/// A host that fails requests for `/fail`.
fn failing(body: &'static str) -> Upstream {
    Upstream::http(move |request| match request.path.as_str() {
        "/fail" => Reply::new(500, "", body),
        _ => Reply::ok(body),
    })
}

fn cluster(detection: Value) -> Value {
    json!({
        "outlier_detection": detection,
        "common_lb_config": {
            "healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s",
        },
    })
}

fn ejections(proxy: &Proxy, what: &str) -> u64 {
    proxy.stat(&format!("cluster.up.outlier_detection.ejections_{what}"))
}

#[test]
fn a_host_is_ejected_for_a_while() {
    let host = failing("one");
    let detection = json!({
        "consecutive_5xx": 3,
        "interval": "0.1s",
        "base_ejection_time": "0.5s",
        "max_ejection_percent": 100,
    });
    let proxy = Config::http(&[route("/", "up")])
        .cluster_with("up", &[host.address()], cluster(detection))
        .start();
    for path in ["/fail", "/fail", "/", "/fail", "/fail", "/fail"] {
        proxy.get(path);
    }
    proxy.wait_stat("cluster.up.outlier_detection.ejections_active", 1);
    proxy.wait_stat("cluster.up.membership_healthy", 0);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(
        proxy.get("/").brief(),
        (503, "no healthy upstream".to_owned())
    );
    let text = proxy.admin("/clusters").text();
    assert!(
        text.contains("health_flags::/failed_outlier_check\n"),
        "{text}"
    );
    proxy.wait_stat("cluster.up.membership_healthy", 1);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(proxy.get("/").status, 200);
    for what in [
        "total",
        "consecutive_5xx",
        "enforced_total",
        "detected_consecutive_5xx",
    ] {
        assert_eq!(ejections(&proxy, what), 1, "{what}");
    }
}

#[test]
fn no_more_hosts_are_ejected_than_allowed() {
    let hosts = [failing("a"), failing("b"), failing("c")];
    let detection = json!({
        "consecutive_5xx": 1,
        "base_ejection_time": "60s",
        "max_ejection_percent": 34,
        "enforcing_consecutive_gateway_failure": 100,
    });
    let addresses: Vec<_> = hosts.iter().map(Upstream::address).collect();
    let proxy = Config::http(&[route("/", "up")])
        .cluster_with("up", &addresses, cluster(detection))
        .start();
    proxy.get("/fail");
    proxy.wait_stat("cluster.up.membership_healthy", 2);
    std::thread::sleep(Duration::from_millis(50));
    for _ in 0..4 {
        proxy.get("/fail");
    }
    proxy.wait_stat("cluster.up.outlier_detection.ejections_overflow", 4);
    assert_eq!(ejections(&proxy, "active"), 1);
}

#[test]
fn what_is_not_enforced_is_counted() {
    let host = failing("one");
    let detection = json!({
        "consecutive_5xx": 2,
        "enforcing_consecutive_5xx": 0,
        "max_ejection_percent": 100,
    });
    let proxy = Config::http(&[route("/", "up")])
        .cluster_with("up", &[host.address()], cluster(detection))
        .start();
    for _ in 0..2 {
        proxy.get("/fail");
    }
    proxy.wait_stat(
        "cluster.up.outlier_detection.ejections_detected_consecutive_5xx",
        1,
    );
    assert_eq!(ejections(&proxy, "enforced_total"), 0);
    assert_eq!(proxy.stat("cluster.up.membership_healthy"), 1);
}

#[test]
fn failures_to_connect_are_told_apart() {
    let detection = json!({
        "split_external_local_origin_errors": true,
        "consecutive_local_origin_failure": 2,
        "consecutive_5xx": 1,
        "max_ejection_percent": 100,
    });
    let proxy = Config::http(&[route("/", "up")])
        .cluster_with("up", &[Upstream::dead()], cluster(detection))
        .start();
    for _ in 0..2 {
        assert_eq!(proxy.get("/").status, 503);
    }
    proxy.wait_stat("cluster.up.outlier_detection.ejections_active", 1);
    assert_eq!(
        ejections(&proxy, "enforced_consecutive_local_origin_failure"),
        1
    );
    assert_eq!(ejections(&proxy, "detected_consecutive_5xx"), 0);
}

#[test]
fn hosts_that_fail_more_often_than_others_are_ejected() {
    let bad = Upstream::http(|_| Reply::new(500, "", "bad"));
    let good: Vec<_> = (0..4).map(|_| failing("good")).collect();
    let detection = json!({
        "interval": "0.5s",
        "consecutive_5xx": 1000,
        "success_rate_minimum_hosts": 5,
        "success_rate_request_volume": 5,
        "success_rate_stdev_factor": 1500,
        "failure_percentage_request_volume": 5,
        "enforcing_failure_percentage": 0,
        "max_ejection_percent": 100,
    });
    let mut addresses: Vec<_> = good.iter().map(Upstream::address).collect();
    addresses.push(bad.address());
    let log = json!({"outlier_detection": {"event_log_path": "${folder}/ejections.log"}});
    let proxy = Config::http(&[route("/", "up")])
        .cluster_with("up", &addresses, cluster(detection))
        .bootstrap(json!({"cluster_manager": log}))
        .start();
    let mut connection = proxy.connect();
    for _ in 0..60 {
        connection.get("/");
    }
    proxy.wait_stat("cluster.up.outlier_detection.ejections_active", 1);
    assert_eq!(ejections(&proxy, "enforced_success_rate"), 1);
    assert_eq!(ejections(&proxy, "detected_failure_percentage"), 1);
    let mut events = String::new();
    while events.lines().count() < 2 {
        std::thread::sleep(Duration::from_millis(20));
        events = proxy.file("ejections.log");
    }
    let event: Value = serde_json::from_str(events.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&event["type"], &event["enforced"]),
        (&json!("SUCCESS_RATE"), &json!(true))
    );
    let rates = &event["eject_success_rate_event"];
    assert_eq!(rates["host_success_rate"], 0);
    assert_eq!(rates["cluster_average_success_rate"], 80);
    assert_eq!(event["upstream_url"], bad.address().to_string());
}
