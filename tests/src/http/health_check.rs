//! The `health_check` filter: answers by itself, by clusters' health, from memory, and tells of
//! failing.

use crate::harness::{Config, Proxy, Reply, Upstream, http_filter, route};
use serde_json::{Value, json};

fn filter(path: &str, more: Value) -> Value {
    let mut fields = json!({
        "pass_through_mode": false,
        "headers": [{"name": ":path", "string_match": {"exact": path}}],
    });
    for (name, value) in more.as_object().unwrap() {
        fields[name] = value.clone();
    }
    http_filter("health_check", "health_check.v3.HealthCheck", fields)
}

fn stat(proxy: &Proxy, name: &str) -> u64 {
    proxy.stat(&format!("http.http.health_check.{name}"))
}

#[test]
fn checks_are_answered_by_the_health_of_clusters() {
    let host = Upstream::ok("served");
    let minimum =
        |percent: u32| json!({"cluster_min_healthy_percentages": {"up": {"value": percent}}});
    let proxy = Config::http(&[route("/", "up")])
        .http_filters(&[
            filter("/plain", json!({})),
            filter("/all", minimum(100)),
            filter(
                "/none",
                json!({"cluster_min_healthy_percentages": {"no": {"value": 1}}}),
            ),
        ])
        .access_log("%REQ(:PATH)% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%")
        .cluster("up", &[host.address()])
        .start();
    for (path, status, log) in [
        ("/plain", 200, "/plain - health_check_ok"),
        ("/all", 200, "/all - health_check_cluster_healthy"),
        ("/none", 503, "/none LH health_check_no_cluster_found"),
        ("/other", 200, "/other - via_upstream"),
    ] {
        let response = proxy.get(path);
        assert_eq!(response.status, status, "{path}");
        let told = response
            .header("x-envoy-upstream-healthchecked-cluster")
            .is_some();
        assert_eq!(told, path != "/other", "{path}");
        assert!(proxy.access_log(1).iter().any(|line| line == log) || path != "/plain");
    }
    assert_eq!(
        (stat(&proxy, "ok"), stat(&proxy, "failed_cluster_not_found")),
        (2, 1)
    );
    proxy.admin_post("/healthcheck/fail");
    let response = proxy.get("/plain");
    assert_eq!(response.status, 503);
    let served = proxy.get("/other");
    assert_eq!(
        served.header("x-envoy-immediate-health-check-fail"),
        Some("true")
    );
    assert_eq!(served.header("connection"), Some("close"));
    proxy.admin_post("/healthcheck/ok");
    assert_eq!(proxy.get("/plain").status, 200);
}

#[test]
fn the_answer_of_the_service_is_kept() {
    let host = Upstream::http(|request| match request.path.as_str() {
        "/hc" => Reply::new(503, "x-envoy-degraded: true\r\n", "no"),
        _ => Reply::ok("served"),
    });
    let kept = json!({"pass_through_mode": true, "cache_time": "60s"});
    let proxy = Config::http(&[route("/", "up")])
        .http_filters(&[filter("/hc", kept)])
        .cluster("up", &[host.address()])
        .start();
    let first = proxy.get("/hc");
    assert_eq!(first.brief(), (503, "no".to_owned()));
    let second = proxy.get("/hc");
    assert_eq!(second.brief(), (503, String::new()));
    assert!(second.header("x-envoy-degraded").is_some());
    assert_eq!(host.requests().len(), 1);
    assert_eq!(stat(&proxy, "cached_response"), 1);
}
