//! Requests go to the hosts whose metadata is as the route asks.

use crate::harness::{Config, Upstream};
use serde_json::{Value, json};

fn metadata(fields: &Value) -> Value {
    json!({"filter_metadata": {"envoy.lb": fields}})
}

fn endpoint(host: &Upstream, fields: Value) -> Value {
    let address = json!({"address": "127.0.0.1", "port_value": host.address().port()});
    json!({
        "endpoint": {"address": {"socket_address": address}},
        "metadata": metadata(&fields),
    })
}

fn route(path: &str, mut action: Value, fields: &Value) -> Value {
    action["metadata_match"] = metadata(fields);
    json!({"match": {"path": path}, "route": action})
}

#[test]
fn routes_and_filters_choose_among_subsets() {
    let (one, two, three) = (
        Upstream::ok("one"),
        Upstream::ok("two"),
        Upstream::ok("three"),
    );
    let endpoints = [
        endpoint(&one, json!({"version": "1", "stage": "prod"})),
        endpoint(&two, json!({"version": "1", "stage": "test"})),
        endpoint(&three, json!({"version": "2", "stage": "prod"})),
    ];
    let subsets = json!({
        "fallback_policy": "DEFAULT_SUBSET",
        "default_subset": {"version": "2"},
        "subset_selectors": [{"keys": ["version"]}, {"keys": ["version", "stage"]}],
    });
    let cluster = json!({"cluster": "hosts"});
    let weighted = json!({"weighted_clusters": {"clusters": [{
        "name": "hosts", "weight": 1, "metadata_match": metadata(&json!({"stage": "test"})),
    }]}});
    let version = |number: &str| json!({"version": number});
    let proxy = Config::http(&[
        route("/2", cluster.clone(), &version("2")),
        route("/9", cluster.clone(), &version("9")),
        route(
            "/both",
            cluster.clone(),
            &json!({"version": "1", "stage": "prod"}),
        ),
        route("/weighted", weighted, &version("1")),
    ])
    .cluster_with(
        "hosts",
        &[],
        json!({
            "lb_subset_config": subsets,
            "load_assignment": {
                "cluster_name": "hosts", "endpoints": [{"lb_endpoints": endpoints}],
            },
        }),
    )
    .start();
    for (path, body) in [
        ("/2", "three"),
        ("/9", "three"),
        ("/both", "one"),
        ("/weighted", "two"),
    ] {
        for _ in 0..3 {
            assert_eq!(proxy.get(path).brief(), (200, body.to_owned()), "{path}");
        }
    }
    assert_eq!(proxy.stat("cluster.hosts.lb_subsets_selected"), 9);
    assert_eq!(proxy.stat("cluster.hosts.lb_subsets_fallback"), 3);
    // Five on each thread.
    assert_eq!(proxy.stat("cluster.hosts.lb_subsets_active") % 5, 0);
}
