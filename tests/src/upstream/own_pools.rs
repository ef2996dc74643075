//! Connections to hosts that belong to one client's connection.

use crate::harness::{Config, Upstream, route};
use serde_json::json;

#[test]
fn clients_share_connections_unless_each_has_its_own() {
    for (own, expected) in [(false, 1), (true, 2)] {
        let upstream = Upstream::ok("hello");
        let fields = json!({"connection_pool_per_downstream_connection": own});
        let proxy = Config::http(&[route("/", "up")])
            .cluster_with("up", &[upstream.address()], fields)
            .start();
        let (mut one, mut other) = (proxy.connect(), proxy.connect());
        for _ in 0..2 {
            assert_eq!(one.get("/").status, 200);
            assert_eq!(other.get("/").status, 200);
        }
        assert_eq!(upstream.connections(), expected, "{own}");
    }
}

#[test]
fn there_may_be_so_many_pools_in_use() {
    let hosts = [Upstream::ok("a"), Upstream::ok("b")];
    let fields = json!({
        "circuit_breakers": {"thresholds": [
            {"max_connection_pools": 1, "track_remaining": true},
        ]},
        "common_http_protocol_options": {"idle_timeout": "0.2s"},
    });
    let addresses = hosts.each_ref().map(Upstream::address);
    let proxy = Config::http(&[route("/", "up")])
        .cluster_with("up", &addresses, fields)
        .start();
    // The hosts take turns; that of the second has no pool.
    let answers = [1, 2, 3].map(|_| proxy.get("/").brief());
    assert_eq!(answers[0].0, 200);
    assert_eq!(answers[1], (503, "no healthy upstream".to_owned()));
    assert_eq!(answers[2], answers[0]);
    let stats = |name: &str| proxy.stat(&format!("cluster.up.{name}"));
    assert_eq!(stats("upstream_cx_pool_overflow"), 1);
    assert_eq!(stats("circuit_breakers.default.cx_pool_open"), 1);
    assert_eq!(stats("circuit_breakers.default.remaining_cx_pools"), 0);
    assert_eq!(stats("upstream_cx_none_healthy"), 0);
    // A pool without connections is none.
    proxy.wait_stat("cluster.up.circuit_breakers.default.cx_pool_open", 0);
    assert_eq!(proxy.get("/").status, 200);
}
