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
