//! Runtime flags that change what clusters are configured with.

use crate::harness::{Config, Upstream, route};
use serde_json::json;

#[test]
fn limits_and_maintenance_mode_follow_runtime_flags() {
    let host = Upstream::ok("host");
    let layers = json!([
        {"name": "static", "static_layer": {
            "circuit_breakers": {"hosts": {"default": {"max_requests": 7}}},
            "upstream": {"maintenance_mode": {"hosts": 100}},
        }},
        {"name": "admin", "admin_layer": {}},
    ]);
    let proxy = Config::http(&[route("/", "hosts")])
        .cluster("hosts", &[host.address()])
        .bootstrap(json!({"layered_runtime": {"layers": layers}}))
        .start();
    let response = proxy.get("/");
    assert_eq!(response.brief(), (503, "maintenance mode".to_owned()));
    assert_eq!(response.header("x-envoy-overloaded"), Some("true"));
    assert_eq!(proxy.stat("cluster.hosts.upstream_rq_maintenance_mode"), 1);
    assert_eq!(proxy.stat("cluster.hosts.upstream_rq_503"), 1);
    let limit = || {
        let clusters = proxy.admin("/clusters").text();
        let mut lines = clusters.lines();
        let limit = lines.find_map(|line| {
            line.strip_prefix("hosts::default_priority::max_requests::")
                .map(str::to_owned)
        });
        limit.unwrap()
    };
    assert_eq!(limit(), "7");
    let path = "/runtime_modify?upstream.maintenance_mode.hosts=0\
                &circuit_breakers.hosts.default.max_requests=0";
    assert_eq!(proxy.admin_post(path).status, 200);
    assert_eq!(limit(), "0");
    let (status, body) = proxy.get("/").brief();
    assert!(status == 503 && body.ends_with("overflow"), "{body}");
    assert_eq!(proxy.stat("cluster.hosts.upstream_rq_maintenance_mode"), 1);
}
