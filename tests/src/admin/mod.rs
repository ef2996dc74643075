//! The admin interface.

use crate::harness::{Config, Upstream, direct, route};
use std::time::Duration;

#[test]
fn endpoints_answer() {
    let upstream = Upstream::ok("hello");
    let proxy = Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .start();
    assert_eq!(proxy.get("/").status, 200);
    let host = upstream.address();
    for (path, expected) in [
        ("/ready", "LIVE\n".to_owned()),
        ("/", "<title>Envoy Admin</title>".into()),
        ("/help", "/stats/prometheus".into()),
        ("/server_info", "\"state\": \"LIVE\"".into()),
        ("/listeners", format!("main::{}", proxy.listener("main"))),
        ("/clusters", format!("up::{host}::rq_success::1\n")),
        (
            "/clusters?format=json",
            "\"observability_name\": \"up\"".into(),
        ),
        ("/config_dump", "envoy.admin.v3.BootstrapConfigDump".into()),
        ("/stats", "http.http.downstream_rq_2xx: 1\n".into()),
        (
            "/stats?format=json",
            "\"http.http.downstream_rq_2xx\",\"value\":1".into(),
        ),
        (
            "/stats/prometheus",
            "envoy_cluster_upstream_rq_total".into(),
        ),
        ("/stats?filter=^server.live$", "server.live: 1\n".into()),
        ("/runtime", "\"layers\"".into()),
        ("/memory", "\"allocated\"".into()),
        ("/certs", "\"certificates\"".into()),
    ] {
        let response = proxy.admin(path);
        assert_eq!(response.status, 200, "{path}");
        let text = response.text();
        assert!(
            text.contains(&expected),
            "{path} lacks {expected:?}:\n{text:.2000}"
        );
    }
    assert_eq!(proxy.admin("/unknown").status, 404);
    assert_eq!(proxy.admin("/quitquitquit").status, 405);
}

#[test]
fn health_checks_are_failed_and_passed_by_hand() {
    let proxy = Config::http(&[direct("/", 200, "x")]).start();
    assert_eq!(proxy.admin("/ready").brief(), (200, "LIVE\n".to_owned()));
    assert_eq!(proxy.admin_post("/healthcheck/fail").text(), "OK\n");
    assert_eq!(
        proxy.admin("/ready").brief(),
        (503, "DRAINING\n".to_owned())
    );
    assert_eq!(proxy.admin_post("/healthcheck/ok").text(), "OK\n");
    assert_eq!(proxy.admin("/ready").status, 200);
}

#[test]
fn counters_are_reset() {
    let proxy = Config::http(&[direct("/", 200, "x")]).start();
    assert_eq!(proxy.get("/").status, 200);
    assert_eq!(proxy.stat("http.http.downstream_rq_2xx"), 1);
    assert_eq!(proxy.admin_post("/reset_counters").text(), "OK\n");
    assert_eq!(proxy.stat("http.http.downstream_rq_2xx"), 0);
}

#[test]
fn the_server_quits_when_told_to() {
    let mut proxy = Config::http(&[direct("/", 200, "x")]).start();
    assert_eq!(
        proxy.admin_post("/quitquitquit").brief(),
        (200, "OK\n".to_owned())
    );
    let status = proxy.wait(Duration::from_secs(10));
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
}
