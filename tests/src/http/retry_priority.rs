//! Retries that go to other priorities than those tried before.

use crate::harness::{Config, Reply, Upstream, route};
use serde_json::json;

#[test]
fn each_priority_has_its_turn() {
    let upstreams = [(); 3].map(|()| Upstream::http(|_| Reply::new(503, "", "no")));
    let endpoints: Vec<_> = (0..)
        .zip(&upstreams)
        .map(|(priority, upstream)| {
            let port = upstream.address().port();
            let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
            let hosts = json!([{"endpoint": {"address": address}}]);
            json!({"priority": priority, "lb_endpoints": hosts})
        })
        .collect();
    let previous = json!({
        "@type": "type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3\
                  .PreviousPrioritiesConfig",
        "update_frequency": 1,
    });
    let mut route = route("/", "up");
    route["route"]["retry_policy"] = json!({
        "retry_on": "5xx",
        "num_retries": 5,
        "retry_back_off": {"base_interval": "0.001s"},
        "retry_priority": {"name": "previous", "typed_config": previous},
    });
    let assignment = json!({"cluster_name": "up", "endpoints": endpoints});
    let proxy = Config::http(&[route])
        .cluster_with("up", &[], json!({"load_assignment": assignment}))
        .start();
    assert_eq!(proxy.get("/").status, 503);
    let seen = upstreams.map(|upstream| upstream.requests().len());
    // When all were tried it begins again with the first.
    assert_eq!(seen, [2, 2, 2]);
}
